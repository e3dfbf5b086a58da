// The FHIR store to look into: a search made from what the server says it can, a resource, its history, and a validator.
import { useState } from 'preact/hooks';
import { Empty, PageHead } from '../components/basics';
import { Tabs } from '../components/tabs';
import { ResourceView } from '../fhir/resource_view';
import { Search } from '../fhir/search';
import { Validate } from '../fhir/validate';
import { useRoute } from '../router';

export default function FhirBrowser() {
  const { parts } = useRoute();
  const [tab, setTab] = useState('search');
  const [shown, setShown] = useState(false);
  const [type, id] = parts;
  if (!shown)
    return (
      <div class="stack">
        <PageHead title="FHIR browser" />
        <Empty>
          <p>This is patient data. Looking at it is recorded in the audit log.</p>
          <p>
            <button type="button" class="primary" id="show-content" onClick={() => setShown(true)}>
              Show the content
            </button>
          </p>
        </Empty>
      </div>
    );
  if (type && id) return <ResourceView type={type} id={id} />;
  return (
    <div class="stack">
      <PageHead title="FHIR browser" />
      <Tabs
        label="FHIR browser"
        open={tab}
        onOpen={setTab}
        tabs={[
          { name: 'search', title: 'Search' },
          { name: 'validate', title: 'Validate' },
        ]}
      />
      {tab === 'search' ? <Search /> : <Validate />}
    </div>
  );
}

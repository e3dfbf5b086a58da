// The search builder: types and parameters come from the server's CapabilityStatement.
import { useMemo, useState } from 'preact/hooks';
import { api, queryText } from '../api';
import { Empty, ErrorBox, Field, Panel, Pending, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { useAction, useLoad } from '../load';
import { link, useRoute, replace } from '../router';
import { session } from '../session';
import type { Json } from '../types';
import { Outcome } from './outcome';
import { afterBase, label, list, member, text } from './values';

interface Criterion {
  name: string;
  value: string;
}

function Results(props: { bundle: Json; onPage: (path: string) => void }) {
  const { bundle } = props;
  if (text(member(bundle, 'resourceType')) === 'OperationOutcome') return <Outcome value={bundle} />;
  const entries = list(member(bundle, 'entry'));
  const links = list(member(bundle, 'link')).filter((one) => ['previous', 'next'].includes(text(member(one, 'relation'))));
  const total = member(bundle, 'total');
  return (
    <>
      <DataTable
        label="Resources found"
        items={entries.map((entry) => member(entry, 'resource') ?? null)}
        id={(resource) => `${text(member(resource, 'resourceType'))}/${text(member(resource, 'id'))}`}
        empty="No resource fits."
        columns={[
          {
            title: 'Resource',
            cell: (resource) => {
              const [type, id] = [text(member(resource, 'resourceType')), text(member(resource, 'id'))];
              return id ? <a href={link('fhir', [type, id])}>{`${type}/${id}`}</a> : type;
            },
          },
          { title: 'What', cell: (resource) => (text(member(resource, 'resourceType')) === 'OperationOutcome' ? list(member(resource, 'issue')).map((issue) => text(member(issue, 'diagnostics'))).join('; ') : label(resource)) },
          { title: 'Version', cell: (resource) => text(member(member(resource, 'meta'), 'versionId')) },
          { title: 'Updated', cell: (resource) => <Time at={text(member(member(resource, 'meta'), 'lastUpdated'))} /> },
        ]}
      />
      <div class="row body">
        {total !== undefined ? <span class="dim">{text(total)} in all</span> : null}
        {links.map((one) => (
          <button key={text(member(one, 'relation'))} type="button" class="small" onClick={() => props.onPage(afterBase(text(member(one, 'url'))))}>
            {text(member(one, 'relation'))} page
          </button>
        ))}
      </div>
    </>
  );
}

/** The last search of this login, for the way back from a resource. In memory only. */
let last: { by: string | undefined; type: string; criteria: Criterion[]; bundle: Json | null } | null = null;

export function Search() {
  const route = useRoute();
  const metadata = useLoad(() => api.fhir('metadata'), []);
  const by = session.value?.csrf;
  const before = last?.by === by && last?.type === (route.query.get('type') ?? last?.type) ? last : null;
  const [type, setType] = useState(route.query.get('type') ?? before?.type ?? 'Patient');
  const [criteria, setCriteria] = useState<Criterion[]>(before?.criteria ?? [{ name: '', value: '' }]);
  const [bundle, setBundle] = useState<Json | null>(before?.bundle ?? null);
  last = { by, type, criteria, bundle };
  const resources = useMemo(() => list(member(list(member(metadata.data?.json, 'rest'))[0], 'resource')), [metadata.data]);
  const known = resources.find((one) => text(member(one, 'type')) === type);
  const parameters = list(member(known, 'searchParam'));
  const ask = useAction(async (path: string) => setBundle((await api.fhir(path)).json));
  const used = criteria.filter((one) => one.name !== '' && one.value !== '');
  const path = `${type}${used.length > 0 ? `?${used.map((one) => `${encodeURIComponent(one.name)}=${encodeURIComponent(one.value)}`).join('&')}` : queryText({ _count: 20 })}`;
  const change = (n: number, next: Partial<Criterion>) => setCriteria(criteria.map((one, k) => (k === n ? { ...one, ...next } : one)));
  if (!metadata.data) return <Pending loading={metadata.loading} error={metadata.error} retry={metadata.reload} />;
  return (
    <div class="stack">
      <Panel title="Search">
        <form
          class="body stack tight"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            replace(link('fhir', [], { type }));
            void ask.run(path);
          }}
        >
          <Field label="Type">
            {(id) => (
              <select id={id} value={type} onChange={(event) => {
                  setType(event.currentTarget.value);
                  setBundle(null);
                }}>
                {resources.map((one) => (
                  <option key={text(member(one, 'type'))}>{text(member(one, 'type'))}</option>
                ))}
              </select>
            )}
          </Field>
          {criteria.map((one, n) => {
            const parameter = parameters.find((each) => text(member(each, 'name')) === one.name.split(':')[0]);
            return (
              <div class="row" key={n}>
                <input class="mono" list="fhir-parameters" aria-label={`Parameter ${n + 1}`} placeholder="parameter" value={one.name} onInput={(event) => change(n, { name: event.currentTarget.value })} />
                <span aria-hidden="true">=</span>
                <input class="mono grow-input" aria-label={`Value ${n + 1}`} placeholder={parameter ? text(member(parameter, 'type')) : 'value'} value={one.value} onInput={(event) => change(n, { value: event.currentTarget.value })} />
                <button type="button" class="small" aria-label={`Remove parameter ${n + 1}`} onClick={() => setCriteria(criteria.filter((_, k) => k !== n))}>
                  −
                </button>
                <span class="dim">{text(member(parameter, 'documentation'))}</span>
              </div>
            );
          })}
          <datalist id="fhir-parameters">
            {[...parameters.map((one) => text(member(one, 'name'))), '_id', '_lastUpdated', '_sort', '_count', '_include', '_revinclude', '_summary'].map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
          <div class="row">
            <button type="button" class="small" onClick={() => setCriteria([...criteria, { name: '', value: '' }])}>
              Add a parameter
            </button>
            <button type="submit" class="primary" disabled={ask.busy}>
              Search
            </button>
            <code class="dim wrap">GET /fhir/{path}</code>
          </div>
          <ErrorBox error={ask.error} />
        </form>
      </Panel>
      {bundle ? (
        <Panel title="Found">
          <Results bundle={bundle} onPage={(next) => void ask.run(next)} />
        </Panel>
      ) : (
        <Empty>{resources.length} types. Without a parameter: the first 20.</Empty>
      )}
    </div>
  );
}

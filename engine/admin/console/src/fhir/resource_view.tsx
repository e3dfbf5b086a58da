// One resource, its history, and what changed between two versions.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { PageHead, Panel, Pending, Time } from '../components/basics';
import { DiffView } from '../components/diff_view';
import { JsonView } from '../components/json_view';
import { diffLines } from '../diff';
import { useLoad } from '../load';
import { go, link } from '../router';
import { Outcome } from './outcome';
import { label, list, member, text } from './values';

const pretty = (value: unknown) => JSON.stringify(value ?? null, null, 2);

function History(props: { type: string; id: string }) {
  const { data, error, loading } = useLoad(() => api.fhir(`${props.type}/${props.id}/_history`), [props.type, props.id]);
  const [left, setLeft] = useState(1);
  const [right, setRight] = useState(0);
  if (!data)
    return (
      <div class="body">
        <Pending loading={loading} error={error} />
      </div>
    );
  const versions = list(member(data.json, 'entry'));
  const nameOf = (n: number) => {
    const resource = member(versions[n], 'resource');
    const version = text(member(member(resource, 'meta'), 'versionId'));
    return version || `${text(member(member(versions[n], 'request'), 'method'))} ${n}`;
  };
  const select = (title: string, value: number, set: (n: number) => void) => (
    <select aria-label={title} value={value} onChange={(event) => set(Number(event.currentTarget.value))}>
      {versions.map((_, n) => (
        <option key={n} value={n}>
          version {nameOf(n)}
        </option>
      ))}
    </select>
  );
  return (
    <>
      <ul class="body">
        {versions.map((entry, n) => (
          <li key={n} class="row">
            <span>version {nameOf(n)}</span>
            <Time at={text(member(member(member(entry, 'resource'), 'meta'), 'lastUpdated')) || text(member(member(entry, 'response'), 'lastModified'))} how="full" />
            <span class="dim">{text(member(member(entry, 'request'), 'method'))}</span>
          </li>
        ))}
      </ul>
      {versions.length > 1 ? (
        <>
          <div class="row body">
            {select('Older version', left, setLeft)} to {select('Newer version', right, setRight)}
          </div>
          <DiffView label="Difference of the versions" lines={diffLines(pretty(member(versions[left], 'resource')), pretty(member(versions[right], 'resource')))} />
        </>
      ) : null}
    </>
  );
}

export function ResourceView(props: { type: string; id: string }) {
  const { type, id } = props;
  const { data, error, loading } = useLoad(() => api.fhir(`${type}/${id}`), [type, id]);
  const follow = (reference: string) => {
    const parts = /(?:^|\/)([A-Z][A-Za-z]+)\/([^/#]+)(?:\/_history\/.*)?$/.exec(reference);
    if (parts?.[1] && parts[2]) go(link('fhir', [parts[1], parts[2]]));
  };
  return (
    <div class="stack">
      <PageHead
        title={
          <>
            <a class="up" href={link('fhir', [], { type })}>
              FHIR
            </a>{' '}
            / {type}/{id}
          </>
        }
      >
        <span class="dim">{data ? label(data.json) : ''}</span>
      </PageHead>
      <div class="columns">
        <Panel title="Resource">
          {data ? (
            text(member(data.json, 'resourceType')) === 'OperationOutcome' ? (
              <Outcome value={data.json} />
            ) : (
              <JsonView value={data.json} onLink={follow} />
            )
          ) : (
            <div class="body">
              <Pending loading={loading} error={error} />
            </div>
          )}
        </Panel>
        <Panel title="History">
          <History type={type} id={id} />
        </Panel>
      </div>
    </div>
  );
}

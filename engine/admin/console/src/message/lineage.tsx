// What the map made of the message, value by value: where it came from and by which rule; and what was not read.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Check, Pending, State } from '../components/basics';
import { Tabs } from '../components/tabs';
import { prettyText } from '../components/body_text';
import type { Loaded } from '../load';
import type { Lineage, SourceValue, LineageValue } from '../types';
import { overlaps } from './place';

function Rule(props: { value: LineageValue; onShow?: ((from: SourceValue) => void) | undefined }) {
  const { value, onShow } = props;
  return (
    <div class="body detail">
      <h3 class="mono wrap">{value.path}</h3>
      <p class="mono wrap">{value.value}</p>
      <dl class="facts">
        <dt>from</dt>
        <dd>
          {value.from.length === 0 ? 'no field: written by the map' : null}
          {value.from.map((one, n) => (
            <div key={n}>
              <span class="mono">{one.path}</span> {one.name} <span class="mono">{one.value}</span>{' '}
              {onShow && one.line !== undefined ? (
                <button type="button" class="link" onClick={() => onShow(one)}>
                  show in the sample
                </button>
              ) : null}
            </div>
          ))}
        </dd>
        <dt>rule</dt>
        <dd>
          <code>{value.expression ?? value.rule}</code>
        </dd>
        {value.place ? (
          <>
            <dt>at</dt>
            <dd class="mono">{value.place}</dd>
          </>
        ) : null}
        {value.conversion ? (
          <>
            <dt>converted</dt>
            <dd>{value.conversion}</dd>
          </>
        ) : null}
        {value.policy ? (
          <>
            <dt>policy</dt>
            <dd>{value.policy}</dd>
          </>
        ) : null}
      </dl>
    </div>
  );
}

/** "Bundle.entry[3].resource.name[0].family" stands below "entry[3] Patient" as "name[0].family". */
function splitPath(path: string): [string, string] {
  const found = /^Bundle\.(entry\[\d+\])\.(?:resource\.)?(.+)$/.exec(path);
  return found ? [found[1] ?? '', found[2] ?? ''] : ['', path];
}

/** The types of the entries of a bundle. */
function typesOf(output: string | undefined): string[] {
  try {
    const bundle = JSON.parse(output ?? '') as { entry?: { resource?: { resourceType?: string } }[] };
    return bundle.entry?.map((one) => one.resource?.resourceType ?? '') ?? [];
  } catch {
    return []; // not JSON: HL7 or CSV
  }
}

function Values(props: { data: Lineage; chosenField: string; chosenValue: LineageValue | null; onValue: (value: LineageValue) => void; onShow?: ((from: SourceValue) => void) | undefined }) {
  const { data, chosenField, chosenValue } = props;
  const [filter, setFilter] = useState('');
  const [mapped, setMapped] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  const types = useMemo(() => typesOf(data.output), [data.output]);
  const wanted = filter.toLowerCase();
  const shown = (data.values ?? []).filter((one) => (!mapped || one.from.length > 0) && (wanted === '' || `${one.path} ${one.value}`.toLowerCase().includes(wanted)));
  const isMarked = (one: LineageValue) => chosenField !== '' && one.from.some((from) => overlaps(from.path, chosenField));
  const marked = chosenField === '' ? 0 : shown.filter(isMarked).length;
  useEffect(() => {
    if (chosenValue === null) list.current?.querySelector('.marked')?.scrollIntoView({ block: 'nearest' });
  }, [chosenField]);
  let group = '';
  return (
    <>
      <div class="row body">
        <input type="search" class="grow-input" placeholder="Filter by path or value" aria-label="Filter values" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <Check label="only from the message" checked={mapped} onChange={setMapped} />
        {chosenField ? (
          <span class="dim" role="status">
            {marked === 0 ? `nothing is made of ${chosenField}` : `${marked} made of ${chosenField}`}
          </span>
        ) : null}
      </div>
      <ul class="values" aria-label="Values" ref={list}>
        {shown.map((one, n) => {
          const [entry, rest] = splitPath(one.path);
          const head = entry !== group && entry !== '';
          group = entry;
          return [
            head ? (
              <li key={`${entry}-${n}`} class="group">
                <span class="mono">{entry}</span> {types[Number(/\d+/.exec(entry)?.[0] ?? -1)]}
              </li>
            ) : null,
            <li key={n}>
              <button
                type="button"
                class={`link${isMarked(one) ? ' marked' : ''}${one === chosenValue ? ' chosen' : ''}`}
                aria-pressed={one === chosenValue}
                title={one.path}
                onClick={() => props.onValue(one)}
              >
                <span class="mono">{rest}</span> <span class={`value mono${one.from.length === 0 ? ' dim' : ''}`}>{one.value}</span>
              </button>
            </li>,
          ];
        })}
        {shown.length === 0 ? <li class="dim">No value fits.</li> : null}
      </ul>
      {chosenValue ? <Rule value={chosenValue} onShow={props.onShow} /> : <p class="dim body">Choose a value to see the field and the rule it comes from.</p>}
    </>
  );
}

export function LineageView(props: {
  lineage: Loaded<Lineage>;
  map: string;
  onMap: (map: string) => void;
  chosenField: string;
  chosenValue: LineageValue | null;
  onValue: (value: LineageValue) => void;
  onField?: (path: string) => void;
  onShow?: (from: SourceValue) => void;
}) {
  const [view, setView] = useState('values');
  const { data, error, loading, reload } = props.lineage;
  if (!data)
    return (
      <div class="body">
        <Pending loading={loading} error={error} retry={reload} />
      </div>
    );
  return (
    <>
      <div class="row body">
        {data.maps && data.maps.length > 1 ? (
          <select aria-label="Map" value={props.map || data.map} onChange={(event) => props.onMap(event.currentTarget.value)}>
            {data.maps.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        ) : (
          <span class="mono">{data.map}</span>
        )}
        {data.outcome ? <State state={data.outcome} /> : null}
        {data.lookups === 'asked' ? <span class="dim">lookups were asked anew</span> : null}
      </div>
      <Tabs
        label="What the map made"
        open={view}
        onOpen={setView}
        tabs={[
          { name: 'values', title: `Values (${data.values?.length ?? 0})` },
          { name: 'output', title: 'Output' },
          { name: 'unread', title: `Unread (${data.unread?.length ?? 0})` },
          { name: 'notes', title: `Notes (${data.notes?.length ?? 0})` },
        ]}
      />
      {view === 'values' ? <Values data={data} chosenField={props.chosenField} chosenValue={props.chosenValue} onValue={props.onValue} onShow={props.onShow} /> : null}
      {view === 'output' ? (
        <pre class="code wrap" tabIndex={0} aria-label="Output of the map">
          {prettyText(data.output ?? '')}
        </pre>
      ) : null}
      {view === 'unread' ? (
        <ul class="body">
          {(data.unread ?? []).map((one, n) => (
            <li key={n}>
              {props.onField ? (
                <button type="button" class="link mono" onClick={() => props.onField?.(one.path)}>
                  {one.path}
                </button>
              ) : (
                <span class="mono">{one.path}</span>
              )}{' '}
              <span class="dim">{one.name}</span> <span class="mono">{one.value}</span>
            </li>
          ))}
          {(data.unread ?? []).length === 0 ? <li class="dim">The map read every field that has a value.</li> : null}
        </ul>
      ) : null}
      {view === 'notes' ? (
        <ul class="body stack tight">
          {(data.notes ?? []).map((one, n) => (
            <li key={n}>
              <State state={one.level} /> {one.text} <span class="dim mono wrap">{[one.code, one.source, one.rule].filter(Boolean).join(' · ')}</span>
            </li>
          ))}
          {(data.notes ?? []).length === 0 ? <li class="dim">The map had nothing to say.</li> : null}
        </ul>
      ) : null}
    </>
  );
}

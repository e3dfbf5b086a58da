// What the map made of the message, value by value: where it came from and by which rule; and what was not read.
import { useState } from 'preact/hooks';
import { Panel, Pending, State } from '../components/basics';
import { Tabs } from '../components/tabs';
import { visibleText } from '../components/body_text';
import type { Loaded } from '../load';
import type { Lineage, LineageValue } from '../types';
import { fieldOf } from './segments';

function Rule(props: { value: LineageValue }) {
  const { value } = props;
  return (
    <div class="body detail">
      <h3 class="mono">{value.path}</h3>
      <p class="mono wrap">{value.value}</p>
      <dl class="facts">
        <dt>from</dt>
        <dd>
          {value.from.length === 0 ? 'no field: written by the map' : null}
          {value.from.map((one, n) => (
            <div key={n}>
              <span class="mono">{one.path}</span> {one.name} <span class="mono">{one.value}</span>
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

export function LineageView(props: {
  lineage: Loaded<Lineage>;
  map: string;
  onMap: (map: string) => void;
  chosenField: string;
  chosenValue: LineageValue | null;
  onValue: (value: LineageValue) => void;
}) {
  const [view, setView] = useState('values');
  const { data, error, loading, reload } = props.lineage;
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  const values = data.values ?? [];
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
          { name: 'values', title: `Values (${values.length})` },
          { name: 'output', title: 'Output' },
          { name: 'unread', title: `Unread (${data.unread?.length ?? 0})` },
          { name: 'notes', title: `Notes (${data.notes?.length ?? 0})` },
        ]}
      />
      {view === 'values' ? (
        <>
          <ul class="values" tabIndex={0} aria-label="Values">
            {values.map((one, n) => {
              const marked = props.chosenField !== '' && one.from.some((from) => fieldOf(from.path) === props.chosenField);
              return (
                <li key={n}>
                  <button type="button" class={`link${marked ? ' marked' : ''}${one === props.chosenValue ? ' chosen' : ''}`} aria-pressed={one === props.chosenValue} onClick={() => props.onValue(one)}>
                    <span class="mono">{one.path}</span> <span class="value mono">{one.value}</span>
                  </button>
                </li>
              );
            })}
          </ul>
          {props.chosenValue ? <Rule value={props.chosenValue} /> : <p class="dim body">Choose a value to see the field and the rule it comes from.</p>}
        </>
      ) : null}
      {view === 'output' ? (
        <pre class="code wrap" tabIndex={0} aria-label="Output of the map">
          {visibleText(data.output ?? '')}
        </pre>
      ) : null}
      {view === 'unread' ? (
        <ul class="body">
          {(data.unread ?? []).map((one, n) => (
            <li key={n}>
              <span class="mono">{one.path}</span> <span class="dim">{one.name}</span> <span class="mono">{one.value}</span>
            </li>
          ))}
          {(data.unread ?? []).length === 0 ? <li class="dim">The map read every field that has a value.</li> : null}
        </ul>
      ) : null}
      {view === 'notes' ? (
        <ul class="body stack">
          {(data.notes ?? []).map((one, n) => (
            <li key={n}>
              <State state={one.level} /> {one.text} <span class="dim mono">{[one.code, one.source, one.rule].filter(Boolean).join(' · ')}</span>
            </li>
          ))}
          {(data.notes ?? []).length === 0 ? <li class="dim">The map had nothing to say.</li> : null}
        </ul>
      ) : null}
    </>
  );
}

export function OutputPanel(props: { title: string; text: string }) {
  return (
    <Panel title={props.title}>
      <pre class="code wrap" tabIndex={0} aria-label={props.title}>
        {visibleText(props.text)}
      </pre>
    </Panel>
  );
}

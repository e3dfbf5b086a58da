// Message beside what the map made of it: a click on a value shows its field, a click on a field shows its values.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Panel, Pending } from '../components/basics';
import { BodyText } from '../components/body_text';
import { Tabs } from '../components/tabs';
import { useLoad } from '../load';
import type { LineageValue, TreeItem } from '../types';
import { LineageView } from './lineage';
import { Segments, useSegments } from './segments';

function Branch(props: { items: TreeItem[]; names: Map<number, string>; onOpen: (segment: number) => void }) {
  return (
    <ul class="tree">
      {props.items.map((one, n) =>
        one.group ? (
          <li key={n}>
            <strong>{one.group}</strong>
            <Branch items={one.items ?? []} names={props.names} onOpen={props.onOpen} />
          </li>
        ) : (
          <li key={n}>
            <button type="button" class="link" onClick={() => one.segment !== undefined && props.onOpen(one.segment)}>
              <span class="mono">{one.id}</span> <span class="dim">{props.names.get(one.segment ?? 0)}</span>
            </button>
            {one.unplaced ? <span class="badge warn">! not in this structure</span> : null}
          </li>
        ),
      )}
    </ul>
  );
}

function Tree(props: { id: number; names: Map<number, string>; onOpen: (segment: number) => void }) {
  const { data, error, loading } = useLoad(() => api.tree(props.id), [props.id]);
  if (!data) return <Pending loading={loading} error={error} />;
  return (
    <div class="body">
      <p class="dim">Structure {data.structure ?? 'unknown'}</p>
      <Branch items={data.items} names={props.names} onOpen={props.onOpen} />
    </div>
  );
}

export function Content(props: { id: number; kind: string }) {
  const [view, setView] = useState('segments');
  const [field, setField] = useState('');
  const [value, setValue] = useState<LineageValue | null>(null);
  const [map, setMap] = useState('');
  const segments = useSegments(props.id);
  const lineage = useLoad(() => api.lineage(props.id, map || undefined), [props.id, map]);
  const marked = value?.from.map((one) => one.path) ?? [];
  const choose = (path: string) => {
    setField(path);
    setValue(null);
    setView('segments');
  };
  const names = new Map(segments.answer?.segments?.map((one) => [one.n, one.name ?? '']) ?? []);
  const isHl7 = segments.answer?.segments !== undefined;
  const openSegment = (n: number) => {
    const first = segments.answer?.segments?.find((one) => one.n === n)?.fields[0];
    setView('segments');
    if (first) setField(first.path);
  };
  return (
    <div class="columns">
      <Panel label="Message as received">
        <Tabs
          label="Message as received"
          open={view}
          onOpen={setView}
          tabs={[{ name: 'segments', title: isHl7 ? 'Segments' : 'Parsed' }, ...(isHl7 ? [{ name: 'tree', title: 'Tree' }] : []), { name: 'raw', title: 'Raw' }]}
        />
        {view === 'segments' ? (
          <Segments
            state={segments}
            marked={marked}
            chosen={field}
            onChoose={choose}
          />
        ) : null}
        {view === 'tree' ? <Tree id={props.id} names={names} onOpen={openSegment} /> : null}
        {view === 'raw' ? <BodyText label="Raw message" depends={[props.id]} load={(offset, limit) => api.body(props.id, offset, limit)} /> : null}
      </Panel>
      <Panel label="What the map made">
        <LineageView
          lineage={lineage}
          map={map}
          onMap={setMap}
          chosenField={field}
          chosenValue={value}
          onValue={(next) => {
            setValue(next);
            setField(next.from[0]?.path ?? '');
            if (isHl7) setView('segments');
          }}
          onField={choose}
        />
      </Panel>
    </div>
  );
}

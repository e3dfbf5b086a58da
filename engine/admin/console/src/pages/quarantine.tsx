// Messages that wait for a person, grouped by cause: try one, then release all; resolve or drop with a reason; assign, note. Whatever
// touches more than one runs dry first.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Empty, ErrorBox, PageHead, Panel, Pending, State, Time, Unready } from '../components/basics';
import { DataTable } from '../components/data_table';
import { count, once, plural, verb } from '../format';
import { useLoad } from '../load';
import { link } from '../router';
import { useRight } from '../session';
import { kActs, QuarantineAct, type Act, type Chosen } from '../components/quarantine_act';
import type { QuarantineGroup } from '../types';

function groupQuery(group: QuarantineGroup): string {
  const term = (name: string, value: string) => (/^[\w.^-]+$/.test(value) ? `${name}:${value}` : `${name}:"${value}"`);
  return [term('channel', group.channel), 'state:quarantined', ...(group.destination && group.destination !== '-' ? [term('dest', group.destination)] : []), ...(group.code ? [term('code', group.code)] : [])].join(' ');
}

type OnAct = (what: Act, chosen: Chosen) => void;

/** Buttons of what the account may do with these. */
function Acts(props: { chosen: Chosen; onAct: OnAct; word: string }) {
  const operate = useRight('operate');
  const mayDrop = useRight('replay');
  if (!operate) return null;
  const shown = (Object.keys(kActs) as Act[]).filter((act) => act !== 'drop' || mayDrop);
  return (
    <>
      {shown.map((act) => (
        <button key={act} type="button" class="small" onClick={() => props.onAct(act, props.chosen)}>
          {act === 'release' ? `Release ${props.word}…` : `${kActs[act].label}…`}
        </button>
      ))}
    </>
  );
}

function Items(props: { group: QuarantineGroup; onAct: OnAct; version: number }) {
  const { group } = props;
  const { data, error, loading } = useLoad(() => api.quarantineItems(group), [group.channel, group.destination, group.code, props.version]);
  const [chosen, setChosen] = useState<Set<string | number>>(new Set());
  const operate = useRight('operate');
  if (!data)
    return (
      <div class="body">
        <Pending loading={loading} error={error} />
      </div>
    );
  const ids = data.items.map((item) => item.id).filter((id) => chosen.has(id));
  return (
    <>
      <div class="row body" role="status">
        {ids.length > 0 ? (
          <>
            <strong>{ids.length} chosen</strong>
            <Acts word="chosen" onAct={props.onAct} chosen={{ title: plural(ids.length, 'chosen message'), ids, destination: group.destination, size: ids.length }} />
          </>
        ) : (
          <span class="dim">
            {data.items.length < group.count ? `The newest ${data.items.length} of ${count(group.count)}. ` : ''}
            {operate ? 'Choose some to decide on them apart from the others.' : ''}
          </span>
        )}
      </div>
      <DataTable
        label={`Messages of ${group.code}`}
        items={data.items}
        id={(item) => item.id}
        empty="None is left."
        {...(operate ? { chosen, onChoose: setChosen } : {})}
        columns={[
          { title: 'Message', cell: (item) => <a href={link('message', [item.id])}>{item.id}</a> },
          { title: 'Received', cell: (item) => <Time at={item.received} /> },
          { title: 'Type', cell: (item) => item.type.split('^').slice(0, 2).join('^') },
          { title: 'Control id', cell: (item) => <code>{item.control_id}</code> },
          { title: 'Reason', cell: (item) => once(item.reason) },
          { title: 'Owner', cell: (item) => item.owner ?? '–' },
          { title: 'Note', cell: (item) => item.note ?? '' },
        ]}
      />
    </>
  );
}

function Group(props: { group: QuarantineGroup; version: number; onAct: OnAct }) {
  const { group } = props;
  const [open, setOpen] = useState(false);
  const operate = useRight('operate');
  const all: Chosen = { title: `${group.count === 1 ? 'the one' : `all ${count(group.count)}`} of ${group.code}`, query: groupQuery(group), destination: group.destination, size: group.count };
  const example: Chosen = { title: `message ${group.example}`, ids: [group.example], destination: group.destination, size: 1 };
  return (
    <Panel
      title={
        <>
          <State state="quarantined" text={count(group.count)} /> {group.code}{' '}
          <span class="dim">
            {group.channel}
            {group.destination && group.destination !== '-' ? ` → ${group.destination}` : ''}
          </span>
        </>
      }
      tools={
        <>
          {operate ? (
            <button type="button" class="small" onClick={() => props.onAct('release', example)}>
              Try one…
            </button>
          ) : null}
          <Acts word="all" onAct={props.onAct} chosen={all} />
        </>
      }
    >
      <div class="body stack tight">
        {group.detail ? <p class="wrap">{once(group.detail)}</p> : null}
        <p class="dim">
          first <Time at={group.first} /> · last <Time at={group.last} /> · owner {group.owner ?? 'nobody'}
          {group.note ? ` · ${group.note}` : ''} · example <a href={link('message', [group.example])}>{group.example}</a>
        </p>
        <p>
          <button type="button" class="small" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? 'Hide the messages' : 'Show the messages'}
          </button>
        </p>
      </div>
      {open ? <Items group={group} version={props.version} onAct={props.onAct} /> : null}
    </Panel>
  );
}

export default function Quarantine() {
  const { data, error, loading, reload } = useLoad(() => api.quarantine(), [], 15_000);
  const [act, setAct] = useState<{ what: Act; chosen: Chosen } | null>(null);
  const [version, setVersion] = useState(0);
  const done = () => {
    reload();
    setVersion(version + 1);
  };
  if (!data) return <Unready title="Quarantine" loading={loading} error={error} retry={reload} />;
  return (
    <div class="stack">
      <PageHead title="Quarantine">
        <span class="dim">
          {plural(data.open, 'message')} {verb(data.open, 'waits', 'wait')} for a decision. Nothing leaves here by itself.
        </span>
      </PageHead>
      <ErrorBox error={error} retry={reload} />
      {data.groups.length === 0 ? <Empty>Nothing is quarantined.</Empty> : null}
      {data.groups.map((group) => (
        <Group key={`${group.channel}/${group.destination}/${group.code}`} group={group} version={version} onAct={(what, chosen) => setAct({ what, chosen })} />
      ))}
      {act ? <QuarantineAct what={act.what} chosen={act.chosen} onClose={() => setAct(null)} onDone={done} /> : null}
    </div>
  );
}

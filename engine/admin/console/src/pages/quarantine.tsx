// Messages that wait for a person, grouped by cause: try one, then release all; assign, note, or drop with a reason.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Empty, ErrorBox, Field, PageHead, Panel, Pending, State, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Confirm, Dialog } from '../components/dialog';
import { say } from '../components/toast';
import { count, plural } from '../format';
import { useAction, useLoad } from '../load';
import { link } from '../router';
import { session, useRight } from '../session';
import { useStore } from '../store';
import type { BulkAnswer, QuarantineGroup, QuarantineItem } from '../types';

const kTypedAbove = 1000;

function groupQuery(group: QuarantineGroup): string {
  const term = (name: string, value: string) => (/^[\w.^-]+$/.test(value) ? `${name}:${value}` : `${name}:"${value}"`);
  return [term('channel', group.channel), 'state:quarantined', ...(group.destination && group.destination !== '-' ? [term('dest', group.destination)] : []), ...(group.code ? [term('code', group.code)] : [])].join(' ');
}

interface Chosen {
  title: string;
  ids?: number[];
  query?: string;
  destination?: string;
  size: number;
}

/** Release: the dry run comes by itself, the button after it. */
function Release(props: { chosen: Chosen; onClose: () => void; onDone: () => void }) {
  const { chosen } = props;
  const [answer, setAnswer] = useState<BulkAnswer | null>(null);
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const target = {
    ...(chosen.ids ? { ids: chosen.ids } : { query: chosen.query ?? '' }),
    ...(chosen.destination && chosen.destination !== '-' ? { destination: chosen.destination } : {}),
  };
  const dry = useAction(async () => setAnswer(await api.quarantineAction('release', { ...target, reason, dry_run: true })));
  const real = useAction(async () => {
    const done = await api.quarantineAction('release', { ...target, reason: reason.trim(), dry_run: false });
    say(`${plural(done.done, 'message')} released, ${done.failed} failed`, done.failed > 0 ? 'warn' : 'ok');
    props.onDone();
    props.onClose();
  });
  const large = answer !== null && answer.matched > kTypedAbove;
  const ready = answer !== null && answer.matched > 0 && reason.trim() !== '' && (!large || typed === String(answer.matched));
  return (
    <Dialog
      title={`Release ${chosen.title}`}
      wide
      onClose={props.onClose}
      onSubmit={() => void (ready ? real.run() : dry.run())}
      footer={
        <>
          <button type="button" onClick={props.onClose}>
            Close
          </button>
          <button type="button" disabled={dry.busy} onClick={() => void dry.run()}>
            Dry run
          </button>
          <button type="button" class="primary" disabled={!ready || real.busy} onClick={() => void real.run()}>
            Release
          </button>
        </>
      }
    >
      <p>Each goes through the running configuration again, as a new message; what fails again is quarantined again.</p>
      <Field label="Reason" hint="Kept in the audit log.">
        {(id) => <input id={id} value={reason} autocomplete="off" onInput={(event) => setReason(event.currentTarget.value)} />}
      </Field>
      {large ? <Field label={`Type ${answer.matched} to go on`}>{(id) => <input id={id} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />}</Field> : null}
      <ErrorBox error={dry.error ?? real.error} />
      {answer ? (
        <>
          <div class="message-box ok" role="status">
            <strong>Dry run: {plural(answer.matched, 'message')} would be released.</strong>
          </div>
          <ul class="scroll-box">
            {answer.items.slice(0, 100).map((one) => (
              <li key={one.id}>
                <a href={link('message', [one.id])}>{one.id}</a> {one.text}
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </Dialog>
  );
}

function AssignOrNote(props: { what: 'assign' | 'note'; chosen: Chosen; onClose: () => void; onDone: () => void }) {
  const { what, chosen } = props;
  const who = useStore(session);
  const [text, setText] = useState(what === 'assign' ? (who?.user ?? '') : '');
  const target = chosen.ids ? { ids: chosen.ids } : { query: chosen.query ?? '' };
  return (
    <Confirm
      title={what === 'assign' ? `Who takes ${chosen.title}?` : `Note on ${chosen.title}`}
      text={what === 'assign' ? 'The owner is shown to everybody.' : 'Write no patient data into a note.'}
      action={what === 'assign' ? 'Assign' : 'Save'}
      onClose={props.onClose}
      onDone={props.onDone}
      run={async () => {
        await api.quarantineAction(what, { ...target, ...(what === 'assign' ? { owner: text.trim() } : { note: text.trim() }) });
        say(what === 'assign' ? `Assigned to ${text.trim()}` : 'Noted');
      }}
    >
      <Field label={what === 'assign' ? 'Owner' : 'Note'}>{(id) => <input id={id} value={text} onInput={(event) => setText(event.currentTarget.value)} />}</Field>
    </Confirm>
  );
}

function Items(props: { group: QuarantineGroup; onAct: (what: Act, chosen: Chosen) => void; version: number }) {
  const { group } = props;
  const { data, error, loading } = useLoad(() => api.quarantineItems(group), [group.channel, group.destination, group.code, props.version]);
  const operate = useRight('operate');
  if (!data)
    return (
      <div class="body">
        <Pending loading={loading} error={error} />
      </div>
    );
  const one = (item: QuarantineItem): Chosen => ({ title: `message ${item.id}`, ids: [item.id], destination: group.destination, size: 1 });
  return (
    <DataTable
      label={`Messages of ${group.code}`}
      items={data.items}
      id={(item) => item.id}
      empty="None is left."
      columns={[
        { title: 'Message', cell: (item) => <a href={link('message', [item.id])}>{item.id}</a> },
        { title: 'Received', cell: (item) => <Time at={item.received} /> },
        { title: 'Type', cell: (item) => item.type },
        { title: 'Control id', cell: (item) => <code>{item.control_id}</code> },
        { title: 'Reason', cell: (item) => item.reason },
        { title: 'Owner', cell: (item) => item.owner ?? '–' },
        { title: 'Note', cell: (item) => item.note ?? '' },
        {
          title: '',
          cell: (item) =>
            operate ? (
              <span class="row">
                <button type="button" class="small" aria-label={`Release ${item.id}`} onClick={() => props.onAct('release', one(item))}>
                  Release…
                </button>
                <button type="button" class="small" aria-label={`Drop ${item.id}`} onClick={() => props.onAct('drop', one(item))}>
                  Drop…
                </button>
              </span>
            ) : null,
        },
      ]}
    />
  );
}

type Act = 'release' | 'drop' | 'assign' | 'note';

export default function Quarantine() {
  const { data, error, loading, reload } = useLoad(() => api.quarantine(), [], 15_000);
  const [open, setOpen] = useState<string | null>(null);
  const [act, setAct] = useState<{ what: Act; chosen: Chosen } | null>(null);
  const [version, setVersion] = useState(0);
  const operate = useRight('operate');
  const mayDrop = useRight('replay');
  const done = () => {
    reload();
    setVersion(version + 1);
  };
  const close = () => setAct(null);
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  return (
    <div class="stack">
      <PageHead title="Quarantine">
        <span class="dim">{plural(data.open, 'message')} wait for a decision. Nothing leaves here by itself.</span>
      </PageHead>
      <ErrorBox error={error} retry={reload} />
      {data.groups.length === 0 ? <Empty>Nothing is quarantined.</Empty> : null}
      {data.groups.map((group) => {
        const key = `${group.channel}/${group.destination}/${group.code}`;
        const all: Chosen = { title: `all ${group.count} of ${group.code}`, query: groupQuery(group), destination: group.destination, size: group.count };
        const example: Chosen = { title: `message ${group.example}`, ids: [group.example], destination: group.destination, size: 1 };
        return (
          <Panel
            key={key}
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
              operate ? (
                <>
                  <button type="button" class="small" onClick={() => setAct({ what: 'release', chosen: example })}>
                    Try one…
                  </button>
                  <button type="button" class="small" onClick={() => setAct({ what: 'release', chosen: all })}>
                    Release all…
                  </button>
                  <button type="button" class="small" onClick={() => setAct({ what: 'assign', chosen: all })}>
                    Assign…
                  </button>
                  <button type="button" class="small" onClick={() => setAct({ what: 'note', chosen: all })}>
                    Note…
                  </button>
                  {mayDrop ? (
                    <button type="button" class="small" onClick={() => setAct({ what: 'drop', chosen: all })}>
                      Drop…
                    </button>
                  ) : null}
                </>
              ) : null
            }
          >
            <div class="body stack tight">
              {group.detail ? <p class="wrap">{group.detail}</p> : null}
              <p class="dim">
                first <Time at={group.first} /> · last <Time at={group.last} /> · owner {group.owner ?? 'nobody'}
                {group.note ? ` · ${group.note}` : ''} · example <a href={link('message', [group.example])}>{group.example}</a>
              </p>
              <p>
                <button type="button" class="small" aria-expanded={open === key} onClick={() => setOpen(open === key ? null : key)}>
                  {open === key ? 'Hide the messages' : 'Show the messages'}
                </button>
              </p>
            </div>
            {open === key ? <Items group={group} version={version} onAct={(what, chosen) => setAct({ what, chosen })} /> : null}
          </Panel>
        );
      })}
      {act?.what === 'release' ? <Release chosen={act.chosen} onClose={close} onDone={done} /> : null}
      {act && (act.what === 'assign' || act.what === 'note') ? <AssignOrNote what={act.what} chosen={act.chosen} onClose={close} onDone={done} /> : null}
      {act?.what === 'drop' ? (
        <Confirm
          title={`Drop ${act.chosen.title}?`}
          text="They will never be delivered. Their content stays in the journal until retention removes it."
          action="Drop"
          danger
          reason="needed"
          {...(act.chosen.size > 1 ? { typed: act.chosen.size } : {})}
          onClose={close}
          onDone={done}
          run={async (reason) => {
            const answer = await api.quarantineAction('drop', { ...(act.chosen.ids ? { ids: act.chosen.ids } : { query: act.chosen.query ?? '' }), reason });
            say(`${plural(answer.done, 'message')} dropped`);
          }}
        />
      ) : null}
    </div>
  );
}

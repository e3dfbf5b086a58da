// What is firing, since when, who has it; silence always ends by itself.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { ErrorBox, Field, PageHead, Panel, Pending, State, Time } from '../components/basics';
import { DataTable, type Column } from '../components/data_table';
import { Confirm } from '../components/dialog';
import { say } from '../components/toast';
import { useLoad } from '../load';
import { link } from '../router';
import { session, useRight } from '../session';
import { useStore } from '../store';
import type { Alert } from '../types_admin';

const kHours = [1, 4, 12, 24, 72];

function place(alert: Alert) {
  if (!alert.channel) return '–';
  return (
    <a href={link('channels', [alert.channel])}>
      {alert.channel}
      {alert.destination ? `/${alert.destination}` : ''}
    </a>
  );
}

function Silence(props: { alert: Alert; onClose: () => void; onDone: () => void }) {
  const [hours, setHours] = useState(4);
  return (
    <Confirm
      title={`Silence ${props.alert.name}?`}
      text="It is watched on, but tells nobody until then."
      action="Silence"
      onClose={props.onClose}
      onDone={props.onDone}
      run={async () => {
        await api.silenceAlert(props.alert.id, new Date(Date.now() + hours * 3_600_000).toISOString());
        say(`Silent for ${hours} h`);
      }}
    >
      <Field label="For">
        {(id) => (
          <select id={id} value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>
            {kHours.map((one) => (
              <option key={one} value={one}>
                {one} h
              </option>
            ))}
          </select>
        )}
      </Field>
    </Confirm>
  );
}

function Own(props: { alert: Alert; onClose: () => void; onDone: () => void }) {
  const who = useStore(session);
  const [owner, setOwner] = useState(who?.user ?? '');
  return (
    <Confirm
      title={`Who takes ${props.alert.name}?`}
      text="The owner is shown to everybody."
      action="Assign"
      onClose={props.onClose}
      onDone={props.onDone}
      run={async () => {
        await api.ownAlert(props.alert.id, owner.trim());
        say(`Assigned to ${owner.trim()}`);
      }}
    >
      <Field label="Owner">{(id) => <input id={id} value={owner} onInput={(event) => setOwner(event.currentTarget.value)} />}</Field>
    </Confirm>
  );
}

export default function Alerts() {
  const { data, error, loading, reload } = useLoad(() => api.alerts(), [], 5000);
  const [asked, setAsked] = useState<{ what: 'silence' | 'own'; alert: Alert } | null>(null);
  const may = useRight('operate');
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  const ended = (one: Alert) => one.state === 'ended' || one.state === 'resolved' || one.ended !== undefined;
  const common: Column<Alert>[] = [
    { title: 'Level', cell: (one) => <State state={one.level} /> },
    { title: 'Alert', cell: (one) => <strong>{one.name}</strong> },
    { title: 'Where', cell: place },
    { title: 'What', cell: (one) => one.text },
    { title: 'Since', cell: (one) => <Time at={one.since} how="relative" /> },
  ];
  const close = () => setAsked(null);
  return (
    <div class="stack">
      <PageHead title="Alerts" />
      <ErrorBox error={error} retry={reload} />
      <Panel title="Firing now">
        <DataTable
          label="Firing alerts"
          items={data.alerts.filter((one) => !ended(one))}
          id={(one) => one.id}
          empty="Nothing is firing."
          columns={[
            ...common,
            { title: 'Owner', cell: (one) => one.owner ?? 'nobody' },
            { title: 'Silent until', cell: (one) => <Time at={one.silenced_until} /> },
            { title: 'Runbook', cell: (one) => (one.runbook ? <code>{one.runbook}</code> : '–') },
            {
              title: '',
              cell: (one) =>
                may ? (
                  <span class="row">
                    <button type="button" class="small" aria-label={`Take ${one.name}`} onClick={() => setAsked({ what: 'own', alert: one })}>
                      Take…
                    </button>
                    <button type="button" class="small" aria-label={`Silence ${one.name}`} onClick={() => setAsked({ what: 'silence', alert: one })}>
                      Silence…
                    </button>
                  </span>
                ) : null,
            },
          ]}
        />
      </Panel>
      <Panel title="History">
        <DataTable
          label="Ended alerts"
          items={data.alerts.filter(ended)}
          id={(one) => `${one.id}${one.since ?? ''}`}
          empty="No alert has ended yet."
          columns={[...common, { title: 'Ended', cell: (one) => <Time at={one.ended} how="relative" /> }]}
        />
      </Panel>
      {asked?.what === 'silence' ? <Silence alert={asked.alert} onClose={close} onDone={reload} /> : null}
      {asked?.what === 'own' ? <Own alert={asked.alert} onClose={close} onDone={reload} /> : null}
    </div>
  );
}

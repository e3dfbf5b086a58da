// What is firing, since when, what to do, who has it; silence always ends by itself.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { ErrorBox, Field, PageHead, Panel, Pending, State, Time, Unready, Words } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Confirm } from '../components/dialog';
import { say } from '../components/toast';
import { duration, plural, verb } from '../format';
import { asApiError, useAction, useLoad } from '../load';
import { session, useRight } from '../session';
import { useStore } from '../store';
import type { Alert, PastAlert } from '../types_admin';

const kHours = [1, 4, 12, 24, 72];

function Silence(props: { alert: Alert; onClose: () => void; onDone: () => void }) {
  const [hours, setHours] = useState(4);
  return (
    <Confirm
      title={`Silence ${props.alert.alert}?`}
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
      title={`Who takes ${props.alert.alert}?`}
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

function Runbook(props: { runbook: string | undefined; alert: string }) {
  const { runbook, alert } = props;
  if (!runbook) return null;
  if (!/^https?:\/\//.test(runbook)) return <div class="dim">Runbook: {runbook}</div>;
  return (
    <div>
      <a class="up" href={runbook} target="_blank" rel="noreferrer noopener">
        Runbook of {alert}
      </a>
    </div>
  );
}

/** What has fired and ended, the newest first. */
function History() {
  const { data, error, loading, reload } = useLoad(() => api.alertHistory(), [], 30_000);
  const [older, setOlder] = useState<PastAlert[]>([]);
  const [next, setNext] = useState<string | number | undefined>(undefined);
  const more = useAction(async () => {
    const last = older.length > 0 ? next : data?.next;
    const page = await api.alertHistory(last);
    setOlder([...older, ...(page?.history ?? [])]);
    setNext(page?.next);
  });
  if (data === null && !loading && !error) return null;
  const isMore = older.length > 0 ? next !== undefined : data?.next !== undefined;
  return (
    <Panel title="History">
      {data ? (
        <>
          <DataTable
            label="Alerts before"
            items={[...data.history, ...older]}
            id={(one) => `${one.id} ${one.since} ${one.until ?? ''}`}
            empty="No alert has fired yet."
            columns={[
              { title: 'Level', cell: (one) => <State state={one.level} /> },
              { title: 'Alert', cell: (one) => <strong>{one.alert}</strong> },
              { title: 'Where', cell: (one) => one.subject || '–' },
              { title: 'What', cell: (one) => one.text },
              { title: 'Began', cell: (one) => <Time at={one.since} /> },
              { title: 'Ended', cell: (one) => (one.until ? <Time at={one.until} /> : <State state="firing" />) },
              { title: 'Lasted', num: true, cell: (one) => duration(((one.until ? Date.parse(one.until) : Date.now()) - Date.parse(one.since)) / 1000) },
              { title: 'Owner', cell: (one) => one.owner ?? 'nobody' },
            ]}
          />
          {isMore ? (
            <p class="body">
              <button type="button" disabled={more.busy} onClick={() => void more.run()}>
                Older
              </button>
            </p>
          ) : null}
          <ErrorBox error={more.error} />
        </>
      ) : (
        <div class="body">
          <Pending loading={loading} error={error} retry={reload} />
        </div>
      )}
    </Panel>
  );
}

export default function AlertsPage() {
  const { data, error, loading, reload } = useLoad(() => api.alerts(), [], 5000);
  const [asked, setAsked] = useState<{ what: 'silence' | 'own'; alert: Alert } | null>(null);
  const may = useRight('operate');
  const test = () => {
    api.testAlert().then(
      (done) => say(done.routes > 0 ? `A test note goes out by ${plural(done.routes, 'route')}` : 'There is no route: alert { … } in kiln.conf', done.routes > 0 ? 'ok' : 'warn'),
      (caught: unknown) => say(asApiError(caught).message, 'bad'),
    );
  };
  if (!data) return <Unready title="Alerts" loading={loading} error={error} retry={reload} />;
  const close = () => setAsked(null);
  return (
    <div class="stack">
      <PageHead title="Alerts">
        <span class="grow" />
        {may ? (
          <button type="button" class="small" onClick={test}>
            Send a test note
          </button>
        ) : null}
      </PageHead>
      <ErrorBox error={error} retry={reload} />
      <Panel title="Firing now">
        <DataTable
          label="Firing alerts"
          items={data.alerts}
          id={(one) => one.id}
          empty="Nothing is firing."
          columns={[
            { title: 'Level', cell: (one) => <State state={one.level} /> },
            { title: 'Alert', cell: (one) => <strong>{one.alert}</strong> },
            { title: 'Where', cell: (one) => <span class="nowrap">{one.subject || '–'}</span> },
            {
              title: 'What, and what to do',
              cell: (one) => (
                <>
                  <div>{one.text}</div>
                  {one.remedy ? (
                    <div class="dim">
                      You can: <Words text={one.remedy} />
                    </div>
                  ) : null}
                  <Runbook runbook={one.runbook} alert={one.alert} />
                </>
              ),
            },
            { title: 'Since', cell: (one) => <Time at={one.since} how="relative" /> },
            {
              title: 'State',
              cell: (one) => (
                <>
                  <State state={one.state} tone={one.state === 'ending' ? 'warn' : 'bad'} /> {one.flapping ? <State state="flapping" tone="warn" /> : null}
                </>
              ),
            },
            { title: 'Owner', cell: (one) => one.owner ?? 'nobody' },
            { title: 'Silent until', cell: (one) => <Time at={one.silent_until} /> },
            {
              title: '',
              cell: (one) =>
                may ? (
                  <span class="row">
                    <button type="button" class="small" aria-label={`Take ${one.alert}`} onClick={() => setAsked({ what: 'own', alert: one })}>
                      Take…
                    </button>
                    <button type="button" class="small" aria-label={`Silence ${one.alert}`} onClick={() => setAsked({ what: 'silence', alert: one })}>
                      Silence…
                    </button>
                  </span>
                ) : null,
            },
          ]}
        />
      </Panel>
      <Panel title="Who is told">
        <DataTable
          label="Routes of alerts"
          items={data.routes ?? []}
          id={(one) => one.name}
          empty="Nobody: kiln.conf has no route for alerts (a webhook or mail)."
          columns={[
            { title: 'Route', cell: (one) => <strong>{one.name}</strong> },
            { title: 'From level', cell: (one) => <State state={one.level} /> },
          ]}
        />
        {data.waiting ? <p class="body">{plural(data.waiting, 'note')} {verb(data.waiting, 'waits', 'wait')} to be sent.</p> : null}
      </Panel>
      <History />
      {asked?.what === 'silence' ? <Silence alert={asked.alert} onClose={close} onDone={reload} /> : null}
      {asked?.what === 'own' ? <Own alert={asked.alert} onClose={close} onDone={reload} /> : null}
    </div>
  );
}

// How much is logged: of every channel or of one, for a while.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Field, Panel, Pending, State, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Confirm } from '../components/dialog';
import { say } from '../components/toast';
import { plural } from '../format';
import { live } from '../live';
import { useLoad } from '../load';
import { useRight } from '../session';
import { useStore } from '../store';
import type { LogLevel } from '../types_admin';

const kLevels: { level: LogLevel['level']; text: string }[] = [
  { level: 'debug', text: 'debug: each message and attempt' },
  { level: 'info', text: 'info: what changes' },
  { level: 'warn', text: 'warn: what is not as it should be' },
  { level: 'error', text: 'error: what was lost or stopped' },
];
const kTimes = [
  { seconds: 900, text: '15 minutes' },
  { seconds: 3_600, text: '1 hour' },
  { seconds: 14_400, text: '4 hours' },
  { seconds: 86_400, text: '24 hours' },
];

const nameOf = (channel: string) => (channel === '*' ? 'every channel' : channel);

function SetLevel(props: { onClose: () => void; onDone: () => void }) {
  const { status } = useStore(live);
  const [channel, setChannel] = useState('*');
  const [level, setLevel] = useState<LogLevel['level']>('debug');
  const [seconds, setSeconds] = useState(900);
  return (
    <Confirm
      title="Log more, or less"
      text="It ends by itself. Lines hold names, numbers and codes, never what stands in a message."
      action="Set"
      reason="asked"
      onClose={props.onClose}
      onDone={props.onDone}
      run={async (reason) => {
        await api.setLogLevel({ channel, level, seconds, ...(reason ? { reason } : {}) });
        say(`${nameOf(channel)} logs from ${level} on`);
      }}
    >
      <Field label="Channel">
        {(id) => (
          <select id={id} value={channel} onChange={(event) => setChannel(event.currentTarget.value)}>
            <option value="*">every channel, and the engine itself</option>
            {(status?.channels ?? []).map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Log from">
        {(id) => (
          <select id={id} value={level} onChange={(event) => setLevel(event.currentTarget.value as LogLevel['level'])}>
            {kLevels.map((one) => (
              <option key={one.level} value={one.level}>
                {one.text}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="For">
        {(id) => (
          <select id={id} value={String(seconds)} onChange={(event) => setSeconds(Number(event.currentTarget.value))}>
            {kTimes.map((one) => (
              <option key={one.seconds} value={String(one.seconds)}>
                {one.text}
              </option>
            ))}
          </select>
        )}
      </Field>
    </Confirm>
  );
}

export function Logs() {
  const { data, error, loading, reload } = useLoad(() => api.logLevels(), [], 10_000);
  const may = useRight('operate');
  const [setting, setSetting] = useState(false);
  const [ending, setEnding] = useState<LogLevel | null>(null);
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  const everywhere = data.levels.find((one) => one.channel === '*');
  return (
    <Panel
      title="Log levels"
      tools={
        may ? (
          <button type="button" class="small primary" onClick={() => setSetting(true)}>
            Set a level…
          </button>
        ) : null
      }
    >
      <p class="body">
        {everywhere ? (
          <>
            Everything from <strong>{everywhere.level}</strong> on is logged, until <Time at={everywhere.until} how="full" />; a channel with a level of its own goes by that.
          </>
        ) : (
          <>
            Everything from <strong>info</strong> on is logged; a channel can have a level of its own for a while.
          </>
        )}
      </p>
      <DataTable
        label="Levels for a while"
        items={data.levels}
        id={(one) => one.channel}
        empty="No channel has a level of its own."
        columns={[
          { title: 'Channel', cell: (one) => <strong>{nameOf(one.channel)}</strong> },
          { title: 'Logs from', cell: (one) => <State state={one.level} tone={one.level === 'debug' ? 'info' : one.level === 'info' ? 'ok' : 'warn'} /> },
          { title: 'Until', cell: (one) => <Time at={one.until} how="full" /> },
          { title: 'Ends', cell: (one) => <Time at={one.until} how="relative" /> },
          ...(may
            ? [
                {
                  title: '',
                  cell: (one: LogLevel) => (
                    <button type="button" class="small" aria-label={`End the level of ${nameOf(one.channel)}`} onClick={() => setEnding(one)}>
                      End now…
                    </button>
                  ),
                },
              ]
            : []),
        ]}
      />
      <p class="body dim">
        {data.dropped > 0
          ? `${plural(data.dropped, 'line')} lost since the start: nobody read the log fast enough.`
          : 'No line was lost since the start.'}
      </p>
      {setting ? <SetLevel onClose={() => setSetting(false)} onDone={reload} /> : null}
      {ending ? (
        <Confirm
          title={`End the level of ${nameOf(ending.channel)}?`}
          text="It logs as before from now on."
          action="End now"
          onClose={() => setEnding(null)}
          onDone={reload}
          run={async () => {
            await api.setLogLevel({ channel: ending.channel, level: ending.level, seconds: 0 });
          }}
        />
      ) : null}
    </Panel>
  );
}

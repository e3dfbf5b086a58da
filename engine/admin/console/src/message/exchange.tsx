// What each destination was sent and what it answered, side by side; and the difference of any two texts of the message.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { BodyText, prettyText } from '../components/body_text';
import { ErrorBox, Panel, State } from '../components/basics';
import { DiffView } from '../components/diff_view';
import { diffLines, type DiffLine } from '../diff';
import { useAction } from '../load';
import type { Message, Output } from '../types';

function OneExchange(props: { id: number; output: Output }) {
  const { id, output } = props;
  const { sent, reply } = output;
  return (
    <div class="columns">
      <Panel
        title={
          <>
            Sent to <span class="mono">{output.destination}</span>
          </>
        }
        tools={sent?.from === 'derived' ? <State state="info" text={sent.same === false ? 'made again: differs from what was sent' : 'made again by the map'} tone={sent.same === false ? 'warn' : 'info'} /> : null}
      >
        {sent?.available ? (
          <BodyText label={`Sent to ${output.destination}`} depends={[id, output.destination]} load={(offset, limit) => api.output(id, output.destination, 'sent', offset, limit)} />
        ) : (
          <p class="body dim">{sent?.why ?? 'Nothing was kept of what was sent.'}</p>
        )}
      </Panel>
      <Panel
        title={
          <>
            Answer of <span class="mono">{output.destination}</span>
          </>
        }
        tools={<State state={output.state} />}
      >
        {reply?.available ? (
          <BodyText label={`Answer of ${output.destination}`} depends={[id, output.destination]} load={(offset, limit) => api.output(id, output.destination, 'reply', offset, limit)} />
        ) : (
          <p class="body dim">{output.state === 'pending' || output.state === 'retrying' ? 'No answer yet.' : 'This destination gave no answer.'}</p>
        )}
      </Panel>
    </div>
  );
}

interface Source {
  name: string;
  load: () => Promise<string>;
}

function Compare(props: { sources: Source[] }) {
  const { sources } = props;
  const [left, setLeft] = useState(0);
  const [right, setRight] = useState(Math.min(1, sources.length - 1));
  const [lines, setLines] = useState<DiffLine[] | null>(null);
  const { run, busy, error } = useAction(async () => {
    const [a, b] = await Promise.all([sources[left]?.load(), sources[right]?.load()]);
    setLines(diffLines(prettyText(a ?? ''), prettyText(b ?? '')));
  });
  const select = (label: string, value: number, set: (n: number) => void) => (
    <select
      aria-label={label}
      value={value}
      onChange={(event) => {
        setLines(null);
        set(Number(event.currentTarget.value));
      }}
    >
      {sources.map((one, n) => (
        <option key={n} value={n}>
          {one.name}
        </option>
      ))}
    </select>
  );
  return (
    <Panel title="Compare">
      <div class="row body">
        {select('First text', left, setLeft)} with {select('Second text', right, setRight)}
        <button type="button" disabled={busy} onClick={() => void run()}>
          Compare
        </button>
      </div>
      <ErrorBox error={error} />
      {lines ? <DiffView lines={lines} label="Difference" /> : null}
    </Panel>
  );
}

const kCompareMax = 262_144; // bytes of each text that are compared

export function Exchange(props: { message: Message; outputs: Output[] }) {
  const { message, outputs } = props;
  const text = async (page: Promise<{ text?: string }>) => (await page).text ?? '';
  const sentOf = (id: number, destination: string) => () => text(api.output(id, destination, 'sent', 0, kCompareMax));
  const relatives = [...(message.related?.replays ?? []), ...(message.replay_of ? [message.replay_of] : []), ...(message.edited_from ? [message.edited_from] : [])];
  const sources: Source[] = [
    { name: 'received', load: () => text(api.body(message.id, 0, kCompareMax)) },
    ...outputs.filter((one) => one.sent?.available).map((one) => ({ name: `sent to ${one.destination}`, load: sentOf(message.id, one.destination) })),
    ...outputs.filter((one) => one.reply?.available).map((one) => ({ name: `answer of ${one.destination}`, load: () => text(api.output(message.id, one.destination, 'reply', 0, kCompareMax)) })),
    { name: 'what the map makes now', load: async () => (await api.lineage(message.id)).output ?? '' },
    ...relatives.flatMap((id) => [
      { name: `message ${id}: received`, load: () => text(api.body(id, 0, kCompareMax)) },
      ...outputs.map((one) => ({ name: `message ${id}: sent to ${one.destination}`, load: sentOf(id, one.destination) })),
    ]),
  ];
  return (
    <div class="stack">
      {outputs.map((one) => (
        <OneExchange key={one.destination} id={message.id} output={one} />
      ))}
      <Compare sources={sources} />
    </div>
  );
}

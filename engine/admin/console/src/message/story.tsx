// Why the message is where it is, what happened to it, and where it went: from records only, without its content.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Panel, Pending, State, Time, Words } from '../components/basics';
import { millis, once } from '../format';
import { useAction, useLoad, type Loaded } from '../load';
import { link } from '../router';
import { useRight } from '../session';
import type { Message, Output, Why } from '../types';
import { ErrorBox } from '../components/basics';
import { say } from '../components/toast';

interface Run<T> {
  first: T;
  last: T;
  count: number;
}

/** Equal ones that follow each other become one, with their number. */
function fold<T>(items: T[], key: (item: T) => string): Run<T>[] {
  const out: Run<T>[] = [];
  for (const item of items) {
    const run = out.at(-1);
    if (run && key(run.first) === key(item)) {
      run.last = item;
      run.count += 1;
    } else out.push({ first: item, last: item, count: 1 });
  }
  return out;
}

/** A detail that begins with the code does not say it again. */
function detailOf(code: string | undefined, detail: string | undefined): string {
  const text = once(detail ?? '');
  return code && text.startsWith(`${code}: `) ? text.slice(code.length + 2) : text;
}

function NextStep(props: { why: Why; message: Message; onReplay: () => void; onEdit: () => void }) {
  const { why } = props;
  const operate = useRight('operate');
  const replay = useRight('replay');
  const { run, busy, error } = useAction(async () => {
    const blocked = props.message.destinations.find((one) => one.state === 'pending' || one.state === 'retrying' || one.in_doubt);
    if (!blocked) return;
    await api.destinationAction(blocked.destination, 'retry-now');
    say(`${blocked.destination}: tries now`);
  });
  const buttonFor: Record<string, { may: boolean; label: string; act: () => void }> = {
    replay: { may: replay, label: 'Replay…', act: props.onReplay },
    edit: { may: replay, label: 'Edit and resend…', act: props.onEdit },
    'retry-now': { may: operate, label: 'Try now', act: () => void run() },
  };
  return (
    <>
      <ul class="stack tight">
        {(why.can ?? []).map((one, n) => {
          const button = one.action ? buttonFor[one.action] : undefined;
          return (
            <li key={n} class="row">
              {button?.may ? (
                <button type="button" class="small" disabled={busy} onClick={button.act}>
                  {button.label}
                </button>
              ) : null}
              {one.action === 'release' ? (
                <a class="button small" href={link('quarantine')}>
                  Quarantine
                </a>
              ) : null}
              <span>{one.text}</span>
              {one.command ? <code class="dim">{one.command}</code> : null}
            </li>
          );
        })}
      </ul>
      <ErrorBox error={error} />
    </>
  );
}

export function WhyPanel(props: { id: number; message: Message; onReplay: () => void; onEdit: () => void }) {
  const { data, error, loading, reload } = useLoad(() => api.why(props.id), [props.id], 10_000);
  return (
    <Panel title="Why">
      <div class="body stack tight">
        {data ? null : <Pending loading={loading} error={error} retry={reload} />}
        {data ? (
          <>
            <p>
              <State state={data.state} />{' '}
              {data.since ? (
                <span class="dim">
                  since <Time at={data.since} />
                </span>
              ) : null}
            </p>
            {data.text.map((sentence, n) => (
              <p key={n} class="wrap">
                <Words text={once(sentence)} />
              </p>
            ))}
            {data.doing ? (
              <p>
                <strong>Kiln:</strong> {data.doing}
                {data.next_try ? (
                  <>
                    ; the next try is <Time at={data.next_try} how="relative" />
                  </>
                ) : data.next ? (
                  `; ${data.next}`
                ) : (
                  ''
                )}
              </p>
            ) : null}
            {data.can && data.can.length > 0 ? <h3>You can</h3> : null}
            <NextStep why={data} message={props.message} onReplay={props.onReplay} onEdit={props.onEdit} />
            <h3>Its way</h3>
            <ol class="steps">
              {fold(data.steps, (one) => `${one.what}${one.text.replace(/\d+/, '')}`).map(({ first, last, count }, n) => (
                <li key={n}>
                  <span class="dim">{first.what}</span> <Words text={once(count > 1 ? last.text : first.text)} /> {first.place ? <code class="dim">{first.place}</code> : null}
                  {count > 1 ? <span class="dim"> and {count - 1} before it, the same way</span> : null}
                </li>
              ))}
            </ol>
          </>
        ) : null}
      </div>
    </Panel>
  );
}

export function Timeline(props: { id: number }) {
  const { data, error, loading, reload } = useLoad(() => api.timeline(props.id), [props.id]);
  const [all, setAll] = useState(false);
  const runs = fold(data?.events ?? [], (one) => (all ? String(Math.random()) : `${one.what}|${one.destination}|${one.code}|${one.text?.replace(/\d+/, '')}`));
  const isFolded = all || runs.length < (data?.events.length ?? 0);
  return (
    <Panel
      title="Timeline"
      tools={
        isFolded ? (
          <button type="button" class="small" aria-pressed={all} onClick={() => setAll(!all)}>
            {all ? 'Fold what repeats' : `Show all ${data?.events.length ?? 0}`}
          </button>
        ) : null
      }
    >
      {data ? (
        <div class="table-box">
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">What</th>
                <th scope="col">Where</th>
                <th scope="col">Detail</th>
                <th scope="col" class="num">Took</th>
              </tr>
            </thead>
            <tbody>
              {runs.map(({ first: one, last, count }, n) => (
                <tr key={n}>
                  <td>
                    <Time at={one.at} />
                    {count > 1 ? (
                      <span class="dim">
                        {' '}
                        to <Time at={last.at} />, {count} times
                      </span>
                    ) : null}
                  </td>
                  <td>{one.what}</td>
                  <td>{one.destination}</td>
                  <td class="wrap">
                    {detailOf(one.code, one.text)} {one.code ? <strong>{one.code}</strong> : null}
                  </td>
                  <td class="num">{one.ms === undefined || count > 1 ? '' : millis(one.ms)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div class="body">
          <Pending loading={loading} error={error} retry={reload} />
        </div>
      )}
    </Panel>
  );
}

function Tries(props: { output: Output }) {
  const tries = props.output.tries ?? [];
  if (tries.length === 0) return null;
  return (
    <ol class="steps">
      {fold(tries, (one) => `${one.code}|${one.detail}|${one.in_doubt}`).map(({ first, last, count }) => (
        <li key={first.n}>
          {count > 1 ? <strong>{count} times, </strong> : null}
          <Time at={first.at} />
          {count > 1 ? (
            <>
              {' '}
              to <Time at={last.at} />
            </>
          ) : null}{' '}
          {first.code ? <strong>{first.code}</strong> : null} {detailOf(first.code, first.detail)} {first.ms === undefined || count > 1 ? '' : millis(first.ms)} {first.in_doubt ? <State state="in_doubt" /> : null}
        </li>
      ))}
    </ol>
  );
}

export function Destinations(props: { outputs: Loaded<{ outputs: Output[] }> }) {
  const { data, error, loading, reload } = props.outputs;
  return (
    <Panel title="Destinations">
      {data ? (
        <ul>
          {data.outputs.map((one) => (
            <li key={one.destination} class="body line">
              <div class="row">
                <State state={one.state} />
                <strong class="wrap">{one.destination}</strong>
                {one.code ? <span class="mono">{one.code}</span> : null}
                {one.attempts ? <span class="dim">{one.attempts === 1 ? '1 attempt' : `${one.attempts} attempts`}</span> : null}
                {one.updated ? <Time at={one.updated} /> : null}
              </div>
              {one.detail && (one.tries ?? []).length === 0 ? <p class="wrap">{detailOf(one.code, one.detail)}</p> : null}
              <Tries output={one} />
            </li>
          ))}
          {data.outputs.length === 0 ? <li class="body dim">Nothing was made for any destination.</li> : null}
        </ul>
      ) : (
        <div class="body">
          <Pending loading={loading} error={error} retry={reload} />
        </div>
      )}
    </Panel>
  );
}

export function Family(props: { id: number }) {
  const { data } = useLoad(() => api.trace(props.id), [props.id]);
  const others = data?.messages.filter((one) => one.id !== props.id) ?? [];
  if (others.length === 0) return null;
  return (
    <Panel title="Related messages">
      <div class="table-box">
        <table>
          <tbody>
            {others.map((one) => (
              <tr key={one.id}>
                <td>{one.relation}</td>
                <td>
                  <a href={link('message', [one.id])}>{one.id}</a>
                </td>
                <td>
                  <Time at={one.received} />
                </td>
                <td>{one.channel}</td>
                <td>{one.type}</td>
                <td>
                  <State state={one.state} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

// Small parts that every page is made of.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { fullTime, relative, shortTime } from '../format';

export type Tone = 'ok' | 'warn' | 'bad' | 'idle' | 'info';

const kSigns: Record<Tone, string> = { ok: '✓', warn: '!', bad: '✕', idle: '–', info: '•' };

const kTones: Record<string, Tone> = {
  // channels, destinations, connections
  running: 'ok', up: 'ok', paused: 'warn', draining: 'warn', connecting: 'warn', blocked: 'bad', down: 'bad', stopped: 'idle', disabled: 'idle',
  // messages
  sent: 'ok', accepted: 'ok', done: 'ok', delivered: 'ok', pending: 'info', queued: 'info', retrying: 'warn', in_doubt: 'warn', filtered: 'idle',
  quarantined: 'bad', rejected: 'bad', expired: 'bad', removed: 'idle', dropped: 'idle', released: 'idle', failed: 'bad',
  // alerts, jobs, audit, findings
  firing: 'bad', resolved: 'ok', ended: 'ok', silenced: 'idle', page: 'bad', warn: 'warn', warning: 'warn', bad: 'bad', error: 'bad', note: 'info',
  info: 'info', ok: 'ok', refused: 'bad', cancelled: 'idle', finished: 'ok', passed: 'ok', pass: 'ok', fail: 'bad',
};

/** A state: colour, sign and word. */
export function State(props: { state: string; tone?: Tone; text?: string }) {
  const tone = props.tone ?? kTones[props.state] ?? 'idle';
  return (
    <span class={`badge ${tone}`}>
      <span aria-hidden="true">{kSigns[tone]}</span>
      {props.text ?? props.state.replaceAll('_', ' ')}
    </span>
  );
}

/** Local time with its offset and UTC in the title. */
export function Time(props: { at?: string | undefined; how?: 'short' | 'full' | 'relative' }) {
  const [, tick] = useState(0);
  const isRelative = props.how === 'relative';
  useEffect(() => {
    if (!isRelative) return undefined;
    const timer = setInterval(() => tick((n) => n + 1), 5000);
    return () => clearInterval(timer);
  }, [isRelative]);
  if (!props.at) return <span class="dim">–</span>;
  const text = isRelative ? relative(props.at) : props.how === 'full' ? fullTime(props.at) : shortTime(props.at);
  return (
    <time class="nowrap" dateTime={props.at} title={`${fullTime(props.at)}  (UTC ${props.at})`}>
      {text}
    </time>
  );
}

export function ErrorBox(props: { error: ApiError | null; retry?: () => void }) {
  const { error } = props;
  if (!error) return null;
  return (
    <div class="message-box bad" role="alert">
      <div>
        <strong>
          <Words text={error.message} />
        </strong>
        {error.place ? <span class="mono"> {error.place}</span> : null}
      </div>
      {error.remedy ? (
        <div>
          <Words text={error.remedy} />
        </div>
      ) : null}
      <div class="row dim">
        <span>{error.code}</span>
        {props.retry ? (
          <button type="button" class="small" onClick={props.retry}>
            Try again
          </button>
        ) : null}
      </div>
    </div>
  );
}

export function Empty(props: { children: ComponentChildren }) {
  return <div class="empty">{props.children}</div>;
}

export function Panel(props: { title?: ComponentChildren; tools?: ComponentChildren; children: ComponentChildren; class?: string; label?: string }) {
  return (
    <section class={`panel ${props.class ?? ''}`} {...(props.label ? { 'aria-label': props.label } : {})}>
      {props.title || props.tools ? (
        <header>
          {props.title ? <h2>{props.title}</h2> : null}
          <span class="grow" />
          {props.tools}
        </header>
      ) : null}
      {props.children}
    </section>
  );
}

export function PageHead(props: { title: ComponentChildren; children?: ComponentChildren }) {
  return (
    <div class="page-head">
      <h1>{props.title}</h1>
      {props.children}
    </div>
  );
}

/** A sentence of the engine: what stands between back quotes is code. */
export function Words(props: { text: string }) {
  return (
    <>
      {props.text.split('`').map((part, n) => (n % 2 === 1 ? <code key={n}>{part}</code> : part))}
    </>
  );
}

/** A page before its first answer, and when there is none: it keeps its title. */
export function Unready(props: { title: ComponentChildren; loading: boolean; error: ApiError | null; retry: () => void }) {
  return (
    <div class="stack">
      <PageHead title={props.title} />
      <Pending loading={props.loading} error={props.error} retry={props.retry} />
    </div>
  );
}

/** What a page shows before its first answer, and when there is none. */
export function Pending(props: { loading: boolean; error: ApiError | null; retry?: () => void }) {
  if (props.error) return <ErrorBox error={props.error} {...(props.retry ? { retry: props.retry } : {})} />;
  return props.loading ? (
    <p class="dim" role="status">
      Loading…
    </p>
  ) : null;
}

let fieldNumber = 0;

export function Field(props: { label: string; hint?: ComponentChildren; children: (id: string) => ComponentChildren }) {
  const [id] = useState(() => `field-${++fieldNumber}`);
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.children(id)}
      {props.hint ? <span class="hint">{props.hint}</span> : null}
    </div>
  );
}

export function Check(props: { label: ComponentChildren; checked: boolean; onChange: (checked: boolean) => void; disabled?: boolean }) {
  return (
    <label class="check">
      <input type="checkbox" checked={props.checked} disabled={props.disabled ?? false} onChange={(event) => props.onChange(event.currentTarget.checked)} />
      <span>{props.label}</span>
    </label>
  );
}

/** Curves of one row: shape only, the numbers stand beside it. */
export function Spark(props: { values: number[]; label: string }) {
  const { values } = props;
  if (values.length < 2) return <span class="dim">–</span>;
  const top = Math.max(...values, 0.0001);
  const step = 96 / (values.length - 1);
  const path = values.map((value, n) => `${n === 0 ? 'M' : 'L'}${(n * step).toFixed(1)} ${(19 - (value / top) * 18).toFixed(1)}`).join('');
  return (
    <svg class="spark" viewBox="0 0 96 20" preserveAspectRatio="none" role="img" aria-label={props.label}>
      <path d={path} />
    </svg>
  );
}

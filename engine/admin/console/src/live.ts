// The live state of the engine: one event stream, merged into one status; and how old what stands on the screen is.
import { ApiError, api, inBackground } from './api';
import { say } from './components/toast';
import { askSession } from './session';
import { Store } from './store';
import type { Delta, History, Status, Trend } from './types';

export interface Live {
  status: Status | null;
  at: number; // of the last sign of life, by this browser's clock, ms
  stale: boolean;
}

const kStaleMs = 5000; // the engine speaks every second
const kRetryMs = 2000;
const kPoints = 180;

export const live = new Store<Live>({ status: null, at: 0, stale: true });
export const firing = new Store<number>(0); // alerts, for the navigation
export const trends = new Store<Map<string, Trend>>(new Map());
let source: EventSource | null = null;
let timer = 0;

function merge(status: Status, delta: Delta): Status {
  const changed = new Map((delta.channels ?? []).map((one) => [one.name, one]));
  const gone = new Set(delta.gone ?? []);
  const channels = status.channels.filter((one) => !gone.has(one.name)).map((one) => changed.get(one.name) ?? one);
  const known = new Set(channels.map((one) => one.name));
  for (const [name, one] of changed) if (!known.has(name)) channels.push(one);
  return {
    ...status,
    now: delta.now,
    verdict: delta.verdict ?? status.verdict,
    problems: delta.problems ?? status.problems,
    ...(delta.totals ? { totals: delta.totals } : {}),
    ...(delta.disk ? { disk: delta.disk } : {}),
    channels,
  };
}

/** Messages a second to each "channel/destination", over the last ten seconds or so. */
export const outflow = new Store<ReadonlyMap<string, number>>(new Map());
let lastTrend = 0;
let base = new Map<string, { received: number; sent: number }>();
let baseOut = new Map<string, number>();

/** One point each 10 s of what came and went, for the small curves. */
function addTrend(status: Status): void {
  const now = Date.parse(status.now);
  if (now - lastTrend < 10_000) return;
  const next = new Map(trends.value);
  const seconds = lastTrend === 0 ? 0 : (now - lastTrend) / 1000;
  const fresh = new Map<string, { received: number; sent: number }>();
  for (const channel of status.channels) {
    const before = base.get(channel.name);
    fresh.set(channel.name, { received: channel.received, sent: channel.sent });
    if (!before || seconds === 0) continue;
    const old = next.get(channel.name) ?? { received: [], sent: [], p50: [], p99: [] };
    const add = (list: number[], value: number) => [...list.slice(1 - kPoints), value];
    next.set(channel.name, {
      received: add(old.received, Math.max(0, channel.received - before.received) / seconds),
      sent: add(old.sent, Math.max(0, channel.sent - before.sent) / seconds),
      p50: add(old.p50, channel.latency_ms?.p50 ?? 0),
      p99: add(old.p99, channel.latency_ms?.p99 ?? 0),
    });
  }
  const out = new Map(status.channels.flatMap((channel) => channel.destinations.map((one) => [`${channel.name}/${one.name}`, one.sent] as const)));
  if (seconds > 0) outflow.set(new Map([...out].flatMap(([name, sent]) => (baseOut.has(name) ? [[name, Math.max(0, sent - (baseOut.get(name) ?? 0)) / seconds] as const] : []))));
  baseOut = out;
  lastTrend = now;
  base = fresh;
  trends.set(next);
}

function keep(status: Status): void {
  addTrend(status);
  live.set({ status, at: Date.now(), stale: false });
}

function onDelta(text: string): void {
  const { status } = live.value;
  if (status) keep(merge(status, JSON.parse(text) as Delta));
}

function onAlert(text: string): void {
  const note = JSON.parse(text) as { name?: string; state?: string; text?: string };
  const ended = note.state === 'end';
  void countAlerts();
  say(`${ended ? 'Over: ' : 'Alert: '}${note.name ?? ''} ${note.text ?? ''}`, ended ? 'ok' : 'bad');
}

async function countAlerts(): Promise<void> {
  try {
    firing.set((await inBackground(() => api.alerts())).alerts.length);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // it stands on the page of alerts
  }
}

/** The whole state, at each connect: what happened while there was no stream is in it, and the curves are asked for again. */
function onStatus(text: string): void {
  const gap = live.value.at > 0 && Date.now() - live.value.at > kStaleMs;
  if (gap) {
    lastTrend = 0;
    void loadTrends(true);
  }
  void countAlerts();
  keep(JSON.parse(text) as Status);
}

function open(): void {
  source = new EventSource(api.eventsUrl);
  source.addEventListener('status', (event) => onStatus(String(event.data)));
  source.addEventListener('delta', (event) => onDelta(String(event.data)));
  source.addEventListener('alert', (event) => onAlert(String(event.data)));
  source.addEventListener('error', () => {
    // The browser tries again by itself, but not after an answer that is no stream, such as 401.
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    setTimeout(() => void reopen(), kRetryMs);
  });
}

async function reopen(): Promise<void> {
  if (source || timer === 0) return;
  try {
    await inBackground(askSession);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    setTimeout(() => void reopen(), kRetryMs);
    return;
  }
  if (timer !== 0) open();
}

function readHistory(history: History): Map<string, Trend> {
  const aSecond = (list: (number | null)[]) => list.map((one) => (one ?? 0) / history.step_seconds);
  const whole = (list: (number | null)[] = []) => list.map((one) => one ?? 0);
  return new Map(
    Object.entries(history.channels).map(([name, one]) => [name, { received: aSecond(one.received), sent: aSecond(one.sent), p50: whole(one.p50), p99: whole(one.p99) }]),
  );
}

async function loadTrends(anew = false): Promise<void> {
  try {
    const history = await inBackground(() => api.history(30));
    if (anew || trends.value.size === 0) trends.set(readHistory(history));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // the curves begin with what comes now
  }
}

/** Does not wait for the next try of the browser. */
export function reconnect(): void {
  source?.close();
  source = null;
  void reopen();
}

export function startLive(): void {
  if (timer !== 0) return;
  timer = window.setInterval(() => {
    const { at, stale, status } = live.value;
    if (!stale && Date.now() - at > kStaleMs) live.set({ status, at, stale: true });
  }, 1000);
  void loadTrends();
  open();
}

export function stopLive(): void {
  clearInterval(timer);
  timer = 0;
  source?.close();
  source = null;
  live.set({ status: null, at: 0, stale: true });
}

// The one place that speaks to the engine: the admin API, /api/v1. Every answer is typed; an error is an ApiError.
import { parseExact } from './fhir/exact_json';
import type * as T from './types';
import type * as A from './types_admin';

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    text: string,
    readonly place?: string,
    readonly remedy?: string,
  ) {
    super(text);
  }
}

const kBase = '/api/v1';
let csrf = '';
let user: string | null = null;
let onLoginNeeded: () => void = () => undefined;

/** Called when an answer says that the session has ended. */
export function whenLoginNeeded(action: () => void): void {
  onLoginNeeded = action;
}

let background = false;

/** Asks without the person having done anything: that does not keep the session alive. */
export function inBackground<T>(ask: () => T): T {
  background = true;
  try {
    return ask();
  } finally {
    background = false;
  }
}

type Query = Record<string, string | number | boolean | undefined>;

export function queryText(query: Query): string {
  const pairs = Object.entries(query)
    .filter((pair): pair is [string, string | number | boolean] => pair[1] !== undefined && pair[1] !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return pairs.length > 0 ? `?${pairs.join('&')}` : '';
}

async function send(method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (background) headers['X-Kiln-Background'] = '1';
  if (method !== 'GET') headers['X-Kiln-CSRF'] = csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  try {
    return await fetch(path, {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'offline', 'Kiln does not answer', undefined, 'Is the engine running? The console tries again by itself.');
  }
}

async function readError(response: Response): Promise<ApiError> {
  const wait = response.headers.get('Retry-After');
  const remedy = wait ? `Try again in ${wait} s.` : undefined;
  try {
    const body = (await response.json()) as { error?: { code: string; text: string; place?: string; remedy?: string } };
    if (body.error) {
      const { code, text, place } = body.error;
      return new ApiError(response.status, code, text, place, body.error.remedy ?? remedy);
    }
  } catch {
    // Not JSON: a proxy, or an engine that is going down.
  }
  return new ApiError(response.status, `http-${response.status}`, `Kiln answered ${response.status}`, undefined, remedy);
}

async function call<R>(method: string, path: string, body?: unknown): Promise<R> {
  let response = await send(method, kBase + path, body);
  if (response.status === 403 && method !== 'GET' && (await readError(response.clone())).code === 'csrf-refused') {
    await renewCsrf();
    response = await send(method, kBase + path, body);
  }
  if (!response.ok) {
    const error = await readError(response);
    if (error.code === 'login-needed') onLoginNeeded();
    throw error;
  }
  return (await response.json()) as R;
}

/** Another tab has logged in anew: its session is this browser's. Of the same person it is taken over, of another it is not. */
async function renewCsrf(): Promise<void> {
  const fresh = (await (await send('GET', `${kBase}/session`)).json()) as T.Session;
  if (fresh.user === user) {
    csrf = fresh.csrf ?? '';
    return;
  }
  onLoginNeeded();
  throw new ApiError(403, 'another-login', 'Another account has logged in in this browser', undefined, 'Nothing was done. Reload the page to go on as that account.');
}

const get = <R>(path: string, query: Query = {}) => call<R>('GET', path + queryText(query));
const post = <R>(path: string, body: unknown = {}) => call<R>('POST', path, body);
const part = encodeURIComponent;

/** "channel/destination" as two parts of a path. */
function parts(destination: string): string {
  return destination.split('/').map(part).join('/');
}

async function keepCsrf(answer: Promise<T.Session>): Promise<T.Session> {
  const session = await answer;
  csrf = session.csrf ?? '';
  user = session.user;
  return session;
}

/** A resource of the FHIR store; `path` is what follows the base, e.g. "Patient?name=x". */
async function fhir(path: string, body?: unknown): Promise<{ status: number; json: T.Json }> {
  const response = await send(body === undefined ? 'GET' : 'POST', `${kBase}/fhir/${path}`, body);
  const text = await response.text();
  if (response.status === 401) onLoginNeeded();
  try {
    return { status: response.status, json: parseExact(text) };
  } catch {
    throw new ApiError(response.status, `http-${response.status}`, `the FHIR API answered ${response.status}`);
  }
}

export const api = {
  // account
  session: () => keepCsrf(get<T.Session>('/session')),
  setup: (body: { token: string; user: string; name: string; password: string }) => keepCsrf(post<T.Session>('/setup', body)),
  logIn: async (body: { user: string; password: string; code?: string }) => {
    const answer = await post<T.Session & { code_needed?: boolean }>('/session', body);
    if (answer.code_needed) return 'code-needed' as const;
    return keepCsrf(Promise.resolve(answer as T.Session));
  },
  logOff: () => call<unknown>('DELETE', '/session'),
  changePassword: (old: string, fresh: string) => post<unknown>('/session/password', { old, new: fresh }),
  enrolTotp: () => post<{ secret: string; uri: string }>('/session/totp'),
  confirmTotp: (code: string) => call<unknown>('PUT', '/session/totp', { code }),
  removeTotp: (password: string) => call<unknown>('DELETE', '/session/totp', { password }),
  breakGlass: (reason: string) => post<{ until: string }>('/session/break-glass', { reason }),
  savedQueries: () => get<{ queries: A.SavedQuery[] }>('/session/queries'),
  saveQueries: (queries: A.SavedQuery[]) => call<unknown>('PUT', '/session/queries', { queries }),

  // dashboard
  status: () => get<T.Status>('/status'),
  history: (minutes: number, channel?: string) => get<T.History>('/history', { minutes, channel }),
  eventsUrl: `${kBase}/events`,
  channelAction: (name: string, action: string, reason?: string) =>
    post<{ state?: string; resumed?: number }>(`/channels/${part(name)}/${action}`, reason ? { reason } : {}),
  destinationAction: (destination: string, action: string) =>
    post<{ state?: string; resumed?: boolean }>(`/destinations/${parts(destination)}/${action}`),

  // messages
  queryTerms: () => get<{ terms: A.QueryTerm[] }>('/query/terms'),
  search: (q: string, before?: number, limit = 100) => get<T.SearchAnswer>('/messages', { q, before, limit }),
  message: (id: number) => get<T.Message>(`/messages/${id}`),
  body: (id: number, offset: number, limit: number) => get<T.BodyPage>(`/messages/${id}/body`, { offset, limit }),
  rawUrl: (id: number) => `${kBase}/messages/${id}/raw`,
  segments: (id: number, offset: number, limit: number) => get<T.SegmentsAnswer>(`/messages/${id}/segments`, { offset, limit }),
  tree: (id: number) => get<{ structure?: string; items: T.TreeItem[] }>(`/messages/${id}/tree`),
  outputs: (id: number) => get<{ outputs: T.Output[] }>(`/messages/${id}/outputs`),
  output: (id: number, destination: string, what: 'sent' | 'reply', offset: number, limit: number) =>
    get<T.BodyPage>(`/messages/${id}/outputs/${parts(destination)}/${what}`, { offset, limit }),
  timeline: (id: number) => get<{ events: T.TimelineEvent[] }>(`/messages/${id}/timeline`),
  lineage: (id: number, map?: string) => get<T.Lineage>(`/messages/${id}/lineage`, { map }),
  why: (id: number) => get<T.Why>(`/messages/${id}/why`),
  trace: (id: number) => get<T.Trace>(`/messages/${id}/trace`),
  checkEdit: (id: number, body: string) => post<T.EditCheck>(`/messages/${id}/check`, { body }),
  resend: (id: number, body: { body: string; reason: string; to: string[]; replaces: boolean }) =>
    post<{ new_id?: number; verdict: string }>(`/messages/${id}/resend`, body),
  exportUrl: (q: string) => `${kBase}/export${queryText({ q })}`,

  // replay and quarantine
  replay: (body: T.ReplayRequest) => post<T.ReplayAnswer>('/replay', body),
  jobs: () => get<{ jobs: T.ReplayJob[] }>('/replay/jobs'),
  startJob: ({ dry_run: _dry, confirm: _typed, limit: _most, ...body }: T.ReplayRequest) => post<T.ReplayJob>('/replay/jobs', body),
  jobAction: (id: number | string, action: string) => post<unknown>(`/replay/jobs/${id}/${action}`),
  quarantine: () => get<{ groups: T.QuarantineGroup[]; open: number }>('/quarantine'),
  quarantineItems: (group: T.QuarantineGroup, before?: number) =>
    get<{ items: T.QuarantineItem[]; next?: number }>('/quarantine/items', {
      channel: group.channel,
      destination: group.destination,
      code: group.code,
      before,
      limit: 100,
    }),
  quarantineAction: (
    action: 'release' | 'resolve' | 'drop' | 'assign' | 'note',
    body: { ids?: number[]; query?: string; destination?: string; reason?: string; owner?: string; note?: string; dry_run?: boolean },
  ) => post<T.BulkAnswer>(`/quarantine/${action}`, body),

  // configuration
  site: () => get<A.Site>('/site'),
  connections: () => get<{ connections: A.Connection[] }>('/connections'),
  configFiles: () => get<{ files: { path: string; size: number }[] }>('/config/files'),
  configFile: (path: string) => get<{ path: string; text: string }>('/config/file', { path }),
  configCheck: () => get<A.ConfigCheck>('/config/check'),
  configDiff: () => get<A.ConfigDiff>('/config/diff'),
  configApply: (reason: string, dryRun: boolean) => post<A.Applied>('/config/apply', { reason, dry_run: dryRun }),
  configHistory: () => get<{ versions: A.ConfigVersion[] }>('/config/history'),
  configRollback: (version: string, reason: string, dryRun: boolean) =>
    post<A.Applied>('/config/rollback', { version, reason, dry_run: dryRun }),

  // playground
  playground: () => get<A.PlaygroundFiles>('/playground'),
  sample: (path: string) => get<{ path?: string; text: string }>('/playground/sample', { path }),
  runMap: (body: { map: string; sample: string; files?: Record<string, string> }) => post<T.Lineage>('/playground/run', body),
  runTests: (body: { files?: Record<string, string>; filter?: string }) => post<A.TestAnswer>('/playground/test', body),
  lsp: (body: { session?: string; messages: A.LspMessage[] }) =>
    post<{ session: string; messages: A.LspMessage[] }>('/playground/lsp', body),

  fhir,

  // running it
  certificates: () => get<{ certificates: T.Certificate[] }>('/certificates'),
  storage: () => get<A.Storage>('/storage'),
  prune: (body: { dry_run: boolean; confirm?: boolean; reason?: string }) => post<A.Pruned>('/storage/prune', body),
  backup: (folder: string, reason: string) => post<A.Backup>('/storage/backup', { folder, reason }),
  logLevels: () => get<A.LogLevels>('/log'),
  setLogLevel: (body: { channel: string; level: A.LogLevel['level']; seconds: number; reason?: string }) => post<A.LogLevels>('/log', body),
  alerts: () => get<A.Alerts>('/alerts'),
  alertHistory: async (before?: string | number) => {
    try {
      return await get<{ history: A.PastAlert[]; next?: string | number }>('/alerts/history', { limit: 50, before });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null; // an engine that keeps none
      throw error;
    }
  },
  testAlert: () => post<{ routes: number }>('/alerts/test'),
  silenceAlert: (id: string, until: string) => post<unknown>(`/alerts/${part(id)}/silence`, { until }),
  ownAlert: (id: string, owner: string) => post<unknown>(`/alerts/${part(id)}/own`, { owner }),
  audit: (query: { before?: number; user?: string; action?: string; outcome?: string }) =>
    get<A.AuditPage>('/audit', { limit: 100, ...query }),
  verifyAudit: () => get<A.AuditVerdict>('/audit/verify'),
  auditExportUrl: `${kBase}/audit/export`,

  // accounts
  users: () => get<{ users: A.User[] }>('/users'),
  addUser: (body: { user: string; name: string; role: string; phi_view: boolean; password: string }) => post<unknown>('/users', body),
  changeUser: (user: string, body: Partial<Pick<A.User, 'name' | 'role' | 'phi_view' | 'disabled'>> & { password?: string; unlock?: boolean; reset_mfa?: boolean }) =>
    call<unknown>('PATCH', `/users/${part(user)}`, body),
  removeUser: (user: string) => call<unknown>('DELETE', `/users/${part(user)}`),
  tokens: () => get<{ tokens: A.Token[] }>('/tokens'),
  addToken: (body: { name: string; rights: T.Right[]; days: number }) => post<{ id: string; token: string }>('/tokens', body),
  removeToken: (id: string) => call<unknown>('DELETE', `/tokens/${part(id)}`),
};

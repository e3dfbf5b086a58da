// What the admin API answers (engine/admin): only what the console reads. Times are RFC 3339 in UTC.

export * from './types_messages';

export type Right = 'view' | 'phi.view' | 'operate' | 'replay' | 'configure' | 'audit' | 'admin';
export type Level = 'ok' | 'warn' | 'bad';

export interface Session {
  user: string | null;
  setup?: boolean;
  version: string;
  name?: string;
  role?: string;
  rights?: Right[];
  csrf?: string;
  idle_seconds?: number;
  mfa?: boolean;
  mfa_required?: boolean;
  only_account?: boolean;
  must_change_password?: boolean;
  break_glass_until?: string;
}

export interface ConnectorState {
  state: 'up' | 'down' | 'connecting' | 'paused';
  connections?: number;
  port?: number;
  last_error?: string;
}

export interface Rate {
  m1: number;
  m5: number;
  m15: number;
}

export interface Latency {
  p50: number;
  p99: number;
}

export interface DestinationStatus {
  name: string;
  connector: ConnectorState;
  state: 'running' | 'paused' | 'blocked';
  pending: number;
  sent: number;
  filtered?: number;
  rejected?: number;
  quarantined: number;
  retries: number;
  blocked: boolean;
  in_doubt?: number;
  oldest_pending_seconds?: number;
  head?: number;
  head_attempts?: number;
  next_try_ms?: number;
  last_failure?: string;
  last_sent?: string;
  latency_ms?: Latency;
}

export interface Counters {
  received: number;
  accepted: number;
  rejected: number;
  filtered: number;
  quarantined: number;
  duplicates: number;
  sent: number;
  pending: number;
}

export interface ChannelStatus extends Counters {
  name: string;
  kind: string;
  state: 'running' | 'paused' | 'stopped' | 'draining' | 'disabled';
  source: ConnectorState;
  oldest_pending_seconds?: number;
  rate?: Rate;
  latency_ms?: Latency;
  last_received?: string;
  last_sent?: string;
  config?: string;
  links?: { name: string; last: number; frozen: boolean }[];
  destinations: DestinationStatus[];
}

export interface Problem {
  level: Level;
  channel?: string;
  destination?: string;
  text: string;
  since?: string;
  doing?: string;
  next?: string;
  can?: string;
  command?: string;
}

export interface Certificate {
  where: string;
  subject: string;
  issuer?: string;
  from?: string;
  expires: string;
  days: number;
}

export interface Status {
  version: string;
  fhir?: string;
  config: string;
  config_time?: string;
  now: string;
  started?: string;
  uptime_seconds?: number;
  only_account?: boolean;
  insecure?: string[];
  disk?: { free_bytes: number; total_bytes: number; full_at?: string };
  certificates?: Certificate[];
  totals?: Counters;
  verdict: { level: Level; text: string };
  problems: Problem[];
  channels: ChannelStatus[];
}

export interface Delta extends Partial<Pick<Status, 'verdict' | 'problems' | 'totals' | 'disk'>> {
  now: string;
  channels?: ChannelStatus[];
  gone?: string[];
}

/** Of /history: messages in each step; null where the channel was not there. */
export interface Series {
  received: (number | null)[];
  sent: (number | null)[];
  p50?: (number | null)[];
  p99?: (number | null)[];
}

/** What the small curves show: a second, one point each step. */
export interface Trend {
  received: number[];
  sent: number[];
  p50: number[];
  p99: number[];
}

export interface History {
  step_seconds: number;
  from?: string;
  channels: Record<string, Series>;
}

export interface ReplayRequest {
  query: string;
  to?: string[];
  dry_run: boolean;
  limit?: number;
  reason?: string;
  confirm?: number;
  rate?: number;
  include_sent?: boolean;
  allow_stale?: boolean;
}

export interface ReplayAnswer {
  dry_run: boolean;
  matched: number;
  replayed: number;
  skipped: number;
  failed: number;
  messages: {
    id: number;
    channel: string;
    type: string;
    new_id?: number;
    verdict?: string;
    reason?: string;
    skipped?: string;
    error?: string;
    outputs?: { destination: string; bytes: number; sha256: string }[];
  }[];
}

export interface ReplayJob {
  id: number | string;
  query: string;
  by?: string;
  reason?: string;
  created?: string;
  state: string;
  total: number;
  done: number;
  failed: number;
  skipped: number;
  rate?: number;
  eta_seconds?: number;
}

export interface QuarantineGroup {
  channel: string;
  destination: string;
  code: string;
  count: number;
  first: string;
  last: string;
  owner?: string;
  note?: string;
  example: number;
  detail?: string;
}

export interface QuarantineItem {
  id: number;
  received: string;
  channel: string;
  type: string;
  control_id: string;
  destination: string;
  code: string;
  reason: string;
  attempts?: number;
  owner?: string;
  note?: string;
}

export interface BulkAnswer {
  matched: number;
  done: number;
  failed: number;
  items: { id: number; text: string }[];
}

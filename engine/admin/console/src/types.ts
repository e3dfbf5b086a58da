// What the admin API answers (engine/admin): only what the console reads. Times are RFC 3339 in UTC.

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

export interface Series {
  received: number[];
  sent: number[];
  pending: number[];
  p50: number[];
  p99: number[];
}

export interface History {
  step_seconds: number;
  from: string;
  channels: Record<string, Series>;
}

export interface DestinationSummary {
  destination: string;
  state: string;
  attempts?: number;
  in_doubt?: boolean;
  code?: string;
  detail?: string;
  updated?: string;
}

export interface Summary {
  id: number;
  received: string;
  channel: string;
  type: string;
  control_id: string;
  peer?: string;
  name?: string;
  kind: string;
  size: number;
  state: string;
  parent?: number;
  replay_of?: number;
  edited_from?: number;
  same_id_as?: number;
  destinations: DestinationSummary[];
}

export interface SearchAnswer {
  messages: Summary[];
  next?: number;
  complete_to?: number;
  note?: string;
}

export interface Message extends Summary {
  config?: string;
  framing_fault?: boolean;
  related?: { parts: number[]; replays: number[] };
}

export interface BodyPage {
  offset: number;
  size: number;
  end: number | boolean;
  text?: string;
  base64?: string;
  charset?: string;
}

export interface Component {
  path: string;
  name?: string;
  datatype?: string;
  text: string;
  meaning?: string;
}

export interface Field {
  path: string;
  n: number;
  name?: string;
  datatype?: string;
  offset: number;
  length: number;
  raw: string;
  text: string;
  table?: string;
  meaning?: string;
  components?: Component[];
}

export interface Segment {
  n: number;
  id: string;
  name?: string;
  offset: number;
  length: number;
  fields: Field[];
}

export interface Finding {
  severity: string;
  code: string;
  text: string;
  path?: string;
  offset?: number;
  file?: string;
  line?: number;
  column?: number;
  notes?: string[];
  help?: string;
}

export interface SegmentsAnswer {
  kind?: string;
  version?: string;
  structure?: string;
  delimiters?: string;
  total?: number;
  next?: number;
  segments?: Segment[];
  findings?: Finding[];
  json?: Json;
  rows?: string[][];
}

export interface TreeItem {
  segment?: number;
  id?: string;
  group?: string;
  items?: TreeItem[];
  unplaced?: boolean;
}

export interface Try {
  n: number;
  at: string;
  code?: string;
  detail?: string;
  ms?: number;
  in_doubt?: boolean;
}

export interface Output {
  destination: string;
  state: string;
  code?: string;
  detail?: string;
  updated?: string;
  attempts?: number;
  sent?: { available: boolean; from: string; size?: number; sha256?: string; same?: boolean };
  reply?: { available: boolean; size?: number };
  tries?: Try[];
}

export interface TimelineEvent {
  at: string;
  what: string;
  destination?: string;
  text: string;
  code?: string;
  ms?: number;
}

export interface SourceValue {
  path: string;
  value?: string;
  line?: number;
  column?: number;
  datatype?: string;
  name?: string;
}

export interface LineageValue {
  path: string;
  value: string;
  rule?: string;
  place?: string;
  expression?: string;
  from: SourceValue[];
  conversion?: string;
  policy?: string;
}

export interface MapNote {
  level: string;
  code?: string;
  text: string;
  source?: string;
  rule?: string;
}

export interface Lineage {
  maps?: string[];
  map?: string;
  outcome?: string;
  kind?: string;
  output?: string;
  values?: LineageValue[];
  unread?: SourceValue[];
  notes?: MapNote[];
  lookups?: string;
  findings?: Finding[];
}

export interface Why {
  id: number;
  state: string;
  since?: string;
  text: string[];
  steps: { what: string; text: string; place?: string }[];
  doing?: string;
  next?: string;
  next_try?: string;
  can?: { text: string; command?: string; action?: string }[];
}

export interface Trace {
  root: number;
  messages: (Summary & { relation: string; to?: number })[];
}

export interface EditCheck {
  ok: boolean;
  findings: Finding[];
  verdict?: string;
  outputs?: { destination: string; bytes: number; sha256: string }[];
  diff?: { path: string; before?: string; after?: string }[];
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

export interface QuarantineItem extends Summary {
  owner?: string;
  note?: string;
  reason?: string;
}

export interface BulkAnswer {
  matched: number;
  done: number;
  failed: number;
  items: { id: number; text: string }[];
}

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

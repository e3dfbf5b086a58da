// What the admin API answers on configuration, storage, alerts, audit and accounts.
import type { ConnectorState, Finding, Right } from './types';

export interface Site {
  folder: string;
  hash: string;
  channels: SiteChannel[];
}

export interface SiteChannel {
  name: string;
  file: string;
  line?: number;
  source: { kind: string; summary?: string };
  accept?: string[];
  maps: { name: string; result?: string; file?: string; line?: number }[];
  destinations: { name: string; kind: string; from?: string; summary?: string }[];
}

export interface ConfigCheck {
  ok: boolean;
  findings: Finding[];
}

export interface ConfigDiff {
  running: string;
  disk: string;
  same: boolean;
  files: { path: string; change: 'added' | 'removed' | 'changed'; diff?: string }[];
  effects?: string[];
}

export interface ConfigVersion {
  hash: string;
  at: string;
  by?: string;
  reason?: string;
  current?: boolean;
}

export interface Applied {
  applied: boolean;
  config?: string;
  effects?: string[];
  restart?: string[]; // takes effect after a restart only
  left?: string[];
  findings?: Finding[];
}

export interface Connection {
  channel: string;
  destination?: string;
  listener?: string;
  peer: string;
  state: ConnectorState['state'];
  open: number;
  opened: number;
  refused: number;
  messages: number;
  last_error?: string;
}

export interface PlaygroundFiles {
  maps: string[];
  samples: string[];
  files: string[];
}

export interface TestAnswer {
  tests: {
    name: string;
    place?: string;
    result: string;
    failures?: { place?: string; expression?: string; expected?: string; actual?: string }[];
  }[];
  findings?: Finding[];
}

export interface PrunePlan {
  files: { file: string; verdict: 'young' | 'newest' | 'held' | 'due'; why: string; messages: number; bytes: number }[];
  metadata_due: string[];
  files_due: number;
  bytes_due: number;
  refused: boolean; // more than half would go: needs `confirm`
}

export interface Storage {
  free_bytes: number;
  disk_full: string; // day, or "" when there is none in sight
  retention_days: number;
  metadata_days: number;
  plan: PrunePlan;
  scrub: { file: string; at: number; last: number; records: number; last_full: string; damaged: number; faults: { file: string; id: number; what: string }[] };
  encrypted: boolean;
  master_key?: string; // its id, never itself
  backup?: string; // when the last one was made
  verified?: string; // when `kiln verify` last went through
}

export interface Pruned {
  plan: PrunePlan;
  removed: number[];
  text: string;
  disk_full: string;
}

export interface Backup {
  folder: string;
  last: number;
  files: number;
  bytes: number;
}

export interface LogLevel {
  channel: string; // "*": every one
  level: 'debug' | 'info' | 'warn' | 'error';
  until: string;
}

export interface LogLevels {
  levels: LogLevel[];
  dropped: number; // lines that were lost because nobody read
}

export interface Alert {
  id: string;
  alert: string;
  subject: string;
  level: string;
  state: string;
  since: string;
  text: string;
  remedy?: string;
  flapping?: boolean;
  owner?: string;
  silent_until?: string;
  runbook?: string; // an address, or words
}

/** One that has begun, and perhaps ended. */
export interface PastAlert {
  id: string;
  alert: string;
  subject: string;
  level: string;
  since: string;
  until?: string;
  text?: string;
  owner?: string;
}

export interface Alerts {
  alerts: Alert[];
  routes?: { name: string; level: string }[];
  waiting?: number;
}

export interface AuditRecord {
  n: number;
  at: string;
  user: string;
  from?: string;
  action: string;
  target?: string;
  outcome: 'ok' | 'refused' | 'failed';
  detail?: string;
}

export interface AuditPage {
  records: AuditRecord[];
  next?: number;
  head?: { n: number; hash: string };
}

export interface AuditVerdict {
  ok: boolean;
  records: number;
  head?: string | { n: number; hash: string };
  broken_at?: number;
  text: string;
}

export interface User {
  user: string;
  name: string;
  role: string;
  phi_view: boolean;
  locked_until?: string;
  mfa: boolean;
  disabled: boolean;
  last_login?: string;
  created?: string;
}

export interface Token {
  id: string;
  name: string;
  rights: Right[];
  created: string;
  expires: string;
  last_used?: string;
  user: string;
}

export interface QueryTerm {
  term: string;
  help: string;
  example?: string;
  values?: string[];
}

export interface SavedQuery {
  name: string;
  q: string;
}

export interface LspMessage {
  jsonrpc: '2.0';
  id?: number;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: { code: number; message: string };
}

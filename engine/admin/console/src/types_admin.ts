// What the admin API answers on configuration, storage, alerts, audit and accounts.
import type { Finding, Right } from './types';

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
  findings?: Finding[];
}

export interface Connection {
  channel: string;
  destination?: string;
  listener?: string;
  peer: string;
  certificate?: string;
  since: string;
  bytes_in: number;
  bytes_out: number;
  messages: number;
  last_activity?: string;
  last_error?: string;
}

export interface Refused {
  at: string;
  peer: string;
  listener?: string;
  reason: string;
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

export interface DayFile {
  day: string;
  size?: number;
  bytes?: number;
  messages?: number;
  pending?: number;
  quarantined?: number;
  held?: string;
  keep_until?: string;
  encrypted?: boolean;
}

export interface Storage {
  files?: DayFile[];
  free_bytes?: number;
  total_bytes?: number;
  full_at?: string;
  growth_bytes_per_day?: number;
  backup?: { at?: string; folder?: string; verified?: boolean };
  scrub?: { at?: string; percent?: number; faults?: number };
}

export interface Alert {
  id: string;
  name: string;
  level: string;
  state: string;
  channel?: string;
  destination?: string;
  text: string;
  since?: string;
  ended?: string;
  owner?: string;
  silenced_until?: string;
  runbook?: string;
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

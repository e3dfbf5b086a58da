// What the admin API answers on messages: search, content, outputs, lineage, why.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

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
  table?: string;
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
  lines?: string[];
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
  sent?: { available: boolean; from: string; size?: number; sha256?: string; same?: boolean; why?: string };
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
  findings?: Finding[];
  verdict?: string;
  reason?: string;
  outputs?: { destination: string; bytes: number; sha256: string }[];
  diff?: { path: string; before?: string; after?: string }[];
}

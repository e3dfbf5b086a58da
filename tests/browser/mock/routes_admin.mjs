// Configuration, quarantine, jobs, storage, alerts, audit and accounts of the mock.
import { kMarkup } from './hl7.mjs';
import { times } from './data.mjs';

const { ago } = times;
const kMap = 'module quickstart.admissions\n\n// One rule a line.\nmap admissions: hl7 ADT_A01 -> fhir Bundle {\n  create Patient as patient {\n    identifier = PID-3.1\n    name.family = PID-5.1\n    birthDate = date(PID-7)\n  }\n}\n';

const kSite = {
  folder: 'examples/quickstart', hash: '3fa91c22aa07',
  channels: [
    { name: 'adt_in', file: 'channels/adt_in.channel', line: 4, source: { kind: 'mllp', summary: 'port 2575' }, accept: ['ADT^A01', 'ADT^A08'], maps: [{ name: 'admissions', result: 'bundle', file: 'maps/admissions.hmap', line: 4 }], destinations: [{ name: 'repo', kind: 'fhir', from: 'bundle', summary: 'the FHIR store' }, { name: 'pas', kind: 'mllp', from: 'message', summary: '10.0.4.8:2575' }, { name: 'archive', kind: 'file', from: 'message', summary: 'archive/' }] },
    { name: 'lab_in', file: 'channels/lab_in.channel', line: 6, source: { kind: 'mllp', summary: 'port 2576' }, accept: ['ORU^R01'], maps: [{ name: 'lab_results', result: 'bundle', file: 'maps/lab_results.hmap', line: 6 }], destinations: [{ name: 'repo', kind: 'fhir', from: 'bundle', summary: 'the FHIR store' }] },
    { name: 'orders', file: 'channels/orders.channel', line: 2, source: { kind: 'fhir', summary: 'ServiceRequest' }, accept: [], maps: [{ name: 'order_to_orm', result: 'order', file: 'maps/orders.hmap', line: 3 }], destinations: [{ name: 'lab_out', kind: 'mllp', from: 'order', summary: '10.0.4.9:6661' }] },
    { name: 'radiology', file: 'channels/radiology.channel', line: 1, source: { kind: 'mllp', summary: 'port 2579' }, accept: ['ORM^O01'], maps: [], destinations: [{ name: 'pacs', kind: 'mllp', from: 'message', summary: '10.0.4.20:104' }] },
  ],
};

const kGroups = [
  { channel: 'adt_in', destination: 'pas', code: 'mapping-require', count: 23, first: ago(9000), last: ago(300), example: 4647, detail: 'PID-3 is missing' },
  { channel: 'lab_in', destination: 'repo', code: 'http-4xx', count: 2, first: ago(80000), last: ago(70000), owner: 'ben', note: 'asked the lab', example: 4225, detail: '422 Observation.value: no such unit' },
];

const kPlan = {
  files: [
    { file: '20261123-14.db', verdict: 'newest', why: 'in use', messages: 412_000, bytes: 812_000_000 },
    { file: '20261122-13.db', verdict: 'young', why: 'kept until 2026-12-22', messages: 991_000, bytes: 1_912_000_000 },
    { file: '20261020-12.db', verdict: 'due', why: '', messages: 804_000, bytes: 1_610_000_000 },
    { file: '20261003-11.db', verdict: 'held', why: 'held by 4 quarantined', messages: 804_000, bytes: 1_610_000_000 },
  ],
  metadata_due: [], files_due: 1, bytes_due: 1_610_000_000, refused: false,
};

const kLocation = 'file:///site/';

function lspAnswers(engine, messages) {
  const answers = [];
  for (const one of messages) {
    if (one.method === 'initialize') answers.push({ jsonrpc: '2.0', id: one.id, result: { capabilities: { completionProvider: {}, hoverProvider: true } } });
    if (one.method === 'textDocument/completion') answers.push({ jsonrpc: '2.0', id: one.id, result: { isIncomplete: false, items: [{ label: 'birthDate', kind: 5, detail: 'date' }, { label: 'gender', kind: 5, detail: 'code' }] } });
    if (one.method === 'textDocument/hover') answers.push({ jsonrpc: '2.0', id: one.id, result: { contents: { kind: 'markdown', value: '**PID-5** Patient Name' } } });
    const text = one.params?.contentChanges?.[0]?.text ?? (one.method === 'textDocument/didOpen' ? one.params.textDocument.text : undefined);
    if (text !== undefined) {
      const lines = text.split('\n');
      const line = lines.findIndex((l) => l.includes('@@'));
      answers.push({ jsonrpc: '2.0', method: 'textDocument/publishDiagnostics', params: { uri: one.params.textDocument.uri ?? kLocation, diagnostics: line < 0 ? [] : [{ range: { start: { line, character: 0 }, end: { line, character: lines[line].length } }, severity: 1, code: 'E101', message: `expected a value ${kMarkup}` }] } });
    }
  }
  return answers;
}

export const adminRoutes = [
  ['GET', /^\/site$/, () => kSite],
  ['GET', /^\/connections$/, (e) => ({ connections: e.channels.flatMap((one) => [{ channel: one.name, listener: `${one.kind} port ${one.source.port}`, peer: 'any sender', state: 'up', open: 2, opened: 14, refused: 1, messages: one.received }, ...one.destinations.map((to) => ({ channel: one.name, destination: to.name, peer: '10.0.4.9:6661', state: to.connector.state, open: to.connector.connections, opened: 9, refused: 0, messages: to.sent, ...(to.connector.last_error ? { last_error: to.connector.last_error } : {}) }))]) })],
  ['GET', /^\/config\/files$/, () => ({ files: [{ path: 'kiln.conf', size: 220 }, { path: 'channels/adt_in.channel', size: 800 }, { path: 'maps/admissions.hmap', size: kMap.length }] })],
  ['GET', /^\/config\/file$/, (e, _, q) => ({ path: q.get('path'), text: kMap })],
  ['GET', /^\/config\/check$/, () => ({ ok: false, findings: [{ severity: 'warning', code: 'W301', text: 'this listener has no TLS', file: 'channels/adt_in.channel', line: 6, column: 3, notes: ['accept_risk is written'], help: 'add tls { … }' }] })],
  ['GET', /^\/config\/diff$/, () => ({ running: '3fa91c22aa07', disk: '7bb0c1d2ee91', same: false, files: [{ path: 'maps/admissions.hmap', change: 'changed', diff: '--- running\n+++ disk\n@@ -5,3 +5,3 @@\n   create Patient as patient {\n-    identifier = PID-3\n+    identifier = PID-3.1\n' }], effects: ['channel adt_in: the map changes, nothing restarts'] })],
  ['POST', /^\/config\/apply$/, (e, _, q, body) => ({ applied: !body.dry_run, config: '7bb0c1d2ee91', effects: ['channel adt_in: the map changes, nothing restarts'] })],
  ['GET', /^\/config\/history$/, () => ({ versions: [{ hash: '3fa91c22aa07', at: ago(86400 * 2), by: 'ann', reason: 'new lab code table', current: true }, { hash: '19b7aa20c4d1', at: ago(86400 * 9), by: 'ben', reason: 'pharmacy channel' }] })],
  ['POST', /^\/config\/rollback$/, (e, _, q, body) => ({ applied: !body.dry_run, config: body.version, effects: ['channel pharmacy: stops'] })],

  ['GET', /^\/quarantine$/, () => ({ groups: kGroups, open: 25 })],
  ['GET', /^\/quarantine\/items$/, (e, _, q) => ({ items: e.messages.filter((one) => one.state === 'quarantined').slice(0, 23).map((one) => ({ id: one.id, received: one.received, channel: one.channel, type: one.type, control_id: one.control_id, destination: 'pas', code: q.get('code'), reason: one.destinations[0].detail, attempts: 1 })) })],
  ['POST', /^\/quarantine\/(release|resolve|drop|assign|note)$/, (e, [action], q, body) => ({ dry_run: body.dry_run, matched: body.ids?.length ?? 23, done: body.dry_run ? 0 : (body.ids?.length ?? 23), failed: 0, items: [{ id: 4647, text: body.dry_run ? 'would be sent to pas' : action }] })],
  ['GET', /^\/replay\/jobs$/, () => ({ jobs: [{ id: 7, query: 'channel:lab_in state:quarantined', by: 'ann', reason: 'unit table repaired', created: ago(200), state: 'running', total: 4200, done: 1890, failed: 2, skipped: 11, rate: 50, eta_seconds: 46 }, { id: 6, query: 'id:MSG0000042', by: 'ben', created: ago(90000), state: 'finished', total: 1, done: 1, failed: 0, skipped: 0, rate: 50 }] })],
  ['POST', /^\/replay\/jobs$/, (e, _, q, body) => ({ id: 8, query: body.query, state: 'running', total: 20, done: 0, failed: 0, skipped: 0 })],
  ['POST', /^\/replay\/jobs\/(\w+)\/(pause|resume|cancel)$/, () => ({ ok: true })],

  ['GET', /^\/playground$/, () => ({ maps: ['admissions', 'lab_results'], samples: ['samples/adt_in/01_a01_admission.hl7'], files: ['maps/admissions.hmap', 'maps/lab_results.hmap'] })],
  ['GET', /^\/playground\/sample$/, (e) => ({ path: 'samples/a01.hl7', text: 'MSH|^~\\&|HIS|NORTH|KILN|NORTH|20261123021000||ADT^A01^ADT_A01|S1|P|2.5.1\rPID|1||700412^^^NORTH^MR||EXAMPLE^ADA||19800229|F\r' })],
  ['POST', /^\/playground\/run$/, (e, _, q, body) => (JSON.stringify(body.files ?? {}).includes('@@') ? { findings: [{ severity: 'error', code: 'E101', text: 'expected a value', file: 'maps/admissions.hmap', line: 6, column: 5 }] } : e.route('GET', `/messages/${e.messages[9].id}/lineage`, q))],
  ['POST', /^\/playground\/test$/, () => ({ tests: [{ name: 'an admission becomes a patient', place: 'channels/adt_in.channel:30:1', result: 'passed' }, { name: 'a birth date keeps its precision', place: 'channels/adt_in.channel:44:1', result: 'failed', failures: [{ place: 'channels/adt_in.channel:52:3', expression: 'repo.sent[1].patient.birthDate', expected: '"1980"', actual: '"1980-01-01"' }] }], findings: [] })],
  ['POST', /^\/playground\/lsp$/, (e, _, q, body) => ({ session: body.session ?? 'lsp-1', messages: lspAnswers(e, body.messages) })],

  ['GET', /^\/fhir\/metadata$/, () => ({ resourceType: 'CapabilityStatement', fhirVersion: '4.0.1', rest: [{ mode: 'server', resource: [{ type: 'Patient', interaction: [{ code: 'read' }], searchParam: [{ name: 'name', type: 'string', documentation: 'any part of the name' }, { name: 'birthdate', type: 'date' }, { name: 'identifier', type: 'token' }], searchInclude: ['Patient:organization'] }, { type: 'Observation', searchParam: [{ name: 'code', type: 'token' }, { name: 'subject', type: 'reference' }] }] }] })],
  ['GET', /^\/fhir\/Patient$/, () => ({ resourceType: 'Bundle', type: 'searchset', total: 2, entry: [1, 2].map((n) => ({ fullUrl: `http://127.0.0.1/fhir/Patient/${n}`, resource: { resourceType: 'Patient', id: String(n), meta: { versionId: '3', lastUpdated: ago(n * 99) }, name: [{ family: n === 2 ? kMarkup : 'EXAMPLE', given: ['ADA'] }], birthDate: '1980-02-29' } })), link: [{ relation: 'self', url: 'http://127.0.0.1/fhir/Patient' }] })],
  ['GET', /^\/fhir\/Patient\/(\w+)$/, (e, [id]) => ({ resourceType: 'Patient', id, meta: { versionId: '3', lastUpdated: ago(99) }, name: [{ family: 'EXAMPLE', given: ['ADA'] }], managingOrganization: { reference: 'Organization/9' }, birthDate: '1980-02-29', multipleBirthInteger: 2 })],
  ['GET', /^\/fhir\/Patient\/(\w+)\/_history$/, (e, [id]) => ({ resourceType: 'Bundle', type: 'history', total: 3, entry: [3, 2, 1].map((version) => ({ resource: { resourceType: 'Patient', id, meta: { versionId: String(version), lastUpdated: ago(1000 - version) }, name: [{ family: version > 1 ? 'EXAMPLE' : 'EXAMPEL' }], ...(version > 2 ? { birthDate: '1980-02-29' } : {}) }, response: { lastModified: ago(1000 - version) } })) })],
  ['POST', /^\/fhir\/Patient\/\$validate$/, () => ({ resourceType: 'OperationOutcome', issue: [{ severity: 'warning', code: 'invariant', diagnostics: `dom-6: no narrative ${kMarkup}`, expression: ['Patient'] }] })],

  ['GET', /^\/log$/, (e) => ({ levels: e.logLevels, dropped: 12 })],
  ['POST', /^\/log$/, (e, _, q, body) => {
    e.logLevels = e.logLevels.filter((one) => one.channel !== body.channel);
    if (body.seconds > 0) e.logLevels.push({ channel: body.channel, level: body.level, until: ago(-body.seconds) });
    return { levels: e.logLevels, dropped: 12 };
  }],
  ['GET', /^\/certificates$/, (e) => ({ certificates: e.status.certificates })],
  ['GET', /^\/storage$/, () => ({ free_bytes: 41e9, disk_full: new Date(Date.now() + 9 * 86_400_000).toISOString().slice(0, 10), retention_days: 30, metadata_days: 365, plan: kPlan, scrub: { file: kPlan.files[1].file, at: 120_400, last: 991_000, records: 120_400, locked: 0, last_full: ago(90_000), damaged: 1, faults: [{ file: kPlan.files[3].file, id: 77, what: `checksum ${kMarkup}` }] }, encrypted: true, master_key: '9f31aa02', backup: ago(40_000), verified: ago(200_000) })],
  ['POST', /^\/storage\/prune$/, (e, _, q, body) => ({ plan: kPlan, removed: body.dry_run ? [] : [12], text: 'removes 2026-10-20: 804 000 messages', disk_full: '' })],
  ['POST', /^\/storage\/backup$/, (e, _, q, body) => ({ folder: body.folder, last: 5000, files: 4, bytes: 2.7e9 })],
  ['GET', /^\/alerts$/, () => ({ alerts: [{ id: 'a1', alert: 'DestinationDown', level: 'page', state: 'firing', subject: 'orders/lab_out', text: 'orders/lab_out is down, 312 waiting', remedy: 'ask the owner of LAB_OUT', flapping: false, since: ago(540), runbook: 'https://wiki.north.example/kiln/destination-down' }, { id: 'a2', alert: 'CertExpiry', level: 'warn', state: 'firing', subject: 'console listener', text: 'ends in 24 days', remedy: 'put a new file in its place', flapping: true, since: ago(86400), owner: 'ben' }], routes: [{ name: 'pager', level: 'page' }, { name: 'mail', level: 'warn' }], waiting: 1 })],
  ['GET', /^\/alerts\/history$/, (e, _, q) => (q.get('before') ? { history: [{ id: 'CertExpiry:console', alert: 'CertExpiry', subject: 'console listener', level: 'warn', since: ago(900000), until: ago(880000), text: 'ends in 34 days' }] } : { history: Array.from({ length: 6 }, (_v, n) => ({ id: `QueueAge:${n}`, alert: 'QueueAge', subject: n === 2 ? kMarkup : 'orders/lab_out', level: n % 2 ? 'warn' : 'page', since: ago(9000 * (n + 1)), ...(n ? { until: ago(9000 * (n + 1) - 700) } : {}), text: 'the oldest message has waited for 11 min', ...(n % 2 ? { owner: 'ben' } : {}) })), next: 'page-2' })],
  ['POST', /^\/alerts\/test$/, () => ({ routes: 2 })],
  ['POST', /^\/alerts\/([^/]+)\/(silence|own)$/, () => ({ ok: true })],
  ['GET', /^\/audit$/, (e, _, q) => ({ ...(q.get('before') ? {} : { next: 861 }), records: Array.from({ length: 40 }, (_v, n) => ({ n: (Number(q.get('before')) || 901) - 1 - n, at: ago(n * 61), user: n % 3 ? 'ann' : 'ben', from: '10.0.1.5', action: ['message.view', 'login', 'channel.pause', 'export'][n % 4], target: n === 2 ? kMarkup : String(5000 - n), outcome: n === 5 ? 'refused' : 'ok', detail: '' })).filter((one) => (!q.get('user') || one.user === q.get('user')) && (!q.get('outcome') || one.outcome === q.get('outcome')) && (!q.get('action') || one.action.includes(q.get('action')))), head: { n: 900, hash: '8c'.repeat(32) } })],
  ['GET', /^\/audit\/verify$/, () => ({ ok: true, records: 900, head: { n: 900, hash: '8c'.repeat(32) }, text: '900 records, the chain is unbroken' })],
  ['GET', /^\/users$/, () => ({ users: [{ user: 'ann', name: 'Ann Berg', role: 'admin', phi_view: true, mfa: true, disabled: false, last_login: ago(400), created: ago(9e6) }, { user: 'ben', name: kMarkup, role: 'operator', phi_view: false, mfa: false, disabled: false, locked_until: ago(-500), created: ago(8e6) }] })],
  ['POST', /^\/users$/, () => ({ ok: true })],
  ['PATCH', /^\/users\/([^/]+)$/, () => ({ ok: true })],
  ['DELETE', /^\/users\/([^/]+)$/, () => ({ ok: true })],
  ['GET', /^\/tokens$/, () => ({ tokens: [{ id: 't1', name: 'prometheus', rights: ['view'], created: ago(1e6), expires: ago(-5e6), last_used: ago(10), user: 'ann' }] })],
  ['POST', /^\/tokens$/, () => ({ id: 't2', token: 'kiln_0123456789abcdef' })],
  ['DELETE', /^\/tokens\/([^/]+)$/, () => ({ ok: true })],
];

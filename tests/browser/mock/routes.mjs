// The routes of the mock: [method, pattern, handler(engine, parts, query, body)].
import { bodyOf, kMarkup, segmentsOf } from './hl7.mjs';
import { adminRoutes } from './routes_admin.mjs';
import { Failure, person } from './server.mjs';
import { times } from './data.mjs';

const { ago } = times;

function search(engine, q, before, limit) {
  if (q.includes('((')) throw Object.assign(new Failure(422, 'query-syntax', 'a closing parenthesis is missing', 'Write (a OR b).'), { place: 'column 3' });
  const terms = q.split(/\s+/).filter(Boolean).map((term) => term.split(':'));
  const fits = (one) =>
    terms.every(([name, value = '']) => {
      const wanted = value.replaceAll('"', '');
      if (name === 'state') return one.state === wanted;
      if (name === 'channel') return one.channel === wanted;
      if (name === 'type') return one.type === wanted;
      if (name === 'id') return one.control_id === wanted || String(one.id) === wanted;
      if (/^\d+$/.test(name)) return one.id === Number(name);
      return true;
    });
  const found = engine.messages.filter((one) => fits(one) && (!before || one.id < before)).slice(0, limit);
  const clean = found.map(({ hostile, large, ...rest }) => rest);
  return { messages: clean, ...(found.length === limit ? { next: found.at(-1).id } : {}), complete_to: engine.messages[0].id };
}

function page(text, query) {
  const offset = Number(query.get('offset') ?? 0);
  const limit = Number(query.get('limit') ?? 65536);
  return { offset, size: text.length, end: Math.min(text.length, offset + limit), text: text.slice(offset, offset + limit), charset: 'UTF-8' };
}

const kFhir = (message) => JSON.stringify({ resourceType: 'Patient', id: `p${message.id}`, identifier: [{ system: 'urn:oid:1.2.840.99999', value: String(700000 + message.id) }], name: [{ family: message.hostile ? kMarkup : 'EXAMPLE', given: ['ADA'] }], birthDate: '1980-02-29', gender: 'female' }, null, 2);

export function lineageOf(message) {
  const output = kFhir(message);
  return {
    maps: ['admissions', 'patient_to_a08'], map: 'admissions', outcome: 'sent', kind: 'fhir', output, lookups: 'kept',
    values: [
      { path: 'Patient.identifier[0].value', value: String(700000 + message.id), rule: 'identifier', place: 'maps/admissions.hmap:12:3', expression: 'PID-3.1', from: [{ path: 'PID-3.1', value: String(700000 + message.id), name: 'ID Number' }] },
      { path: 'Patient.name[0].family', value: message.hostile ? kMarkup : 'EXAMPLE', rule: 'name', place: 'maps/admissions.hmap:15:3', expression: 'PID-5.1', from: [{ path: 'PID-5.1', value: message.hostile ? kMarkup : 'EXAMPLE', name: 'Family Name' }] },
      { path: 'Patient.birthDate', value: '1980-02-29', rule: 'birthDate', place: 'maps/admissions.hmap:18:3', expression: 'date(PID-7)', from: [{ path: 'PID-7', value: '19800229', line: 2, column: 8, name: 'Date/Time of Birth' }], conversion: 'date' },
      { path: 'Patient.gender', value: 'female', rule: 'gender', place: 'maps/admissions.hmap:19:3', expression: 'PID-8 via Gender', from: [{ path: 'PID-8', value: 'F', name: 'Administrative Sex' }], conversion: 'table Gender' },
    ],
    unread: [{ path: 'NK1-2.1', value: 'EXAMPLE', name: 'Family Name' }, { path: 'PV1-7.2', value: 'HOUSE', name: 'Family Name' }],
    notes: [{ level: 'warning', code: 'W210', text: 'PV1-19 is empty: the encounter has no identifier', source: 'PV1-19', rule: 'maps/admissions.hmap:31:5' }],
  };
}

function outputsOf(message) {
  return {
    outputs: message.destinations.map((one) => ({
      ...one, sent: { available: true, from: 'kept', size: 320, sha256: 'ab'.repeat(32) }, reply: { available: one.state === 'sent', size: 90 },
      tries: [...(one.attempts > 1 ? [{ n: 1, at: ago(900), detail: 'connection refused', ms: 3 }] : []), { n: 2, at: ago(600), ...(one.code ? { code: one.code } : {}), ms: 18, detail: one.detail, in_doubt: one.in_doubt }],
    })),
  };
}

const messageRoutes = [
  ['GET', /^\/messages$/, (e, _, q) => search(e, q.get('q') ?? '', Number(q.get('before')), Number(q.get('limit') ?? 50))],
  ['GET', /^\/messages\/(\d+)$/, (e, [id]) => ({ ...e.message(id), hostile: undefined, large: undefined, config: '3fa91c22aa07', framing_fault: false, related: { parts: [], replays: [] } })],
  ['GET', /^\/messages\/(\d+)\/body$/, (e, [id], q) => page(bodyOf(e.message(id)), q)],
  ['GET', /^\/messages\/(\d+)\/segments$/, (e, [id], q) => segmentsOf(e.message(id), Number(q.get('offset') ?? 0), Number(q.get('limit') ?? 500))],
  ['GET', /^\/messages\/(\d+)\/tree$/, () => ({ structure: 'ADT_A01', items: [{ segment: 1, id: 'MSH' }, { segment: 2, id: 'EVN' }, { segment: 3, id: 'PID' }, { group: 'NEXT_OF_KIN', items: [{ segment: 4, id: 'NK1' }] }, { segment: 5, id: 'PV1' }] })],
  ['GET', /^\/messages\/(\d+)\/outputs$/, (e, [id]) => outputsOf(e.message(id))],
  ['GET', /^\/messages\/(\d+)\/outputs\/([^/]+)\/([^/]+)\/sent$/, (e, [id], q) => page(kFhir(e.message(id)), q)],
  ['GET', /^\/messages\/(\d+)\/outputs\/([^/]+)\/([^/]+)\/reply$/, (e, [id], q) => page(`MSH|^~\\&|EHR|S|KILN|N|20261123021001||ACK|A1|P|2.5.1\rMSA|AA|${e.message(id).control_id}\r`, q)],
  ['GET', /^\/messages\/(\d+)\/timeline$/, (e, [id]) => {
    const one = e.message(id);
    const text = one.hostile ? kMarkup : 'from 10.0.4.17:51234';
    return { events: [{ at: one.received, what: 'received', text }, { at: one.received, what: 'stored', text: 'journal 2026-11-23, one commit with 14 others', ms: 2 }, { at: one.received, what: 'mapped', text: 'map admissions', ms: 1 }, { at: ago(600), what: 'attempt', destination: one.destinations[0].destination, text: 'answered', code: one.destinations[0].code, ms: 18 }, { at: ago(599), what: one.state, destination: one.destinations[0].destination, text: 'done' }] };
  }],
  ['GET', /^\/messages\/(\d+)\/lineage$/, (e, [id]) => lineageOf(e.message(id))],
  ['GET', /^\/messages\/(\d+)\/why$/, (e, [id]) => {
    const one = e.message(id);
    const pending = one.state === 'pending';
    return {
      id: one.id, state: one.state, since: one.received, text: pending ? [`It waits at ${one.destinations[0].destination}, as the first in line.`, 'The receiver refuses connections since 14 minutes; 14 tries so far.'] : [`It arrived over MLLP and was ${one.state}.`],
      steps: [{ what: 'listener', text: `accepted on port 2575 from ${one.peer}` }, { what: 'dedupe', text: 'no message with this control id in the last 24 h' }, { what: 'map', text: 'admissions made 1 output', place: 'maps/admissions.hmap:8:1' }, { what: 'attempt', text: pending ? 'connection refused' : `answered ${one.destinations[0].code || 'AA'}` }],
      doing: pending ? 'tries again every 60 s and keeps the order' : 'nothing more', ...(pending ? { next: 'connects again', next_try: ago(-22) } : {}),
      can: [{ text: 'send it again', command: `kiln replay ${one.id}`, action: 'replay' }, ...(pending ? [{ text: 'try now', command: 'kiln destination retry-now orders/lab_out', action: 'retry-now' }] : [])],
    };
  }],
  ['GET', /^\/messages\/(\d+)\/trace$/, (e, [id]) => ({ root: Number(id), messages: [{ ...e.message(id), relation: 'this' }] })],
  ['POST', /^\/messages\/(\d+)\/check$/, (e, [id], q, body) => ({ ok: !body.body.startsWith('XXX'), findings: body.body.startsWith('XXX') ? [{ severity: 'error', code: 'hl7-no-msh', path: 'MSH', offset: 0, text: 'the message does not begin with MSH' }] : [], verdict: 'sent', outputs: [{ destination: 'adt_in/repo', bytes: 320, sha256: 'cd'.repeat(32) }], diff: [{ path: 'PID-5.1', before: 'EXAMPLE', after: 'SAMPLE' }] })],
  ['POST', /^\/messages\/(\d+)\/resend$/, () => ({ new_id: 4999, verdict: 'sent', outputs: [] })],
  ['GET', /^\/export$/, (e, _, q) => ({ download: search(e, q.get('q') ?? '', 0, 100).messages.map((one) => JSON.stringify(one)).join('\n') })],
  ['POST', /^\/replay$/, (e, _, q, body) => {
    const { messages } = search(e, body.query, 0, 20);
    return { dry_run: body.dry_run, matched: messages.length, replayed: messages.length - 1, skipped: 1, failed: 0, messages: messages.map((one, n) => ({ id: one.id, channel: one.channel, type: one.type, ...(n === 0 ? { skipped: 'a part of another message: replay the whole' } : { verdict: 'sent', ...(body.dry_run ? {} : { new_id: 6000 + n }), outputs: [{ destination: one.destinations[0].destination, bytes: 320, sha256: 'ef'.repeat(32) }] }) })) };
  }],
];

const sessionRoutes = [
  ['GET', /^\/session$/, (e) => e.session ?? { user: null, setup: e.setup, version: '0.1.0' }],
  ['POST', /^\/setup$/, (e, _, q, body) => {
    if (body.token !== 'ONE-TIME') throw new Failure(401, 'login-refused', 'the token is wrong or older than 15 minutes', 'Start kiln again to get a new one.');
    e.setup = false;
    e.session = { ...person(), user: body.user, name: body.name };
    return e.session;
  }],
  ['POST', /^\/session$/, (e, _, q, body) => {
    if (body.password === 'locked') throw Object.assign(new Failure(429, 'login-locked', 'too many wrong passwords'), { wait: 60 });
    if (body.password !== 'right') throw new Failure(401, 'login-refused', 'user or password is wrong');
    if (e.totp && !body.code) return { code_needed: true };
    if (e.totp && body.code !== '123456') throw new Failure(401, 'login-refused', 'user or password is wrong');
    e.session = person(e.rights);
    return e.session;
  }],
  ['DELETE', /^\/session$/, (e) => {
    e.session = null;
    e.dropStreams();
    return { ok: true };
  }],
  ['POST', /^\/session\/password$/, () => ({ ok: true })],
  ['POST', /^\/session\/totp$/, () => ({ secret: 'JBSWY3DPEHPK3PXP', uri: 'otpauth://totp/Kiln:ann?secret=JBSWY3DPEHPK3PXP' })],
  ['PUT', /^\/session\/totp$/, (e, _, q, body) => {
    if (body.code !== '123456') throw new Failure(422, 'login-refused', 'the code does not fit');
    e.session.mfa = true;
    return { ok: true };
  }],
  ['DELETE', /^\/session\/totp$/, (e) => {
    e.session.mfa = false;
    return { ok: true };
  }],
  ['POST', /^\/session\/break-glass$/, (e) => {
    e.session.rights = [...e.session.rights, 'phi.view'];
    e.session.break_glass_until = ago(-1800);
    return { until: e.session.break_glass_until };
  }],
  ['GET', /^\/session\/queries$/, (e) => ({ queries: e.queries })],
  ['PUT', /^\/session\/queries$/, (e, _, q, body) => {
    e.queries = body.queries;
    return { ok: true };
  }],
  ['GET', /^\/query\/terms$/, () => ({ terms: [{ term: 'state:', help: 'where it is', values: ['pending', 'sent', 'quarantined', 'rejected', 'filtered'] }, { term: 'channel:', help: 'name of a channel' }, { term: 'mrn:', help: 'patient number, exact' }, { term: 'since:', help: 'time or age', values: ['1h', '24h', '7d'] }] })],
];

const liveRoutes = [
  ['GET', /^\/status$/, (e) => e.status],
  ['GET', /^\/history$/, (e) => e.history],
  ['POST', /^\/channels\/([^/]+)\/(start|stop|pause|resume|drain)$/, (e, [name, action]) => {
    const channel = e.channels.find((one) => one.name === name);
    channel.state = { start: 'running', resume: 'running', stop: 'stopped', pause: 'paused', drain: 'draining' }[action];
    for (const stream of e.streams) e.send(stream, 'delta', { now: new Date().toISOString(), channels: [channel] });
    return { state: channel.state };
  }],
  ['POST', /^\/destinations\/([^/]+)\/([^/]+)\/(pause|resume|retry-now)$/, () => ({ resumed: true })],
];

export const routes = [...sessionRoutes, ...liveRoutes, ...messageRoutes, ...adminRoutes];

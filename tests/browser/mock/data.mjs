// The state of the mock engine: channels, messages, and everything the console shows of them.
import { kMarkup } from './hl7.mjs';

const kNow = Date.now();
const ago = (seconds) => new Date(kNow - seconds * 1000).toISOString();
const kDestinations = { adt_in: ['repo', 'pas', 'archive'], lab_in: ['repo'], orders: ['lab_out'], pharmacy: ['robot', 'billing'], radiology: ['pacs'], bulk_csv: ['repo'] };

function destination(name, n, bad) {
  return {
    name, connector: { state: bad ? 'down' : 'up', connections: bad ? 0 : 1, ...(bad ? { last_error: 'connection refused' } : {}) }, state: bad ? 'blocked' : 'running',
    pending: bad ? 312 : n % 3, sent: 4100 + 37 * n, filtered: 12, rejected: 0, quarantined: n === 2 ? 4 : 0, retries: bad ? 41 : 0, blocked: bad,
    ...(bad ? { oldest_pending_seconds: 840, head: 4711, head_attempts: 14, next_try_ms: 22000, last_failure: 'connect 10.0.4.9:6661: connection refused' } : {}),
    last_sent: ago(bad ? 840 : 2), latency_ms: { p50: 3.4 + n, p99: 41 + n },
  };
}

export function makeChannels(count) {
  const names = Object.keys(kDestinations);
  while (names.length < count) names.push(`site_${String(names.length).padStart(3, '0')}`);
  return names.slice(0, Math.max(count, 1)).map((name, n) => {
    const destinations = (kDestinations[name] ?? ['out']).map((one, k) => destination(one, n + k, one === 'lab_out'));
    const sum = (field) => destinations.reduce((all, one) => all + (one[field] ?? 0), 0);
    return {
      name, kind: n === 5 ? 'file' : 'mllp', state: name === 'radiology' ? 'paused' : 'running', source: { state: 'up', connections: 2, port: 2575 + n },
      received: 5000 + 211 * n, accepted: 4990 + 211 * n, rejected: n, filtered: 40 * n, quarantined: sum('quarantined'), duplicates: 3, not_stored: 0, unframed: 0, replayed: 0,
      sent: sum('sent'), pending: sum('pending'), ...(name === 'orders' ? { oldest_pending_seconds: 840 } : {}), rate: { m1: 2.4 * (n + 1), m5: 2.1, m15: 2 },
      latency_ms: { p50: 4.2, p99: 38 + n }, last_received: ago(n), last_sent: ago(n + 1), config: '3fa91c22', links: [], notes: {}, destinations,
    };
  });
}

export function makeStatus(channels) {
  const total = (field) => channels.reduce((all, one) => all + (one[field] ?? 0), 0);
  return {
    version: '0.1.0', fhir: 'http://127.0.0.1:8080/fhir', config: '3fa91c22aa07', config_time: ago(86400 * 2), now: new Date().toISOString(), started: ago(86400 * 3), uptime_seconds: 86400 * 3,
    insecure: ['lab_in: source mllp listens without TLS (accept_risk)'], disk: { free_bytes: 41e9, total_bytes: 120e9, full_at: ago(-86400 * 9) },
    certificates: [{ where: 'console listener', subject: 'CN=kiln.north.example', issuer: 'CN=North CA', from: ago(86400 * 340), expires: ago(-86400 * 24), days: 24 }],
    totals: { received: total('received'), accepted: total('accepted'), rejected: total('rejected'), filtered: total('filtered'), quarantined: total('quarantined'), duplicates: total('duplicates'), sent: total('sent'), pending: total('pending') },
    verdict: { level: 'bad', text: '2 problems, worst: orders/lab_out down 14 min, 312 waiting' },
    problems: [
      { level: 'bad', channel: 'orders', destination: 'lab_out', text: 'orders/lab_out does not answer: 312 messages wait', since: ago(840), doing: 'tries again with the first message every 60 s, keeps the order', next: ago(-22), can: 'ask the owner of LAB_OUT; nothing is lost while it is down' },
      { level: 'warn', channel: 'adt_in', text: '4 messages of adt_in are quarantined', since: ago(7200), doing: 'keeps them until somebody decides', can: 'look at the cause and release them' },
    ],
    channels,
  };
}

const kTypes = ['ADT^A01', 'ADT^A08', 'ORU^R01', 'ORM^O01', 'ADT^A03'];

export function makeMessages(count) {
  const list = [];
  const names = Object.keys(kDestinations);
  for (let id = count; id > 0; id--) {
    const channel = id === 4712 ? 'adt_in' : id % 97 === 11 ? 'orders' : names[id % 5];
    const state = id % 211 === 5 ? 'quarantined' : id === 4711 || (channel === 'orders' && id > count - 300) ? 'pending' : id % 23 === 0 ? 'filtered' : 'sent';
    list.push({
      id, received: ago((count - id) * 7), channel, type: kTypes[id % kTypes.length], control_id: `MSG${String(id).padStart(7, '0')}`, peer: '10.0.4.17:51234', name: '', kind: 'hl7',
      size: 412 + (id % 300), state,
      destinations: (kDestinations[channel] ?? ['out']).map((name) => ({ destination: `${channel}/${name}`, state, attempts: state === 'pending' ? 14 : 1, in_doubt: id % 500 === 1, code: state === 'sent' ? 'AA' : '', detail: state === 'quarantined' ? 'mapping-require: PID-3 is missing' : '', updated: ago((count - id) * 7 - 1) })),
    });
  }
  const hostile = list.find((one) => one.id === count - 3);
  Object.assign(hostile, { hostile: true, channel: 'adt_in', type: kMarkup, control_id: kMarkup, peer: kMarkup, name: kMarkup, state: 'sent' });
  hostile.destinations = [{ destination: `adt_in/${kMarkup.replaceAll('/', '')}`, state: 'sent', attempts: 1, in_doubt: false, code: kMarkup, detail: kMarkup, updated: ago(5) }];
  Object.assign(list.find((one) => one.id === count - 5), { large: true, size: 20_000_000 });
  Object.assign(list.find((one) => one.id === count - 6), { replay_of: count - 40 });
  return list;
}

export function makeHistory(channels) {
  const series = {};
  for (const [n, channel] of channels.entries()) {
    const wave = (base, size) => Array.from({ length: 180 }, (_, k) => Math.max(0, base + size * Math.sin((k + n * 7) / 9) + (((k * 7919) % 13) / 13) * size));
    series[channel.name] = { received: wave(30 + 10 * n, 20), sent: wave(30 + 10 * n, 20), p50: wave(5, 2), p99: wave(40, 14) };
  }
  return { step_seconds: 10, from: ago(1800), channels: series };
}

export const times = { ago };

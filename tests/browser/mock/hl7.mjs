// Invented messages for the mock engine. `hostile`: markup in every field, which must stay text.
export const kMarkup = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"'&amp;`;

const kNames = {
  MSH: 'Message Header', EVN: 'Event Type', PID: 'Patient Identification', PV1: 'Patient Visit', OBR: 'Observation Request', OBX: 'Observation Result',
  NK1: 'Next of Kin',
};
const kFields = {
  'MSH-9': 'Message Type', 'MSH-10': 'Message Control ID', 'MSH-7': 'Date/Time of Message', 'MSH-3': 'Sending Application', 'MSH-12': 'Version ID',
  'PID-3': 'Patient Identifier List', 'PID-5': 'Patient Name', 'PID-7': 'Date/Time of Birth', 'PID-8': 'Administrative Sex', 'PID-11': 'Patient Address',
  'PV1-2': 'Patient Class', 'PV1-3': 'Assigned Patient Location', 'OBX-3': 'Observation Identifier', 'OBX-5': 'Observation Value',
};
const kMeanings = { 'PID-8:F': 'Female', 'PID-8:M': 'Male', 'PV1-2:I': 'Inpatient', 'MSH-9:ADT^A01': 'Admit / visit notification' };

let large = ''; // 20 MB, made once

function largeBody(message) {
  if (large !== '') return large;
  const lines = bodyOf({ ...message, large: false }).split('\r').filter(Boolean);
  lines.push(`OBX|1|ED|PDF^Report^L||^AP^PDF^Base64^${'QUJD'.repeat(1_250_000)}||||||F`);
  for (let n = 2; n < 240_000; n++) lines.push(`OBX|${n}|NM|2345-7^Glucose^LN||${(n % 90) / 10}|mmol/L^^UCUM|3.9-5.6|N|||F`);
  large = `${lines.join('\r')}\r`.slice(0, 20_000_000);
  return large;
}

export function bodyOf(message) {
  if (message.large) return largeBody(message);
  if (message.hostile) {
    const fields = (name, count) => [name, ...Array.from({ length: count }, () => kMarkup.replace(/[|&]/g, ' '))].join('|');
    return ['MSH|^~\\&|' + Array.from({ length: 9 }, () => kMarkup.replace(/[|&]/g, ' ')).join('|'), fields('PID', 30), fields('PV1', 20)].join('\r') + '\r';
  }
  const segments = [
    `MSH|^~\\&|HIS|NORTH|KILN|NORTH|20261123021000||${message.type}^${message.type.replace('^', '_')}|${message.control_id}|P|2.5.1`,
    'EVN||20261123021000',
    `PID|1||${700000 + message.id}^^^NORTH&1.2.840.99999&ISO^MR~99${message.id}^^^NAT^NI||EXAMPLE^ADA^M||19800229|F|||12 MILL LANE^^NORTHTON^^N1 2AB`,
    'NK1|1|EXAMPLE^BERT|SPO',
    'PV1|1|I|WARD7^12^B^NORTH||||1234^HOUSE^GINA',
  ];
  return segments.join('\r') + '\r';
}

const split = new Map();

function linesOf(message) {
  if (!message.large) return bodyOf(message).split('\r').filter(Boolean);
  if (!split.has(message.id)) split.set(message.id, bodyOf(message).split('\r').filter(Boolean));
  return split.get(message.id);
}

function fieldsOf(id, line, offset, occurrence) {
  const parts = line.split('|');
  let at = offset + parts[0].length;
  const out = [];
  for (let i = 1; i < parts.length; i++) {
    const n = id === 'MSH' ? i + 1 : i;
    const path = `${id}${occurrence}-${n}`;
    const whole = parts[i];
    const raw = whole.slice(0, 16_384); // as the engine cuts it
    if (raw !== '') {
      const components = raw.includes('^') && path !== 'MSH-2'
        ? raw.split('~').flatMap((repetition, r) => repetition.split('^').map((text, c) => ({ path: `${path}${raw.includes('~') ? `[${r + 1}]` : ''}.${c + 1}`, name: `Component ${c + 1}`, datatype: 'ST', text })))
        : undefined;
      out.push({ path, n, name: kFields[`${id}-${n}`] ?? `Field ${n}`, datatype: 'ST', offset: at + 1, length: whole.length, raw, text: raw, ...(raw === whole ? {} : { cut: true }), meaning: kMeanings[`${id}-${n}:${raw.split('^').slice(0, 2).join('^')}`], components: components?.filter((one) => one.text) });
    }
    at += 1 + whole.length;
  }
  return out;
}

export function segmentsOf(message, offset, limit) {
  const lines = linesOf(message);
  let at = 0;
  const seen = {};
  const shown = [];
  for (let n = 0; n < Math.min(lines.length, offset + limit); n++) {
    const id = lines[n].slice(0, 3);
    seen[id] = (seen[id] ?? 0) + 1;
    if (n >= offset) shown.push({ n: n + 1, id, name: kNames[id] ?? id, offset: at, length: lines[n].length, fields: fieldsOf(id, lines[n], at, seen[id] > 1 ? `[${seen[id]}]` : '') });
    at += lines[n].length + 1;
  }
  const next = offset + limit < lines.length ? offset + limit : undefined;
  return {
    version: '2.5.1', structure: 'ADT_A01', delimiters: '|^~\\&', total: lines.length, next, segments: shown,
    findings: message.hostile ? [{ severity: 'warning', code: 'hl7-unknown-type', path: 'MSH-9', offset: 60, text: kMarkup }] : [],
  };
}

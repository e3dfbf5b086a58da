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

export function bodyOf(message) {
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
  if (message.large) for (let n = 1; n <= 6000; n++) segments.push(`OBX|${n}|NM|2345-7^Glucose^LN||${(n % 90) / 10}|mmol/L|||||F`);
  return segments.join('\r') + '\r';
}

function fieldsOf(id, line, offset) {
  const parts = line.split('|');
  let at = offset + parts[0].length;
  const out = [];
  for (let i = 1; i < parts.length; i++) {
    const n = id === 'MSH' ? i + 1 : i;
    const path = `${id}-${n}`;
    const raw = parts[i];
    if (raw !== '') {
      const components = raw.includes('^') && path !== 'MSH-2'
        ? raw.split('~').flatMap((repetition, r) => repetition.split('^').map((text, c) => ({ path: `${path}${raw.includes('~') ? `[${r + 1}]` : ''}.${c + 1}`, name: `Component ${c + 1}`, datatype: 'ST', text })))
        : undefined;
      out.push({ path, n, name: kFields[path] ?? `Field ${n}`, datatype: 'ST', offset: at + 1, length: raw.length, raw, text: raw, meaning: kMeanings[`${path}:${raw.split('^').slice(0, 2).join('^')}`], components: components?.filter((one) => one.text) });
    }
    at += 1 + raw.length;
  }
  return out;
}

export function segmentsOf(message, offset, limit) {
  const lines = bodyOf(message).split('\r').filter(Boolean);
  let at = 0;
  const all = lines.map((line, n) => {
    const id = line.slice(0, 3);
    const segment = { n: n + 1, id, name: kNames[id] ?? id, offset: at, length: line.length, fields: fieldsOf(id, line, at) };
    at += line.length + 1;
    return segment;
  });
  const next = offset + limit < all.length ? offset + limit : undefined;
  return {
    version: '2.5.1', structure: 'ADT_A01', delimiters: '|^~\\&', total: all.length, next, segments: all.slice(offset, offset + limit),
    findings: message.hostile ? [{ severity: 'warning', code: 'hl7-unknown-type', path: 'MSH-9', offset: 60, text: kMarkup }] : [],
  };
}

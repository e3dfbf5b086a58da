// Places of an HL7 message as text: "PID-3[2].1", "OBX[10]-5.1". What is left out is the first.

export interface Place {
  field: string; // "OBX[10]-5", the first occurrence without its number
  repetition: number; // 0: the whole field
  parts: number[]; // component, subcomponent
}

export function readPlace(path: string): Place | null {
  const found = /^([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?-(\d+)(?:\[(\d+)\])?((?:\.\d+)*)$/.exec(path);
  if (!found) return null;
  const [, segment = '', occurrence = '1', number = '', repetition, parts = ''] = found;
  return {
    field: `${segment}${occurrence === '1' ? '' : `[${occurrence}]`}-${number}`,
    repetition: repetition === undefined ? (parts === '' ? 0 : 1) : Number(repetition),
    parts: parts.split('.').filter(Boolean).map(Number),
  };
}

/** The field in which a place lies; the text itself where it is no place of HL7. */
export function fieldOf(path: string): string {
  return readPlace(path)?.field ?? path;
}

/** Whether one is the other or lies in it: "PID-5" and "PID-5[1].2", "PID-5.1" and "PID-5[1].1.1". */
export function overlaps(one: string, other: string): boolean {
  const a = readPlace(one);
  const b = readPlace(other);
  if (!a || !b) return one === other;
  if (a.field !== b.field) return false;
  if (a.repetition === 0 || b.repetition === 0) return true;
  return a.repetition === b.repetition && a.parts.every((part, n) => b.parts[n] === undefined || b.parts[n] === part);
}

export interface Part {
  text: string;
  path: string; // "" of a separator
}

/** The raw text of a field as its leaves and the separators between them. `delimiters`: "|^~\\&". */
export function partsOf(path: string, raw: string, delimiters: string): Part[] {
  const [, component = '^', repetition = '~', , sub = ''] = [...delimiters];
  const out: Part[] = [];
  const repetitions = raw.split(repetition);
  repetitions.forEach((one, r) => {
    if (r > 0) out.push({ text: repetition, path: '' });
    const components = one.split(component);
    const base = `${path}${repetitions.length > 1 ? `[${r + 1}]` : ''}`;
    components.forEach((text, c) => {
      if (c > 0) out.push({ text: component, path: '' });
      const leaves = sub ? text.split(sub) : [text];
      leaves.forEach((leaf, s) => {
        if (s > 0) out.push({ text: sub, path: '' });
        if (leaf !== '') out.push({ text: leaf, path: `${base}${components.length > 1 || leaves.length > 1 ? `.${c + 1}` : ''}${leaves.length > 1 ? `.${s + 1}` : ''}` });
      });
    });
  });
  return out;
}

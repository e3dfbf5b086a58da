// Reading JSON whose shape is known only at run time.
import type { Json } from '../types';

export function member(value: Json | undefined, name: string): Json | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value[name] : undefined;
}

export function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: Json | undefined): string {
  return value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** A line that tells a resource from its neighbours. */
export function label(resource: Json | undefined): string {
  const name = list(member(resource, 'name'))[0];
  if (name !== undefined && typeof name === 'object') return [text(member(name, 'family')), list(member(name, 'given')).map(text).join(' ')].filter(Boolean).join(', ');
  const code = member(resource, 'code') ?? list(member(resource, 'type'))[0] ?? member(resource, 'vaccineCode');
  const coding = list(member(code, 'coding'))[0];
  return text(member(code, 'text')) || text(member(coding, 'display')) || text(member(coding, 'code')) || text(member(resource, 'name')) || text(member(resource, 'title'));
}

/** The path after the base of any link that the server wrote. */
export function afterBase(url: string): string {
  const at = url.lastIndexOf('/fhir/');
  if (at >= 0) return url.slice(at + 6);
  const query = url.indexOf('/fhir?');
  return query >= 0 ? url.slice(query + 5) : url;
}

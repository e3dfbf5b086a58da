// JSON with the text of its numbers kept: a FHIR decimal 1.50 is shown as 1.50 (FHIR R4, decimal: precision is meaning).
import type { Json } from '../types';

interface RawJson {
  rawJSON: string;
}

interface JsonWithSource {
  parse(text: string, reviver: (key: string, value: unknown, context?: { source?: string }) => unknown): unknown;
  rawJSON?(text: string): RawJson;
  isRawJSON?(value: unknown): value is RawJson;
}

const exact = JSON as unknown as JsonWithSource;

export function parseExact(text: string): Json {
  return exact.parse(text, (_, value, context) => {
    const source = context?.source;
    return typeof value === 'number' && source !== undefined && source !== String(value) && exact.rawJSON ? exact.rawJSON(source) : value;
  }) as Json;
}

/** The text of a number that `parseExact` has kept; else null. */
export function rawText(value: Json): string | null {
  return exact.isRawJSON?.(value) ? (value as unknown as RawJson).rawJSON : null;
}

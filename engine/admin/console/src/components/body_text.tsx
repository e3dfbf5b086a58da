// A body of any size. A short one is text as it is; of a long one only the lines in sight are in the document, and its pages come
// as one scrolls, so that 20 MB freeze nothing.
import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes } from '../format';
import { asApiError } from '../load';
import type { ApiError } from '../api';
import type { BodyPage } from '../types';
import { Check, ErrorBox, Pending } from './basics';

export const kPageBytes = 262_144; // the most that one answer holds
const kPlainMax = 65_536; // characters that are shown as one text
const kRowHeight = 18; // px, as .code has it
const kRowChars = 160; // of a long body; longer lines go on in the next row
const kSpare = 20; // rows above and below what is in sight

/** Carriage returns end lines; other control characters get a picture. */
export function visibleText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (found) => String.fromCharCode(0x2400 + found.charCodeAt(0)));
}

/** JSON on many lines, its tokens untouched (a decimal keeps its zeros); any other text as visibleText. */
export function prettyText(text: string): string {
  if (!/^\s*[{[]/.test(text) || text.length > kPlainMax * 16) return visibleText(text);
  let out = '';
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+|"/g)) {
    if (token === '{' || token === '[') {
      depth += 1;
      out += token + line();
    } else if (token === '}' || token === ']') {
      depth = Math.max(0, depth - 1);
      out = /[{[]\s*$/.test(out.slice(-2 * depth - 8)) ? out.trimEnd() + token : out + line() + token;
    } else if (token === ',') out += token + line();
    else out += token === ':' ? ': ' : token;
  }
  return out;
}

/** Appends the lines of `text` to `rows`; a text that goes on where the last row ended is joined to it. */
export function addRows(rows: string[], text: string): void {
  const lines = visibleText(text).split('\n');
  lines.forEach((line, n) => {
    let rest = n === 0 ? (rows.pop() ?? '') + line : line;
    for (; rest.length > kRowChars; rest = rest.slice(kRowChars)) rows.push(rest.slice(0, kRowChars));
    rows.push(rest);
  });
}

function Rows(props: { rows: string[]; label: string; onEnd: () => void }) {
  const { rows } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  useEffect(() => setHeight(box.current?.clientHeight ?? 600), []);
  const first = Math.max(0, Math.floor(top / kRowHeight) - kSpare);
  const last = Math.min(rows.length, Math.ceil((top + height) / kRowHeight) + kSpare);
  useEffect(() => {
    if (last >= rows.length - kSpare) props.onEnd();
  }, [last, rows.length]);
  return (
    <div class="code long" ref={box} role="region" tabIndex={0} aria-label={props.label} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
      <div style={{ height: `${rows.length * kRowHeight}px`, position: 'relative' }}>
        <pre style={{ position: 'absolute', top: `${first * kRowHeight}px`, left: 0 }}>{rows.slice(first, last).join('\n')}</pre>
      </div>
    </div>
  );
}

export function BodyText(props: { load: (offset: number, limit: number) => Promise<BodyPage>; depends: readonly unknown[]; label: string }) {
  const [page, setPage] = useState<BodyPage | null>(null); // the last that came
  const [error, setError] = useState<ApiError | null>(null);
  const [all, setAll] = useState(false); // the rest is being loaded
  const [pretty, setPretty] = useState(true);
  const text = useRef(''); // of a short body
  const rows = useRef<string[]>([]); // of a long one
  const busy = useRef(false);
  const turn = useRef(0);
  const endOf = (one: BodyPage) => (typeof one.end === 'number' ? one.end : one.end ? one.size : one.offset + (one.text?.length ?? 0));
  const ask = async (offset: number) => {
    if (busy.current) return;
    busy.current = true;
    const mine = turn.current;
    setError(null);
    try {
      const next = await props.load(offset, kPageBytes);
      if (mine !== turn.current) return;
      if (next.size > kPlainMax) addRows(rows.current, next.text ?? '');
      else text.current += next.text ?? '';
      setPage(next);
    } catch (caught) {
      if (mine !== turn.current) return;
      setError(asApiError(caught));
      setAll(false);
    } finally {
      if (mine === turn.current) busy.current = false;
    }
  };
  useEffect(() => {
    turn.current += 1;
    busy.current = false;
    text.current = '';
    rows.current = [];
    setPage(null);
    setAll(false);
    void ask(0);
    return () => void (turn.current += 1);
  }, props.depends);
  const end = page ? endOf(page) : 0;
  const isMore = page !== null && end < page.size && page.base64 === undefined;
  useEffect(() => {
    if (all && isMore) void ask(end);
  }, [all, end]);
  if (!page)
    return (
      <div class="body">
        <Pending loading={!error} error={error} retry={() => void ask(0)} />
      </div>
    );
  const isLong = page.size > kPlainMax;
  const isJson = !isLong && /^\s*[{[]/.test(text.current);
  return (
    <>
      {page.base64 !== undefined ? <p class="body dim">These {bytes(page.size)} are no text; download them to look at them.</p> : null}
      {page.base64 === undefined && isLong ? <Rows rows={rows.current} label={props.label} onEnd={() => isMore && !error && void ask(end)} /> : null}
      {page.base64 === undefined && !isLong ? (
        <pre class="code wrap" tabIndex={0} aria-label={props.label}>
          {isJson && pretty ? prettyText(text.current) : visibleText(text.current)}
        </pre>
      ) : null}
      <div class="row body">
        <span class="dim" role="status">
          {isMore ? `${bytes(end)} of ${bytes(page.size)}` : bytes(page.size)}
          {page.charset ? `, ${page.charset}` : ''}
          {isLong ? `, ${kRowChars} characters a line` : ''}
        </span>
        {isMore ? (
          <button type="button" class="small" onClick={() => setAll(!all)}>
            {all ? 'Stop' : 'Load all of it'}
          </button>
        ) : null}
        {isJson ? <Check label="on many lines" checked={pretty} onChange={setPretty} /> : null}
      </div>
      <ErrorBox error={error} retry={() => void ask(end)} />
    </>
  );
}

// The message as it is written: segments, fields and components. What is under the pointer or the cursor is named below by the
// dictionary; the chosen field is explained. Arrow keys move between fields.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, type ApiError } from '../api';
import { visibleText } from '../components/body_text';
import { ErrorBox, Panel, Pending, State } from '../components/basics';
import { bytes } from '../format';
import { asApiError } from '../load';
import type { Component, Field, SegmentsAnswer } from '../types';
import { JsonView } from '../components/json_view';
import { fieldOf, overlaps, partsOf } from './place';

const kFieldMax = 400; // characters of a field in the line; the rest stands in the raw view

type Named = Pick<Component, 'name' | 'datatype' | 'table' | 'meaning'>;

function title(path: string, named: Named): string {
  const parts = [`${path} ${named.name ?? ''}`.trim(), named.datatype, named.table ? `table ${named.table}` : '', named.meaning ? `= ${named.meaning}` : ''];
  return parts.filter(Boolean).join(' · ');
}

function FieldDetail(props: { field: Field; chosen: string }) {
  const { field } = props;
  return (
    <div class="body detail">
      <h3>
        <span class="mono">{field.path}</span> {field.name} <span class="dim">{field.datatype}</span>
      </h3>
      <p class="mono wrap">{visibleText(field.raw.slice(0, 4 * kFieldMax))}</p>
      {field.meaning ? (
        <p>
          means <strong>{field.meaning}</strong> {field.table ? <span class="dim">(table {field.table})</span> : null}
        </p>
      ) : null}
      {field.components ? (
        <dl class="facts">
          {field.components.map((one) => (
            <>
              <dt class="mono">{one.path}</dt>
              <dd class={props.chosen !== field.path && overlaps(one.path, props.chosen) ? 'marked' : ''}>
                <span class="mono">{one.text}</span> <span class="dim">{[one.name, one.datatype, one.meaning].filter(Boolean).join(' · ')}</span>
              </dd>
            </>
          ))}
        </dl>
      ) : null}
      <p class="dim">
        bytes {field.offset} to {field.offset + field.length}
      </p>
    </div>
  );
}

export interface SegmentsState {
  answer: SegmentsAnswer | null;
  error: ApiError | null;
  busy: boolean;
  more: () => void;
}

const kPage = 200; // segments; more at once would hold up the page

/** Pages of segments, appended. */
export function useSegments(id: number): SegmentsState {
  const [answer, setAnswer] = useState<SegmentsAnswer | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(true);
  const ask = async (offset: number, before: SegmentsAnswer | null) => {
    setBusy(true);
    setError(null);
    try {
      const next = await api.segments(id, offset, kPage);
      setAnswer(before ? { ...next, segments: [...(before.segments ?? []), ...(next.segments ?? [])], findings: before.findings ?? [] } : next);
    } catch (caught) {
      setError(asApiError(caught));
    }
    setBusy(false);
  };
  useEffect(() => {
    setAnswer(null);
    void ask(0, null);
  }, [id]);
  return { answer, error, busy, more: () => answer?.next !== undefined && void ask(answer.next, answer) };
}

function Rows(props: { rows: string[][] }) {
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Rows">
      <table>
        <tbody>
          {props.rows.slice(0, 500).map((row, n) => (
            <tr key={n}>
              {row.map((cell, k) => (
                <td key={k}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** One field: its leaves can be pointed at; those in `marked` are lit. */
function FieldButton(props: { field: Field; first: boolean; delimiters: string; marked: readonly string[]; chosen: string; current: boolean; onChoose: (path: string) => void }) {
  const { field, marked } = props;
  const isChosen = props.chosen !== '' && fieldOf(props.chosen) === fieldOf(field.path);
  const cut = field.length > kFieldMax;
  const shown = visibleText(field.raw.slice(0, kFieldMax));
  const parts = field.components ? partsOf(field.path, shown, props.delimiters) : [{ text: shown, path: field.path }];
  return (
    <span>
      <span class="dim" aria-hidden="true">
        {props.first ? '' : '|'}
      </span>
      <button
        type="button"
        class={`hl7-field${isChosen ? ' chosen' : ''}`}
        data-path={field.path}
        tabIndex={props.current ? 0 : -1}
        aria-label={`${title(field.path, field)}: ${shown.slice(0, 80)}`}
        aria-pressed={isChosen}
        onClick={(event) => {
          const leaf = event.detail > 0 && event.target instanceof HTMLElement ? event.target.closest<HTMLElement>('[data-path]')?.dataset['path'] : undefined;
          props.onChoose(leaf ?? field.path);
        }}
      >
        <sup>{field.n}</sup>
        {parts.map((part, n) =>
          part.path === '' ? (
            <span key={n} class="dim">
              {part.text}
            </span>
          ) : (
            <span key={n} data-path={part.path} class={marked.some((one) => overlaps(one, part.path)) ? 'marked' : ''}>
              {part.text}
            </span>
          ),
        )}
      </button>
      {cut ? <span class="dim"> … {bytes(field.length)} in all, see Raw</span> : null}
    </span>
  );
}

/** The name of what is pointed at, as the dictionary has it. */
function nameOf(answer: SegmentsAnswer, path: string): string {
  const field = answer.segments?.flatMap((one) => one.fields).find((one) => fieldOf(one.path) === fieldOf(path));
  if (!field) return path;
  const leaf = path === field.path ? undefined : field.components?.find((one) => overlaps(one.path, path));
  return leaf ? `${title(leaf.path, leaf)}  in ${field.name ?? fieldOf(path)}` : title(field.path, field);
}

function moveFocus(box: HTMLElement, key: string): boolean {
  const rows = [...box.querySelectorAll<HTMLElement>('.segment')].map((row) => [...row.querySelectorAll<HTMLElement>('.hl7-field')]);
  const y = rows.findIndex((row) => row.some((one) => one === document.activeElement));
  const x = rows[y]?.findIndex((one) => one === document.activeElement) ?? -1;
  const all = rows.flat();
  const at = all.findIndex((one) => one === document.activeElement);
  const number = Number(rows[y]?.[x]?.querySelector('sup')?.textContent ?? 1);
  const near = (row: HTMLElement[] | undefined) => row?.find((one) => Number(one.querySelector('sup')?.textContent) >= number) ?? row?.at(-1);
  const next: Record<string, HTMLElement | undefined> = {
    ArrowRight: all[at + 1],
    ArrowLeft: all[at - 1],
    ArrowDown: near(rows[y + 1]),
    ArrowUp: y > 0 ? near(rows[y - 1]) : undefined,
    Home: rows[y]?.[0],
    End: rows[y]?.at(-1),
  };
  if (!(key in next)) return false;
  next[key]?.focus();
  return true;
}

export function Segments(props: { state: SegmentsState; marked: readonly string[]; chosen: string; onChoose: (path: string) => void }) {
  const { answer, error, busy, more } = props.state;
  const box = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState('');
  const [current, setCurrent] = useState('');
  useEffect(() => {
    const lit = box.current?.querySelector<HTMLElement>('.marked');
    if (lit && props.marked.length > 0) lit.scrollIntoView({ block: 'nearest' });
  }, [props.marked.join()]);
  if (!answer) return <Pending loading={busy} error={error} />;
  if (answer.json !== undefined) return <JsonView value={answer.json} />;
  if (answer.rows) return <Rows rows={answer.rows} />;
  if (answer.lines) return <Rows rows={answer.lines.map((line) => [line])} />;
  const segments = answer.segments ?? [];
  const chosen = props.chosen === '' ? undefined : segments.flatMap((one) => one.fields).find((one) => fieldOf(one.path) === fieldOf(props.chosen));
  const first = segments[0]?.fields[0]?.path ?? '';
  const point = (target: EventTarget | null) => setPointed(target instanceof Element ? (target.closest<HTMLElement>('[data-path]')?.dataset['path'] ?? '') : '');
  const markedIn = new Map<string, string[]>();
  for (const path of props.marked) markedIn.set(fieldOf(path), [...(markedIn.get(fieldOf(path)) ?? []), path]);
  return (
    <>
      <div
        class="segments"
        role="region"
        aria-label="Segments"
        ref={box}
        onMouseOver={(event) => point(event.target)}
        onMouseLeave={() => setPointed('')}
        onFocusCapture={(event) => {
          point(event.target);
          const path = event.target instanceof HTMLElement ? event.target.dataset['path'] : undefined;
          if (path) setCurrent(path);
        }}
        onKeyDown={(event) => {
          if (box.current && !event.ctrlKey && !event.metaKey && moveFocus(box.current, event.key)) event.preventDefault();
        }}
      >
        {segments.map((segment) => (
          <div key={segment.n} class="segment">
            <span class="segment-id" title={segment.name}>
              {segment.id}
            </span>
            {segment.fields.map((field, n) => (
              <FieldButton
                key={field.n}
                field={field}
                first={n === 0 && field.n === 1}
                delimiters={answer.delimiters ?? '|^~\\&'}
                marked={markedIn.get(fieldOf(field.path)) ?? []}
                chosen={props.chosen}
                current={field.path === (current || first)}
                onChoose={props.onChoose}
              />
            ))}
          </div>
        ))}
      </div>
      <p class="pointed mono" aria-hidden="true">
        {pointed ? nameOf(answer, pointed) : 'Point at a value, or move with the arrow keys, for its name.'}
      </p>
      {answer.next !== undefined ? (
        <div class="row body">
          <span class="dim">
            {segments.length} of {answer.total} segments
          </span>
          <button type="button" class="small" disabled={busy} onClick={more}>
            More
          </button>
        </div>
      ) : null}
      <ErrorBox error={error} />
      {chosen ? <FieldDetail field={chosen} chosen={props.chosen} /> : <p class="dim body">Choose a field for its components, its meaning, and what the map made of it.</p>}
      {answer.findings && answer.findings.length > 0 ? (
        <Panel title="Findings" class="flat">
          <ul class="body">
            {answer.findings.map((one, n) => (
              <li key={n}>
                <State state={one.severity} /> <span class="mono">{one.path}</span> {one.text} <span class="dim">{one.code}</span>
              </li>
            ))}
          </ul>
        </Panel>
      ) : null}
    </>
  );
}

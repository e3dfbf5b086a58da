// The message as segments and fields: each field is a button with its dictionary name; the chosen one is explained below.
import { useEffect, useState } from 'preact/hooks';
import { api, type ApiError } from '../api';
import { ErrorBox, Panel, Pending, State } from '../components/basics';
import { asApiError } from '../load';
import type { Field, SegmentsAnswer } from '../types';
import { JsonView } from '../components/json_view';

/** "PID-3[2].1" and "PID[2]-3.1" both lie in the field PID-3. */
export function fieldOf(path: string): string {
  const found = /^([A-Z][A-Z0-9]{2})(?:\[\d+\])?-(\d+)/.exec(path);
  return found ? `${found[1]}-${found[2]}` : path;
}

function title(field: Field): string {
  const parts = [`${field.path} ${field.name ?? ''}`.trim(), field.datatype, field.table ? `table ${field.table}` : '', field.meaning ? `= ${field.meaning}` : ''];
  return parts.filter(Boolean).join(' · ');
}

function FieldDetail(props: { field: Field }) {
  const { field } = props;
  return (
    <div class="body detail">
      <h3>
        <span class="mono">{field.path}</span> {field.name} <span class="dim">{field.datatype}</span>
      </h3>
      <p class="mono wrap">{field.text}</p>
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
              <dd>
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

/** Pages of 500 segments, appended. */
export function useSegments(id: number): SegmentsState {
  const [answer, setAnswer] = useState<SegmentsAnswer | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(true);
  const ask = async (offset: number, before: SegmentsAnswer | null) => {
    setBusy(true);
    setError(null);
    try {
      const next = await api.segments(id, offset);
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

export function Segments(props: { state: SegmentsState; marked: ReadonlySet<string>; chosen: string; onChoose: (path: string) => void }) {
  const { answer, error, busy, more } = props.state;
  if (!answer) return <Pending loading={busy} error={error} />;
  if (answer.json !== undefined) return <JsonView value={answer.json} />;
  if (answer.rows) return <Rows rows={answer.rows} />;
  if (answer.lines) return <Rows rows={answer.lines.map((line) => [line])} />;
  const segments = answer.segments ?? [];
  const chosen = segments.flatMap((one) => one.fields).find((one) => one.path === props.chosen);
  return (
    <>
      <div class="segments" tabIndex={0} role="region" aria-label="Segments">
        {segments.map((segment) => (
          <div key={segment.n} class="segment">
            <span class="segment-id" title={segment.name}>
              {segment.id}
            </span>
            {segment.fields.map((field) => (
              <span key={field.n}>
                <span class="dim" aria-hidden="true">
                  {field.n > 1 ? '|' : ''}
                </span>
                <button
                  type="button"
                  class={`hl7-field${props.marked.has(field.path) ? ' marked' : ''}${field.path === props.chosen ? ' chosen' : ''}`}
                  title={title(field)}
                  aria-label={`${title(field)}: ${field.text}`}
                  onClick={() => props.onChoose(field.path)}
                >
                  <sup>{field.n}</sup>
                  {field.text}
                </button>
              </span>
            ))}
          </div>
        ))}
      </div>
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
      {chosen ? <FieldDetail field={chosen} /> : <p class="dim body">Choose a field for its name, meaning and use.</p>}
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

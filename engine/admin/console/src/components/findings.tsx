import type { Finding } from '../types';
import { Empty, State, Words } from './basics';

/** What a check has found, with its place and help. */
export function Findings(props: { findings: Finding[]; none: string; onOpen?: (file: string, line: number) => void }) {
  if (props.findings.length === 0) return <Empty>{props.none}</Empty>;
  return (
    <ul>
      {props.findings.map((one, n) => (
        <li key={n} class="body line">
          <div class="row">
            <State state={one.severity} />
            {one.file ? (
              <button type="button" class="link mono" disabled={!props.onOpen} onClick={() => props.onOpen?.(one.file ?? '', one.line ?? 1)}>
                {one.file}:{one.line}:{one.column}
              </button>
            ) : (
              <span class="mono">{one.path}</span>
            )}
            <span class="dim mono">{one.code}</span>
          </div>
          <p class="wrap">
            <Words text={one.text} />
          </p>
          {one.notes?.map((note, k) => (
            <p key={k} class="dim wrap">
              {note}
            </p>
          ))}
          {one.help ? (
            <p>
              <Words text={one.help} />
            </p>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

import type { DiffLine } from '../diff';

const kSigns = { same: ' ', added: '+', removed: '-' };
const kContext = 3; // equal lines kept around a change

/** Changed lines with a sign, and what stands around them. */
export function DiffView(props: { lines: DiffLine[]; label: string }) {
  const near = new Set<number>();
  props.lines.forEach((line, n) => {
    if (line.kind !== 'same') for (let k = n - kContext; k <= n + kContext; k++) near.add(k);
  });
  if (near.size === 0) return <p class="dim body">No difference.</p>;
  const shown = props.lines.flatMap((line, n) => (near.has(n) ? [{ ...line, n }] : []));
  return (
    <pre class="code" tabIndex={0} aria-label={props.label}>
      {shown.map((line, k) => (
        <span key={line.n}>
          {k > 0 && shown[k - 1]?.n !== line.n - 1 ? <span class="dim">⋯{'\n'}</span> : null}
          <span class={line.kind === 'same' ? '' : line.kind}>
            {kSigns[line.kind]} {line.text}
            {'\n'}
          </span>
        </span>
      ))}
    </pre>
  );
}

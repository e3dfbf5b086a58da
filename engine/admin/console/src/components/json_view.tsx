// JSON as a tree that folds; strings are always text.
import { useState } from 'preact/hooks';
import { rawText } from '../fhir/exact_json';
import type { Json } from '../types';

const kOpenDepth = 4;
const kShownMax = 200; // members of one object or array before "more"

function Leaf(props: { value: Json }) {
  const { value } = props;
  const raw = rawText(value);
  if (raw !== null) return <span class="json-number">{raw}</span>;
  const kind = value === null ? 'null' : typeof value;
  return <span class={`json-${kind}`}>{JSON.stringify(value)}</span>;
}

function Node(props: { name?: string; value: Json; depth: number; onLink?: (reference: string) => void }) {
  const { value, name, depth } = props;
  const [open, setOpen] = useState(depth < kOpenDepth);
  const [shown, setShown] = useState(kShownMax);
  const label = name === undefined ? null : <span class="json-name">{name}: </span>;
  if (value === null || typeof value !== 'object' || rawText(value) !== null) {
    if (name === 'reference' && typeof value === 'string' && props.onLink) {
      const { onLink } = props;
      return (
        <li>
          {label}
          <button type="button" class="link mono" onClick={() => onLink(value)}>
            {JSON.stringify(value)}
          </button>
        </li>
      );
    }
    return (
      <li>
        {label}
        <Leaf value={value} />
      </li>
    );
  }
  const entries: [string, Json][] = Array.isArray(value) ? value.map((one, n) => [String(n), one]) : Object.entries(value);
  const [begin, end] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0)
    return (
      <li>
        {label}
        {begin}
        {end}
      </li>
    );
  return (
    <li>
      <button type="button" class="json-fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span aria-hidden="true">{open ? '▾' : '▸'}</span> {label}
        {begin}
        {open ? '' : ` ${entries.length} ${end}`}
      </button>
      {open ? (
        <>
          <ul>
            {entries.slice(0, shown).map(([key, one]) => (
              <Node key={key} name={key} value={one} depth={depth + 1} {...(props.onLink ? { onLink: props.onLink } : {})} />
            ))}
            {entries.length > shown ? (
              <li>
                <button type="button" class="small" onClick={() => setShown(shown + kShownMax)}>
                  {entries.length - shown} more
                </button>
              </li>
            ) : null}
          </ul>
          {end}
        </>
      ) : null}
    </li>
  );
}

export function JsonView(props: { value: Json; onLink?: (reference: string) => void }) {
  return (
    <ul class="json" tabIndex={0} aria-label="JSON">
      <Node value={props.value} depth={0} {...(props.onLink ? { onLink: props.onLink } : {})} />
    </ul>
  );
}

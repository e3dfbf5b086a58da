// A body of any size, in pages of 64 kB: what is not asked for does not come into the browser.
import { useEffect, useState } from 'preact/hooks';
import { bytes } from '../format';
import { asApiError } from '../load';
import type { ApiError } from '../api';
import type { BodyPage } from '../types';
import { ErrorBox, Pending } from './basics';

/** Carriage returns end lines; other control characters get a picture. */
export function visibleText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (found) => String.fromCharCode(0x2400 + found.charCodeAt(0)));
}

export function BodyText(props: { load: (offset: number) => Promise<BodyPage>; depends: readonly unknown[]; label: string; onText?: (text: string) => void }) {
  const [pages, setPages] = useState<BodyPage[]>([]);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const ask = async (offset: number, before: BodyPage[]) => {
    setBusy(true);
    setError(null);
    try {
      const next = [...before, await props.load(offset)];
      setPages(next);
      props.onText?.(next.map((one) => one.text ?? '').join(''));
    } catch (caught) {
      setError(asApiError(caught));
    }
    setBusy(false);
  };
  useEffect(() => {
    setPages([]);
    void ask(0, []);
  }, props.depends);
  const last = pages.at(-1);
  const end = last ? (typeof last.end === 'number' ? last.end : last.end ? last.size : last.offset + (last.text?.length ?? 0)) : 0;
  if (!last) return <Pending loading={busy} error={error} retry={() => void ask(0, [])} />;
  const text = pages.map((one) => one.text ?? '').join('');
  return (
    <>
      {last.base64 !== undefined ? (
        <p class="body dim">These {bytes(last.size)} are no text; download them to look at them.</p>
      ) : (
        <pre class="code wrap" tabIndex={0} aria-label={props.label}>
          {visibleText(text)}
        </pre>
      )}
      <div class="row body">
        <span class="dim">
          {bytes(Math.min(end, last.size))} of {bytes(last.size)}
          {last.charset ? `, ${last.charset}` : ''}
        </span>
        {end < last.size ? (
          <button type="button" class="small" disabled={busy} onClick={() => void ask(end, pages)}>
            More
          </button>
        ) : null}
      </div>
      <ErrorBox error={error} />
    </>
  );
}

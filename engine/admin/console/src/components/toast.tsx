// Short notes of what has been done; read out by screen readers.
import { Store, useStore } from '../store';
import type { Tone } from './basics';

interface Toast {
  id: number;
  text: string;
  tone: Tone;
}

const toasts = new Store<Toast[]>([]);
let last = 0;
const kShownMs = 6000;

export function say(text: string, tone: Tone = 'ok'): void {
  const toast = { id: ++last, text, tone };
  toasts.set([...toasts.value.slice(-3), toast]);
  setTimeout(() => toasts.set(toasts.value.filter((one) => one !== toast)), kShownMs);
}

export function Toasts() {
  const shown = useStore(toasts);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map((one) => (
        <div key={one.id} class={`message-box ${one.tone}`}>
          {one.text}
        </div>
      ))}
    </div>
  );
}

// Keyboard: shortcuts of the whole console and those that the open page adds. "?" lists what holds now.
import { useEffect } from 'preact/hooks';
import { Store } from './store';

export interface Shortcut {
  keys: string; // "g d" is one key after the other
  text: string;
  run: () => void;
}

export const shortcuts = new Store<Shortcut[]>([]);
let waiting = '';
let waitingSince = 0;
const kPatienceMs = 1200; // between the two keys of a pair

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.shadowRoot !== null;
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isTyping(event.target) || document.querySelector('dialog[open]')) return;
  const first = event.timeStamp - waitingSince < kPatienceMs ? waiting : '';
  waiting = '';
  const pressed = first ? `${first} ${event.key}` : event.key;
  const found = [...shortcuts.value].reverse().find((one) => one.keys === pressed);
  if (found) {
    event.preventDefault();
    found.run();
  } else if (shortcuts.value.some((one) => one.keys.startsWith(`${event.key} `))) {
    waiting = event.key;
    waitingSince = event.timeStamp;
  }
}

addEventListener('keydown', onKey);

/** Shortcuts that hold while the component is there. */
export function useShortcuts(added: Shortcut[], depends: readonly unknown[]): void {
  useEffect(() => {
    shortcuts.set([...shortcuts.value, ...added]);
    return () => shortcuts.set(shortcuts.value.filter((one) => !added.includes(one)));
  }, depends);
}

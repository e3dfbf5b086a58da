// Light or dark: what the system prefers, until the switch says otherwise.
import { Store } from './store';

export type Theme = 'auto' | 'light' | 'dark';
const kKey = 'kiln.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

function stored(): Theme {
  try {
    const text = localStorage.getItem(kKey);
    return text === 'light' || text === 'dark' ? text : 'auto';
  } catch {
    return 'auto'; // storage is switched off
  }
}

export const theme = new Store<Theme>(stored());

export function isDark(): boolean {
  return theme.value === 'dark' || (theme.value === 'auto' && dark.matches);
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = isDark() ? 'dark' : 'light';
}

export function nextTheme(): void {
  const order: Theme[] = ['auto', 'light', 'dark'];
  const next = order[(order.indexOf(theme.value) + 1) % order.length] ?? 'auto';
  try {
    localStorage.setItem(kKey, next);
  } catch {
    // Only this page keeps it then.
  }
  theme.set(next);
}

dark.addEventListener('change', applyTheme);
theme.subscribe(applyTheme);

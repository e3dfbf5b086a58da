// Who is logged in, and with which rights. `null` until the engine has been asked.
import { api } from './api';
import { Store, useStore } from './store';
import type { Right, Session } from './types';

export const session = new Store<Session | null>(null);

export async function askSession(): Promise<void> {
  session.set(await api.session());
}

export function mayDo(right: Right): boolean {
  return session.value?.rights?.includes(right) ?? false;
}

export function useRight(right: Right): boolean {
  return useStore(session)?.rights?.includes(right) ?? false;
}

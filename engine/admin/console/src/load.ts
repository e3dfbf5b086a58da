// Asking the engine for what a page shows.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, inBackground } from './api';

export interface Loaded<T> {
  data: T | null;
  error: ApiError | null;
  loading: boolean;
  at: number; // when the data came, ms; 0 before
  reload: () => void;
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, 'console-fault', error instanceof Error ? error.message : String(error));
}

/** Loads anew when `depends` change, and every `everyMs`; an answer that comes too late is dropped. */
export function useLoad<T>(load: () => Promise<T>, depends: readonly unknown[], everyMs = 0): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, 'reload'>>({ data: null, error: null, loading: true, at: 0 });
  const turn = useRef(0);
  const run = useCallback((keep: boolean, byItself = false) => {
    const mine = ++turn.current;
    setState((old) => ({ data: keep ? old.data : null, error: keep ? old.error : null, loading: true, at: keep ? old.at : 0 }));
    (byItself ? inBackground(load) : load()).then(
      (data) => {
        if (mine === turn.current) setState({ data, error: null, loading: false, at: Date.now() });
      },
      (error: unknown) => {
        if (mine === turn.current) setState((old) => ({ ...old, error: asApiError(error), loading: false }));
      },
    );
  }, depends);
  useEffect(() => {
    run(false);
    const timer = everyMs > 0 ? setInterval(() => run(true, true), everyMs) : 0;
    return () => {
      turn.current += 1;
      clearInterval(timer);
    };
  }, [run, everyMs]);
  return { ...state, reload: () => run(true) };
}

/** An action of the person: runs once at a time, keeps its error. */
export function useAction<A extends unknown[]>(action: (...parameters: A) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run = async (...parameters: A): Promise<boolean> => {
    if (busy) return false;
    setBusy(true);
    setError(null);
    try {
      await action(...parameters);
      return true;
    } catch (caught) {
      setError(asApiError(caught));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, error, clear: () => setError(null) };
}

// Plain words while nothing comes from the engine: what stands on the screen is old, and the console comes back by itself.
import { useEffect, useState } from 'preact/hooks';
import { duration } from '../format';
import { live, reconnect } from '../live';
import { useStore } from '../store';
import { Time } from './basics';

export function Lost() {
  const { at, stale } = useStore(live);
  const [, tick] = useState(0);
  const isLost = stale && at > 0;
  useEffect(() => {
    if (!isLost) return undefined;
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [isLost]);
  if (!isLost) return null;
  return (
    <div class="lost" role="status">
      <strong>No connection to the engine for {duration((Date.now() - at) / 1000)}.</strong>
      <span>
        What you see is from <Time at={new Date(at).toISOString()} />. The console connects again by itself and then shows all that came meanwhile.
      </span>
      <button type="button" class="small" onClick={reconnect}>
        Connect now
      </button>
    </div>
  );
}

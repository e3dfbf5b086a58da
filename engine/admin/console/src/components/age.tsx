// How old the live data on the screen is: never green when stale.
import { useEffect, useState } from 'preact/hooks';
import { duration } from '../format';
import { live } from '../live';
import { useStore } from '../store';
import { State } from './basics';

export function Age() {
  const { at, stale } = useStore(live);
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = at === 0 ? 0 : Math.floor((Date.now() - at) / 1000);
  if (at === 0) return <State state="connecting" tone="idle" text="connecting" />;
  if (stale) return <State state="stale" tone="idle" text={`no data for ${duration(seconds)}`} />;
  return <State state="live" tone="ok" text={seconds < 2 ? 'live' : `${seconds} s old`} />;
}

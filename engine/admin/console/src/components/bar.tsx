// The bar on top: where this is, how old its data is, whose session it is.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { live } from '../live';
import { asApiError } from '../load';
import { link } from '../router';
import { session } from '../session';
import { useStore } from '../store';
import { nextTheme, theme } from '../theme';
import { Age } from './age';
import { State, Time } from './basics';
import { BreakGlass } from './break_glass';
import { say } from './toast';

export function Bar(props: { onMenu: () => void; onHelp: () => void }) {
  const who = useStore(session);
  const shade = useStore(theme);
  const { status, stale } = useStore(live);
  const [asking, setAsking] = useState(false);
  const logOff = () => {
    api.logOff().then(
      () => session.set({ user: null, setup: false, version: who?.version ?? '' }),
      (error: unknown) => say(asApiError(error).message, 'bad'),
    );
  };
  const sees = who?.rights?.includes('phi.view');
  return (
    <header class="bar">
      <button type="button" class="menu-button small" onClick={props.onMenu} aria-label="Menu">
        ☰
      </button>
      <a class="brand" href={link('dashboard')}>
        Kiln
      </a>
      <Age />
      {status && !stale && status.verdict.level !== 'ok' ? (
        <a class="wide-only" href={link('dashboard')}>
          <State state={status.verdict.level} text={`${status.problems.length} problem${status.problems.length === 1 ? '' : 's'}`} />
        </a>
      ) : null}
      <span class="grow site wide-only mono">{status ? `config ${status.config.slice(0, 10)}` : ''}</span>
      <span class="grow" />
      {who?.break_glass_until ? (
        <span class="badge bad">
          emergency access until <Time at={who.break_glass_until} />
        </span>
      ) : null}
      {!sees ? (
        <button type="button" class="small wide-only" onClick={() => setAsking(true)}>
          Emergency access…
        </button>
      ) : null}
      <button type="button" class="small wide-only" onClick={nextTheme} title="Light, dark or as the system (t)">
        Theme: {shade}
      </button>
      <button type="button" class="small" onClick={props.onHelp} aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)">
        ?
      </button>
      <span class="wide-only nowrap">
        {who?.name || who?.user} <span class="dim">({who?.role})</span>
      </span>
      <button type="button" class="small" onClick={logOff}>
        Log off
      </button>
      {asking ? <BreakGlass onClose={() => setAsking(false)} /> : null}
    </header>
  );
}

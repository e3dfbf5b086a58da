import { useState } from 'preact/hooks';
import { count } from '../format';
import { firing, live } from '../live';
import { pages } from '../pages';
import { link } from '../router';
import { session } from '../session';
import { useStore } from '../store';
import { nextTheme, theme } from '../theme';
import { BreakGlass } from './break_glass';

const kGroups = ['Operate', 'Configure', 'Data', 'Manage'] as const;

export function Nav(props: { open: boolean; page: string }) {
  const who = useStore(session);
  const { status } = useStore(live);
  const shade = useStore(theme);
  const alerts = useStore(firing);
  const [asking, setAsking] = useState(false);
  const quarantined = status?.totals?.quarantined ?? 0;
  return (
    <nav class={`nav drawer ${props.open ? 'open' : ''}`} aria-label="Pages">
      {kGroups.map((group) => {
        const shown = pages.filter((one) => one.group === group && who?.rights?.includes(one.right));
        if (shown.length === 0) return null;
        return (
          <div key={group}>
            <h2>{group}</h2>
            <ul>
              {shown.map((one) => (
                <li key={one.name}>
                  <a href={link(one.name)} {...(one.name === props.page || (one.name === 'messages' && props.page === 'message') ? { 'aria-current': 'page' as const } : {})}>
                    {one.title}
                    {one.name === 'quarantine' && quarantined > 0 ? <span class="count">{count(quarantined)}</span> : null}
                    {one.name === 'alerts' && alerts > 0 ? <span class="count">{count(alerts)}</span> : null}
                  </a>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
      <div class="narrow-only">
        <span class="dim">
          {who?.name || who?.user} ({who?.role})
        </span>
        <button type="button" onClick={nextTheme}>
          Theme: {shade}
        </button>
        {who?.rights?.includes('phi.view') ? null : (
          <button type="button" onClick={() => setAsking(true)}>
            Emergency access…
          </button>
        )}
      </div>
      {asking ? <BreakGlass onClose={() => setAsking(false)} /> : null}
    </nav>
  );
}

// The frame around the pages: asks who is there, shows login, navigation and the open page.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, api, whenLoginNeeded } from './api';
import { Empty, ErrorBox, PageHead } from './components/basics';
import { Bar } from './components/bar';
import { Help } from './components/help';
import { Lost } from './components/lost';
import { Nav } from './components/nav';
import { say, Toasts } from './components/toast';
import { useShortcuts } from './keys';
import { startLive, stopLive } from './live';
import { asApiError } from './load';
import { Login } from './pages/login';
import { pages, type PageSpec } from './pages';
import { go, link, useRoute } from './router';
import { askSession, session } from './session';
import { Password, SecondFactor } from './settings/account';
import { useStore } from './store';
import { nextTheme } from './theme';
import type { Session } from './types';

const loaded = new Map<string, ComponentType>();

function Page(props: { spec: PageSpec }) {
  const { spec } = props;
  const [, redraw] = useState(0);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    document.title = `${spec.title} · Kiln`;
    setError(null);
    if (loaded.has(spec.name)) return;
    spec.load().then(
      (module) => {
        loaded.set(spec.name, module.default);
        redraw((n) => n + 1);
      },
      () => setError(new ApiError(0, 'offline', 'This page could not be loaded', undefined, 'The engine was updated or does not answer: reload the page.')),
    );
  }, [spec]);
  const Component = loaded.get(spec.name);
  if (error) return <ErrorBox error={error} retry={() => location.reload()} />;
  return Component ? <Component /> : null;
}

function Frame() {
  const route = useRoute();
  const who = useStore(session);
  const [menu, setMenu] = useState(false);
  const [help, setHelp] = useState(false);
  const spec = pages.find((one) => one.name === route.page);
  useEffect(() => {
    startLive();
    return stopLive;
  }, []);
  useEffect(() => setMenu(false), [route]);
  useEffect(() => document.querySelector<HTMLElement>('#main')?.scrollTo(0, 0), [route.page]);
  useShortcuts(
    [
      { keys: '?', text: 'Show these shortcuts', run: () => setHelp(true) },
      { keys: 't', text: 'Light, dark or as the system', run: nextTheme },
      ...pages.flatMap((one) => (one.key ? [{ keys: `g ${one.key}`, text: `Go to ${one.title}`, run: () => go(link(one.name)) }] : [])),
    ],
    [],
  );
  const allowed = spec && (who?.rights?.includes(spec.right) ?? false);
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        document.querySelector<HTMLElement>('#main')?.focus();
      }}>
        Skip to the page
      </a>
      <Bar onMenu={() => setMenu(!menu)} onHelp={() => setHelp(true)} />
      <Lost />
      <Nav open={menu} page={route.page} />
      <button type="button" class={`veil ${menu ? 'open' : ''}`} aria-label="Close the menu" tabIndex={-1} onClick={() => setMenu(false)} />
      <main class="main" id="main" tabIndex={-1}>
        {!spec ? <Empty>There is no such page.</Empty> : null}
        {spec && !allowed ? <Empty>Your role ({who?.role}) does not hold the right “{spec.right}”.</Empty> : null}
        {spec && allowed ? <Page spec={spec} /> : null}
      </main>
      {help ? <Help onClose={() => setHelp(false)} /> : null}
    </div>
  );
}

function mustFirst(who: Session): boolean {
  return (who.must_change_password ?? false) || ((who.mfa_required ?? false) && !who.mfa);
}

/** An account whose password somebody else has set, or whose role needs a second factor, holds no right before that is done. */
function FirstSteps() {
  const who = useStore(session);
  const logOff = () => {
    api.logOff().then(
      () => session.set({ user: null, setup: false, version: who?.version ?? '' }),
      (caught: unknown) => say(asApiError(caught).message, 'bad'),
    );
  };
  return (
    <main class="main first-steps" id="main">
      <div class="stack">
        <PageHead title="Before you begin">
          <span class="grow" />
          <span>{who?.name || who?.user}</span>
          <button type="button" class="small" onClick={logOff}>
            Log off
          </button>
        </PageHead>
        {who?.must_change_password ? (
          <>
            <p>Your password was set by somebody else. Choose one that only you know; until then the account may do nothing.</p>
            <Password />
          </>
        ) : (
          <>
            <p>Accounts of your role need a second factor. Set it up; until then the account may do nothing.</p>
            <SecondFactor />
          </>
        )}
      </div>
    </main>
  );
}

export function App() {
  const who = useStore(session);
  const [error, setError] = useState<ApiError | null>(null);
  const ask = () => {
    setError(null);
    askSession().catch((caught: unknown) => setError(asApiError(caught)));
  };
  useEffect(() => {
    whenLoginNeeded(() => {
      const { value } = session;
      if (value?.user) session.set({ user: null, setup: false, version: value.version });
    });
    ask();
  }, []);
  return (
    <>
      {who?.user ? mustFirst(who) ? <FirstSteps /> : <Frame /> : null}
      {who && !who.user ? <Login setup={who.setup ?? false} /> : null}
      {error && !who ? <div class="login"><ErrorBox error={error} retry={ask} /></div> : null}
      <Toasts />
    </>
  );
}

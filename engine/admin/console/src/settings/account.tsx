import { useState } from 'preact/hooks';
import { api } from '../api';
import { ErrorBox, Field, Panel, State } from '../components/basics';
import { say } from '../components/toast';
import { useAction } from '../load';
import { askSession, session } from '../session';
import { useStore } from '../store';

export function Password() {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [again, setAgain] = useState('');
  const { run, busy, error } = useAction(async () => {
    await api.changePassword(old, fresh);
    setOld('');
    setFresh('');
    setAgain('');
    say('The password is changed.');
    await askSession();
  });
  return (
    <Panel title="Password">
      <form
        class="body stack tight narrow"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <input hidden autocomplete="username" value={session.value?.user ?? ''} />
        <Field label="Password now">{(id) => <input id={id} type="password" autocomplete="current-password" value={old} onInput={(event) => setOld(event.currentTarget.value)} />}</Field>
        <Field label="New password">{(id) => <input id={id} type="password" autocomplete="new-password" value={fresh} onInput={(event) => setFresh(event.currentTarget.value)} />}</Field>
        <Field label="New password again" hint={again !== '' && again !== fresh ? 'The two are not the same.' : undefined}>
          {(id) => <input id={id} type="password" autocomplete="new-password" value={again} onInput={(event) => setAgain(event.currentTarget.value)} />}
        </Field>
        <ErrorBox error={error} />
        <p>
          <button type="submit" class="primary" disabled={busy || old === '' || fresh === '' || fresh !== again}>
            Change the password
          </button>
        </p>
      </form>
    </Panel>
  );
}

export function SecondFactor() {
  const who = useStore(session);
  const [enrolment, setEnrolment] = useState<{ secret: string; uri: string } | null>(null);
  const [code, setCode] = useState('');
  const [password, setPassword] = useState('');
  const begin = useAction(async () => setEnrolment(await api.enrolTotp()));
  const confirm = useAction(async () => {
    await api.confirmTotp(code.trim());
    setEnrolment(null);
    setCode('');
    say('The second factor is on.');
    await askSession();
  });
  const remove = useAction(async () => {
    await api.removeTotp(password);
    setPassword('');
    say('The second factor is off.', 'warn');
    await askSession();
  });
  return (
    <Panel title="Second factor (TOTP)" tools={<State state={who?.mfa ? 'ok' : 'off'} text={who?.mfa ? 'on' : 'off'} tone={who?.mfa ? 'ok' : 'idle'} />}>
      <div class="body stack tight narrow">
        {who?.mfa_required && !who.mfa ? <div class="message-box warn">Your role needs a second factor.</div> : null}
        {!who?.mfa && !enrolment ? (
          <p>
            <button type="button" class="primary" disabled={begin.busy} onClick={() => void begin.run()}>
              Set it up
            </button>
          </p>
        ) : null}
        {enrolment ? (
          <form
            class="stack tight"
            onSubmit={(event) => {
              event.preventDefault();
              void confirm.run();
            }}
          >
            <p>Enter this key in your authenticator (time-based, six digits), then the code that it shows.</p>
            <p>
              <code class="wrap">{enrolment.secret.replace(/(.{4})/g, '$1 ')}</code>
            </p>
            <p class="dim">
              <code class="wrap">{enrolment.uri}</code>
            </p>
            <Field label="Code">{(id) => <input id={id} inputMode="numeric" autocomplete="one-time-code" value={code} onInput={(event) => setCode(event.currentTarget.value)} />}</Field>
            <p>
              <button type="submit" class="primary" disabled={confirm.busy || code === ''}>
                Switch it on
              </button>
            </p>
          </form>
        ) : null}
        {who?.mfa ? (
          <form
            class="stack tight"
            onSubmit={(event) => {
              event.preventDefault();
              void remove.run();
            }}
          >
            <Field label="Password, to switch it off">
              {(id) => <input id={id} type="password" autocomplete="current-password" value={password} onInput={(event) => setPassword(event.currentTarget.value)} />}
            </Field>
            <p>
              <button type="submit" disabled={remove.busy || password === ''}>
                Switch it off
              </button>
            </p>
          </form>
        ) : null}
        <ErrorBox error={begin.error ?? confirm.error ?? remove.error} />
      </div>
    </Panel>
  );
}

export function Account() {
  const who = useStore(session);
  return (
    <div class="stack">
      <Panel title="You">
        <dl class="facts body">
          <dt>User</dt>
          <dd>{who?.user}</dd>
          <dt>Name</dt>
          <dd>{who?.name}</dd>
          <dt>Role</dt>
          <dd>{who?.role}</dd>
          <dt>Rights</dt>
          <dd>{who?.rights?.join(', ')}</dd>
          <dt>Log-off when idle</dt>
          <dd>{who?.idle_seconds ? `${Math.round(who.idle_seconds / 60)} min` : '–'}</dd>
        </dl>
      </Panel>
      <div class="columns">
        <Password />
        <SecondFactor />
      </div>
    </div>
  );
}

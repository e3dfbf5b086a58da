// Login, the first account (with the token that `kiln run` has printed), and the second factor.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { ErrorBox, Field } from '../components/basics';
import { useAction } from '../load';
import { session } from '../session';

function FirstAccount() {
  const [form, setForm] = useState({ token: '', user: '', name: '', password: '', again: '' });
  const set = (name: keyof typeof form) => (event: { currentTarget: HTMLInputElement }) => setForm({ ...form, [name]: event.currentTarget.value });
  const { run, busy, error } = useAction(async () => {
    session.set(await api.setup({ token: form.token.trim(), user: form.user.trim(), name: form.name.trim(), password: form.password }));
  });
  const same = form.password === form.again;
  const ready = form.token !== '' && form.user !== '' && form.password !== '' && same;
  return (
    <form
      class="body"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) void run();
      }}
    >
      <p>Kiln has no account yet. The first one holds all rights.</p>
      <Field label="One-time token" hint={<>Printed by <code>kiln run</code> when it started; good for 15 minutes.</>}>
        {(id) => <input id={id} class="mono" autocomplete="off" value={form.token} onInput={set('token')} />}
      </Field>
      <Field label="User">{(id) => <input id={id} autocomplete="username" value={form.user} onInput={set('user')} />}</Field>
      <Field label="Your name">{(id) => <input id={id} autocomplete="name" value={form.name} onInput={set('name')} />}</Field>
      <Field label="Password">
        {(id) => <input id={id} type="password" autocomplete="new-password" value={form.password} onInput={set('password')} />}
      </Field>
      <Field label="Password again" hint={form.again !== '' && !same ? 'The two are not the same.' : undefined}>
        {(id) => <input id={id} type="password" autocomplete="new-password" value={form.again} onInput={set('again')} />}
      </Field>
      <ErrorBox error={error} />
      <button class="primary" type="submit" disabled={busy || !ready}>
        Create the account
      </button>
    </form>
  );
}

function LogIn() {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [codeNeeded, setCodeNeeded] = useState(false);
  const { run, busy, error } = useAction(async () => {
    const answer = await api.logIn({ user: user.trim(), password, ...(codeNeeded ? { code: code.trim() } : {}) });
    if (answer === 'code-needed') setCodeNeeded(true);
    else session.set(answer);
  });
  return (
    <form
      class="body"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <Field label="User">
        {(id) => <input id={id} autocomplete="username" value={user} onInput={(event) => setUser(event.currentTarget.value)} />}
      </Field>
      <Field label="Password">
        {(id) => <input id={id} type="password" autocomplete="current-password" value={password} onInput={(event) => setPassword(event.currentTarget.value)} />}
      </Field>
      {codeNeeded ? (
        <Field label="Code" hint="The six digits that your authenticator shows.">
          {(id) => <input id={id} inputMode="numeric" autocomplete="one-time-code" value={code} onInput={(event) => setCode(event.currentTarget.value)} />}
        </Field>
      ) : null}
      <ErrorBox error={error} />
      <button class="primary" type="submit" disabled={busy || user === '' || password === '' || (codeNeeded && code === '')}>
        Log in
      </button>
    </form>
  );
}

export function Login(props: { setup: boolean }) {
  return (
    <main class="login">
      <section class="panel">
        <header>
          <h1>Kiln</h1>
        </header>
        {props.setup ? <FirstAccount /> : <LogIn />}
      </section>
    </main>
  );
}

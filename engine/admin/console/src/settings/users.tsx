import { useState } from 'preact/hooks';
import { api } from '../api';
import { Check, ErrorBox, Field, Panel, Pending, State, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Confirm, Dialog } from '../components/dialog';
import { say } from '../components/toast';
import { secondsSince } from '../format';
import { useAction, useLoad } from '../load';
import { session } from '../session';
import type { User } from '../types_admin';

const kOwner = { name: 'owner', may: 'all of it: the first account' };
const kRoles: { name: string; may: string }[] = [
  { name: 'viewer', may: 'dashboard, metrics, search without content' },
  { name: 'operator', may: 'also start, stop, pause, release, replay, edit and resend, drop' },
  { name: 'developer', may: 'also configuration, maps, playground' },
  { name: 'auditor', may: 'the audit log: read, verify, export' },
  { name: 'admin', may: 'users, roles, keys, certificates, configuration; no replay' },
];

function Editor(props: { user: User | null; onClose: () => void; onDone: () => void }) {
  const { user } = props;
  const [form, setForm] = useState({ user: user?.user ?? '', name: user?.name ?? '', role: user?.role ?? 'viewer', phi_view: user?.phi_view ?? false, disabled: user?.disabled ?? false, password: '' });
  const { run, busy, error } = useAction(async () => {
    const { user: login, name, role, phi_view, disabled, password } = form;
    if (user) await api.changeUser(login, { name, role, phi_view, disabled, ...(password ? { password } : {}) });
    else await api.addUser({ user: login.trim(), name, role, phi_view, password });
    say(`${login} is saved`);
    props.onDone();
    props.onClose();
  });
  const ready = form.user.trim() !== '' && (user !== null || form.password !== '');
  return (
    <Dialog
      title={user ? `Account ${user.user}` : 'New account'}
      onClose={props.onClose}
      onSubmit={() => void (ready && run())}
      footer={
        <>
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!ready || busy}>
            Save
          </button>
        </>
      }
    >
      {user ? null : <Field label="User" hint="Of one person: accounts are not shared.">{(id) => <input id={id} autocomplete="off" value={form.user} onInput={(event) => setForm({ ...form, user: event.currentTarget.value })} />}</Field>}
      <Field label="Name">{(id) => <input id={id} autocomplete="off" value={form.name} onInput={(event) => setForm({ ...form, name: event.currentTarget.value })} />}</Field>
      <Field label="Role" hint={kRoles.find((one) => one.name === form.role)?.may}>
        {(id) => (
          <select id={id} value={form.role} onChange={(event) => setForm({ ...form, role: event.currentTarget.value })}>
            {form.role === 'owner' ? <option>owner</option> : null}
            {kRoles.map((one) => (
              <option key={one.name}>{one.name}</option>
            ))}
          </select>
        )}
      </Field>
      <Check label="sees message content (phi.view)" checked={form.phi_view} onChange={(on) => setForm({ ...form, phi_view: on })} />
      {user ? <Check label="disabled" checked={form.disabled} onChange={(on) => setForm({ ...form, disabled: on })} /> : null}
      <Field label={user ? 'New password (empty: as it is)' : 'First password'} hint="To be changed at the first login.">
        {(id) => <input id={id} type="password" autocomplete="new-password" value={form.password} onInput={(event) => setForm({ ...form, password: event.currentTarget.value })} />}
      </Field>
      <ErrorBox error={error} />
    </Dialog>
  );
}

export function Users() {
  const { data, error, loading, reload } = useLoad(() => api.users(), []);
  const [editing, setEditing] = useState<User | null | 'new'>(null);
  const [asked, setAsked] = useState<{ what: 'remove' | 'unlock' | 'reset'; user: User } | null>(null);
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  const locked = (user: User) => user.locked_until !== undefined && secondsSince(user.locked_until) < 0;
  const texts = {
    remove: { title: 'Remove', text: 'The account can no longer log in. What it did stays in the audit log.' },
    unlock: { title: 'Unlock', text: 'Wrong passwords locked it; it can try again at once.' },
    reset: { title: 'Reset the second factor of', text: 'It logs in with the password only, until it sets a new one up.' },
  };
  return (
    <div class="stack">
      <Panel
        title="Accounts"
        tools={
          <button type="button" class="small primary" onClick={() => setEditing('new')}>
            New account…
          </button>
        }
      >
        <DataTable
          label="Accounts"
          items={data.users}
          id={(user) => user.user}
          empty="There is no account."
          columns={[
            { title: 'User', cell: (user) => <strong>{user.user}</strong> },
            { title: 'Name', cell: (user) => <span class="wrap">{user.name}</span> },
            { title: 'Role', cell: (user) => user.role },
            { title: 'Content', cell: (user) => (user.phi_view ? <State state="info" text="sees it" /> : 'no') },
            { title: 'Second factor', cell: (user) => (user.mfa ? <State state="ok" text="on" /> : 'off') },
            { title: 'State', cell: (user) => (user.disabled ? <State state="disabled" /> : locked(user) ? <State state="blocked" text="locked" /> : <State state="ok" text="active" />) },
            { title: 'Last login', cell: (user) => <Time at={user.last_login} /> },
            {
              title: '',
              cell: (user) => (
                <span class="row">
                  <button type="button" class="small" aria-label={`Change ${user.user}`} onClick={() => setEditing(user)}>
                    Change…
                  </button>
                  {locked(user) ? (
                    <button type="button" class="small" aria-label={`Unlock ${user.user}`} onClick={() => setAsked({ what: 'unlock', user })}>
                      Unlock…
                    </button>
                  ) : null}
                  {user.mfa ? (
                    <button type="button" class="small" aria-label={`Reset the second factor of ${user.user}`} onClick={() => setAsked({ what: 'reset', user })}>
                      Reset TOTP…
                    </button>
                  ) : null}
                  {user.user === session.value?.user ? null : (
                    <button type="button" class="small" aria-label={`Remove ${user.user}`} onClick={() => setAsked({ what: 'remove', user })}>
                      Remove…
                    </button>
                  )}
                </span>
              ),
            },
          ]}
        />
      </Panel>
      <Panel title="Roles">
        <dl class="facts body">
          {[...kRoles, kOwner].map((role) => (
            <>
              <dt>{role.name}</dt>
              <dd>{role.may}</dd>
            </>
          ))}
        </dl>
      </Panel>
      {editing ? <Editor user={editing === 'new' ? null : editing} onClose={() => setEditing(null)} onDone={reload} /> : null}
      {asked ? (
        <Confirm
          title={`${texts[asked.what].title} ${asked.user.user}?`}
          text={texts[asked.what].text}
          action={asked.what === 'remove' ? 'Remove' : asked.what === 'unlock' ? 'Unlock' : 'Reset'}
          danger={asked.what !== 'unlock'}
          onClose={() => setAsked(null)}
          onDone={reload}
          run={async () => {
            if (asked.what === 'remove') await api.removeUser(asked.user.user);
            else await api.changeUser(asked.user.user, asked.what === 'unlock' ? { unlock: true } : { reset_mfa: true });
          }}
        />
      ) : null}
    </div>
  );
}

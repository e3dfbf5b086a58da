import { useState } from 'preact/hooks';
import { api } from '../api';
import { Check, ErrorBox, Field, Panel, Pending, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Confirm, Dialog } from '../components/dialog';
import { useAction, useLoad } from '../load';
import type { Right } from '../types';
import type { Token } from '../types_admin';

const kRights: Right[] = ['view', 'phi.view', 'operate', 'replay', 'configure', 'audit', 'admin'];

function NewToken(props: { onClose: () => void; onDone: () => void }) {
  const [name, setName] = useState('');
  const [rights, setRights] = useState<Right[]>(['view']);
  const [days, setDays] = useState('90');
  const [token, setToken] = useState('');
  const { run, busy, error } = useAction(async () => {
    setToken((await api.addToken({ name: name.trim(), rights, days: Number(days) || 90 })).token);
    props.onDone();
  });
  if (token)
    return (
      <Dialog title="The new token" onClose={props.onClose}>
        <p>Copy it now: it is not shown again, and Kiln keeps only its hash.</p>
        <p>
          <code class="wrap" id="new-token">
            {token}
          </code>
        </p>
      </Dialog>
    );
  const ready = name.trim() !== '' && rights.length > 0;
  return (
    <Dialog
      title="New API token"
      onClose={props.onClose}
      onSubmit={() => void (ready && run())}
      footer={
        <>
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={busy || !ready}>
            Make it
          </button>
        </>
      }
    >
      <Field label="Name" hint="What uses it.">{(id) => <input id={id} autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} />}</Field>
      <fieldset class="plain">
        <legend>Rights</legend>
        <div class="row">
          {kRights.map((right) => (
            <Check key={right} label={right} checked={rights.includes(right)} onChange={(on) => setRights(on ? [...rights, right] : rights.filter((one) => one !== right))} />
          ))}
        </div>
      </fieldset>
      <Field label="Days until it ends">{(id) => <input id={id} inputMode="numeric" value={days} onInput={(event) => setDays(event.currentTarget.value)} />}</Field>
      <ErrorBox error={error} />
    </Dialog>
  );
}

export function Tokens() {
  const { data, error, loading, reload } = useLoad(() => api.tokens(), []);
  const [making, setMaking] = useState(false);
  const [removing, setRemoving] = useState<Token | null>(null);
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  return (
    <Panel
      title="API tokens"
      tools={
        <button type="button" class="small primary" onClick={() => setMaking(true)}>
          New token…
        </button>
      }
    >
      <DataTable
        label="API tokens"
        items={data.tokens}
        id={(token) => token.id}
        empty="There is no token."
        columns={[
          { title: 'Name', cell: (token) => <strong>{token.name}</strong> },
          { title: 'Rights', cell: (token) => token.rights.join(', ') },
          { title: 'Made by', cell: (token) => token.user },
          { title: 'Made', cell: (token) => <Time at={token.created} /> },
          { title: 'Last used', cell: (token) => <Time at={token.last_used} how="relative" /> },
          { title: 'Ends', cell: (token) => <Time at={token.expires} how="relative" /> },
          {
            title: '',
            cell: (token) => (
              <button type="button" class="small" aria-label={`Revoke ${token.name}`} onClick={() => setRemoving(token)}>
                Revoke…
              </button>
            ),
          },
        ]}
      />
      {making ? <NewToken onClose={() => setMaking(false)} onDone={reload} /> : null}
      {removing ? (
        <Confirm
          title={`Revoke ${removing.name}?`}
          text="What uses it is refused from now on."
          action="Revoke"
          danger
          onClose={() => setRemoving(null)}
          onDone={reload}
          run={async () => {
            await api.removeToken(removing.id);
          }}
        />
      ) : null}
    </Panel>
  );
}

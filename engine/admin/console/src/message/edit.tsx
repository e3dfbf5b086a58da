// Edit and resend: the original stays. What was changed is parsed and mapped first; sending needs a reason.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Check, ErrorBox, Field, Panel, Pending, State } from '../components/basics';
import { Confirm } from '../components/dialog';
import { DiffView } from '../components/diff_view';
import { say } from '../components/toast';
import { diffLines } from '../diff';
import { bytes } from '../format';
import { useAction, useLoad } from '../load';
import { go, link } from '../router';
import type { EditCheck, Message } from '../types';

const kEditMax = 262_144; // bytes; larger ones are edited as files, with `kiln send`

export function Edit(props: { message: Message }) {
  const { message } = props;
  const original = useLoad(() => api.body(message.id, 0, kEditMax), [message.id]);
  const [text, setText] = useState<string | null>(null);
  const [checked, setChecked] = useState<EditCheck | null>(null);
  const [to, setTo] = useState<string[]>([]);
  const [replaces, setReplaces] = useState(false);
  const [asking, setAsking] = useState(false);
  const before = original.data?.text;
  const ends = before?.includes('\r') ? '\r' : '\n'; // of lines, as the message has them
  const shown = text ?? before?.replace(/\r\n?/g, '\n') ?? '';
  const body = shown.replaceAll('\n', ends);
  const check = useAction(async () => setChecked(await api.checkEdit(message.id, body)));
  if (!original.data) return <Pending loading={original.loading} error={original.error} retry={original.reload} />;
  if (before === undefined || original.data.size > kEditMax)
    return <p class="dim">{bytes(original.data.size)}: too large, or no text. Save it, edit it, and send it with <code>kiln send</code>.</p>;
  const destinations = [...new Set(message.destinations.map((one) => one.destination.split('/')[1] ?? ''))].filter((one) => one !== '' && one !== '-');
  return (
    <div class="columns">
      <Panel title="Edit">
        <div class="body stack tight">
          <Field label="Message" hint="One segment a line.">
            {(id) => (
              <textarea
                id={id}
                rows={16}
                spellcheck={false}
                value={shown}
                onInput={(event) => {
                  setText(event.currentTarget.value);
                  setChecked(null);
                }}
              />
            )}
          </Field>
          <div class="row">
            <button type="button" class="primary" disabled={check.busy || body === before} onClick={() => void check.run()}>
              Check
            </button>
            <button type="button" disabled={!checked?.ok} onClick={() => setAsking(true)}>
              Resend…
            </button>
          </div>
          <ErrorBox error={check.error} />
        </div>
      </Panel>
      <Panel title="Change and check">
        {body === before ? (
          <p class="dim body">Nothing is changed yet. What you change stands here, line by line; “Check” parses and maps it, and sends nothing.</p>
        ) : (
          <DiffView label="Your change" lines={diffLines(before.replace(/\r\n?/g, '\n'), shown)} />
        )}
        {checked ? (
          <div class="body stack tight" role="status">
            <p>
              <State state={checked.ok ? 'ok' : 'error'} text={checked.ok ? 'can be sent' : 'cannot be sent'} /> {checked.verdict ? `verdict: ${checked.verdict}` : ''} {checked.reason}
            </p>
            <ul>
              {(checked.findings ?? []).map((one, n) => (
                <li key={n}>
                  <State state={one.severity} /> <span class="mono">{one.path}</span> {one.text}
                </li>
              ))}
            </ul>
            <ul>
              {(checked.outputs ?? []).map((one) => (
                <li key={one.destination}>
                  {one.destination}: {bytes(one.bytes)}
                </li>
              ))}
            </ul>
            {(checked.diff ?? []).map((one) => (
              <p key={one.path} class="mono">
                {one.path}: <span class="removed">{one.before}</span> → <span class="added">{one.after}</span>
              </p>
            ))}
          </div>
        ) : null}
      </Panel>
      {asking ? (
        <Confirm
          title={`Resend message ${message.id} with your change?`}
          text="A new message is made, linked to this one. This one stays as it is."
          action="Resend"
          reason="needed"
          onClose={() => setAsking(false)}
          run={async (reason) => {
            const answer = await api.resend(message.id, { body, reason, to: to.length > 0 ? to : ['all'], replaces });
            say(`Sent as ${answer.new_id ?? 'a new message'}: ${answer.verdict}`);
            if (answer.new_id) go(link('message', [answer.new_id]));
          }}
        >
          <fieldset class="plain">
            <legend>Send to (none chosen: wherever its map sends it)</legend>
            <div class="row">
              {destinations.map((name) => (
                <Check key={name} label={name} checked={to.includes(name)} onChange={(on) => setTo(on ? [...to, name] : to.filter((one) => one !== name))} />
              ))}
            </div>
          </fieldset>
          <Check label="It replaces the original, whose state becomes “removed”" checked={replaces} onChange={setReplaces} />
        </Confirm>
      ) : null}
    </div>
  );
}

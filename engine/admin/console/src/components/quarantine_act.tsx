// One dialog for every decision on quarantined messages: what follows, the reason or note, a dry run, and then the deed.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { count, plural } from '../format';
import { useAction } from '../load';
import { link } from '../router';
import { session } from '../session';
import { useStore } from '../store';
import type { BulkAnswer } from '../types';
import { ErrorBox, Field } from './basics';
import { Dialog } from './dialog';
import { say } from './toast';

export type Act = 'release' | 'resolve' | 'drop' | 'assign' | 'note';

export interface Chosen {
  title: string;
  ids?: number[];
  query?: string;
  destination?: string;
  size: number;
}

interface Spec {
  label: string;
  done: string; // "3 messages released"
  text: string;
  field: 'Reason' | 'Owner' | 'Note';
  hint: string;
  danger?: boolean;
}

export const kActs: Record<Act, Spec> = {
  release: { label: 'Release', done: 'released', text: 'Each goes through the running configuration again, as a new message; what fails again is quarantined again.', field: 'Reason', hint: 'Kept in the audit log.' },
  resolve: { label: 'Resolve', done: 'resolved', text: 'For what was mended elsewhere, by telephone or by hand at the receiver: nothing is sent, and they no longer wait.', field: 'Reason', hint: 'What was done instead. Kept in the audit log; write no patient data.' },
  assign: { label: 'Assign', done: 'assigned', text: 'The owner is shown to everybody.', field: 'Owner', hint: '' },
  note: { label: 'Note', done: 'noted', text: 'The note stands beside them until they are decided on.', field: 'Note', hint: 'Write no patient data into a note.' },
  drop: { label: 'Drop', done: 'dropped', text: 'They will never be delivered. Their content stays in the journal until retention removes it.', field: 'Reason', hint: 'Kept in the audit log.', danger: true },
};

const kTypedAbove = 1000; // from here on the count is typed; a drop of several is always typed

export function QuarantineAct(props: { what: Act; chosen: Chosen; onClose: () => void; onDone: () => void }) {
  const { what, chosen } = props;
  const spec = kActs[what];
  const who = useStore(session);
  const [text, setText] = useState(what === 'assign' ? (who?.user ?? '') : '');
  const [typed, setTyped] = useState('');
  const [answer, setAnswer] = useState<BulkAnswer | null>(null); // of the dry run
  const word = text.trim();
  const request = {
    ...(chosen.ids ? { ids: chosen.ids } : { query: chosen.query ?? '' }),
    ...(chosen.destination && chosen.destination !== '-' ? { destination: chosen.destination } : {}),
    ...(what === 'assign' ? { owner: word } : what === 'note' ? { note: word } : { reason: word }),
  };
  const dry = useAction(async () => setAnswer(await api.quarantineAction(what, { ...request, dry_run: true })));
  const real = useAction(async () => {
    const done = await api.quarantineAction(what, { ...request, dry_run: false });
    const failed = done.failed > 0 ? `, ${count(done.failed)} failed` : '';
    say(`${plural(done.done, 'message')} ${spec.done}${failed}`, done.failed > 0 ? 'warn' : 'ok');
    props.onDone();
    props.onClose();
  });
  const matched = answer?.matched ?? chosen.size;
  const mustType = matched > kTypedAbove || (what === 'drop' && matched > 1);
  // One message, or a word about several, needs no rehearsal; what decides on several does.
  const mustRehearse = what === 'release' || (chosen.size > 1 && (what === 'resolve' || what === 'drop'));
  const ready = word !== '' && (!mustRehearse || (answer !== null && answer.matched > 0)) && (!mustType || typed.trim() === String(matched));
  return (
    <Dialog
      title={what === 'assign' ? `Who takes ${chosen.title}?` : what === 'note' ? `Note on ${chosen.title}` : `${spec.label} ${chosen.title}`}
      wide
      onClose={props.onClose}
      onSubmit={() => void (ready ? real.run() : dry.run())}
      footer={
        <>
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="button" disabled={dry.busy} onClick={() => void dry.run()}>
            Dry run
          </button>
          <button type="button" class={spec.danger ? 'danger' : 'primary'} disabled={!ready || real.busy} onClick={() => void real.run()}>
            {spec.label}
          </button>
        </>
      }
    >
      <p>{spec.text}</p>
      <Field label={spec.field} hint={spec.hint || undefined}>
        {(id) => <input id={id} value={text} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} />}
      </Field>
      {mustType ? <Field label={`Type ${matched} to go on`}>{(id) => <input id={id} inputMode="numeric" autocomplete="off" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />}</Field> : null}
      <ErrorBox error={dry.error ?? real.error} />
      {answer ? (
        <>
          <div class={`message-box ${answer.matched > 0 ? 'ok' : 'warn'}`} role="status">
            <strong>
              Dry run: {plural(answer.matched, 'message')} would be {spec.done}.
            </strong>
          </div>
          <ul class="scroll-box">
            {answer.items.slice(0, 100).map((one, n) => (
              <li key={n}>
                <a href={link('message', [one.id])}>{one.id}</a> {one.text}
              </li>
            ))}
            {answer.matched > Math.min(100, answer.items.length) ? <li class="dim">and {count(answer.matched - Math.min(100, answer.items.length))} more</li> : null}
          </ul>
        </>
      ) : mustRehearse ? (
        <p class="dim">A dry run comes first: it changes nothing and lists what would happen.</p>
      ) : null}
    </Dialog>
  );
}

// Replay: always a dry run first, which says what would be sent where; then the real one, with a reason.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { plural } from '../format';
import { useAction } from '../load';
import { go, link } from '../router';
import type { ReplayAnswer } from '../types';
import { Check, ErrorBox, Field } from './basics';
import { Dialog } from './dialog';
import { say } from './toast';

const kTypedAbove = 1000; // the count must be typed (operations.md §6 P7)

function Outcome(props: { answer: ReplayAnswer }) {
  const { answer } = props;
  return (
    <>
      <div class={`message-box ${answer.failed > 0 ? 'bad' : 'ok'}`} role="status">
        <strong>
          {answer.dry_run ? 'Dry run: ' : ''}
          {plural(answer.matched, 'message')} match, {answer.replayed} {answer.dry_run ? 'would be sent' : 'sent'}, {answer.skipped} skipped, {answer.failed} failed
        </strong>
      </div>
      <div class="table-box scroll-box" tabIndex={0} role="region" aria-label="What happens to each message">
        <table>
          <thead>
            <tr>
              <th scope="col">Message</th>
              <th scope="col">Type</th>
              <th scope="col">What happens</th>
            </tr>
          </thead>
          <tbody>
            {answer.messages.slice(0, 200).map((one) => (
              <tr key={one.id}>
                <td>
                  <a href={link('message', [one.id])}>{one.id}</a>
                </td>
                <td>{one.type}</td>
                <td>
                  {one.skipped ? `skipped: ${one.skipped}` : ''}
                  {one.error ? `failed: ${one.error}` : ''}
                  {one.new_id ? `new message ${one.new_id} ` : ''}
                  {one.outputs?.map((output) => `${output.destination} (${output.bytes} bytes)`).join(', ')}
                  {one.reason ? ` ${one.reason}` : ''}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

export function ReplayDialog(props: { query: string; what: string; destinations: string[]; onClose: () => void }) {
  const [to, setTo] = useState<string[]>([]);
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [asJob, setAsJob] = useState(false);
  const [rate, setRate] = useState('50');
  const [answer, setAnswer] = useState<ReplayAnswer | null>(null);
  const request = { query: props.query, ...(to.length > 0 ? { to } : {}), ...(reason.trim() ? { reason: reason.trim() } : {}) };
  const dry = useAction(async () => setAnswer(await api.replay({ ...request, dry_run: true })));
  const real = useAction(async () => {
    if (asJob) {
      await api.startJob({ ...request, dry_run: false, rate: Number(rate) || 50 });
      say('The replay runs as a job.');
      props.onClose();
      go(link('jobs'));
      return;
    }
    const done = await api.replay({ ...request, dry_run: false, ...(answer && answer.matched > kTypedAbove ? { confirm: answer.matched } : {}) });
    setAnswer(done);
    say(`${plural(done.replayed, 'message')} sent again`);
  });
  const ready = answer?.dry_run && answer.replayed > 0 && reason.trim() !== '' && (answer.matched <= kTypedAbove || typed === String(answer.matched));
  return (
    <Dialog
      title={`Replay ${props.what}`}
      wide
      onClose={props.onClose}
      onSubmit={() => void (ready ? real.run() : dry.run())}
      footer={
        <>
          <button type="button" onClick={props.onClose}>
            Close
          </button>
          <button type="button" disabled={dry.busy} onClick={() => void dry.run()}>
            Dry run
          </button>
          <button type="button" class="primary" disabled={!ready || real.busy} onClick={() => void real.run()}>
            Replay
          </button>
        </>
      }
    >
      <p>
        The original bytes go through the running configuration again, as new messages; the originals stay as they are. Query: <code>{props.query}</code>
      </p>
      <fieldset class="plain">
        <legend>Send to</legend>
        <div class="row">
          {['all', ...props.destinations].map((name) => (
            <Check
              key={name}
              label={name === 'all' ? 'wherever its map sends it' : name}
              checked={to.includes(name)}
              onChange={(on) => {
                setAnswer(null);
                setTo(on ? [...to, name] : to.filter((one) => one !== name));
              }}
            />
          ))}
        </div>
        <p class="dim">None chosen: only where it failed.</p>
      </fieldset>
      <Field label="Reason" hint="Kept in the audit log and with each new message.">
        {(id) => <input id={id} value={reason} autocomplete="off" onInput={(event) => setReason(event.currentTarget.value)} />}
      </Field>
      <div class="row">
        <Check label="as a job, at most" checked={asJob} onChange={setAsJob} />
        <input class="short" aria-label="messages a second" inputMode="numeric" value={rate} disabled={!asJob} onInput={(event) => setRate(event.currentTarget.value)} />
        <span>messages a second</span>
      </div>
      {answer && answer.matched > kTypedAbove ? (
        <Field label={`Type ${answer.matched} to go on`}>{(id) => <input id={id} value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />}</Field>
      ) : null}
      <ErrorBox error={dry.error ?? real.error} />
      {answer ? <Outcome answer={answer} /> : null}
    </Dialog>
  );
}

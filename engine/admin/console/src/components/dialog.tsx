// Dialogs on the element of that name: the browser holds the focus inside and closes on Escape.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useAction } from '../load';
import { ErrorBox, Field } from './basics';

export function Dialog(props: {
  title: string;
  onClose: () => void;
  onSubmit?: () => void;
  footer?: ComponentChildren;
  wide?: boolean;
  children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} class={props.wide ? 'wide' : ''} aria-label={props.title} onCancel={props.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          props.onSubmit?.();
        }}
      >
        <header>
          <h2>{props.title}</h2>
        </header>
        <div class="body">{props.children}</div>
        <footer>
          {props.footer ?? (
            <button type="button" onClick={props.onClose}>
              Close
            </button>
          )}
        </footer>
      </form>
    </dialog>
  );
}

/** Asks before an action that changes something: says what follows, takes a reason, and the count when it is large. */
export function Confirm(props: {
  title: string;
  text: ComponentChildren;
  action: string;
  danger?: boolean;
  reason?: 'needed' | 'asked';
  typed?: number;
  onClose: () => void;
  onDone?: () => void;
  run: (reason: string) => Promise<void>;
  children?: ComponentChildren;
}) {
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const { run, busy, error } = useAction(props.run);
  const ready = (props.reason !== 'needed' || reason.trim() !== '') && (props.typed === undefined || typed.trim() === String(props.typed));
  const submit = async () => {
    if (!ready || !(await run(reason.trim()))) return;
    props.onDone?.();
    props.onClose();
  };
  return (
    <Dialog
      title={props.title}
      onClose={props.onClose}
      onSubmit={() => void submit()}
      footer={
        <>
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class={props.danger ? 'danger' : 'primary'} disabled={!ready || busy}>
            {props.action}
          </button>
        </>
      }
    >
      <div>{props.text}</div>
      {props.children}
      {props.reason ? (
        <Field label={props.reason === 'needed' ? 'Reason' : 'Reason (optional)'} hint="Kept in the audit log.">
          {(id) => <input id={id} value={reason} autocomplete="off" onInput={(event) => setReason(event.currentTarget.value)} />}
        </Field>
      ) : null}
      {props.typed !== undefined ? (
        <Field label={`Type ${props.typed} to go on`}>
          {(id) => <input id={id} value={typed} inputMode="numeric" autocomplete="off" onInput={(event) => setTyped(event.currentTarget.value)} />}
        </Field>
      ) : null}
      <ErrorBox error={error} />
    </Dialog>
  );
}

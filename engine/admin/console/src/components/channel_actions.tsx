// Start, stop, pause, drain of a channel; pause and resume of a destination: each says first what will follow.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { count, plural } from '../format';
import { useRight } from '../session';
import type { ChannelStatus, DestinationStatus } from '../types';
import { Confirm, Dialog } from './dialog';
import { say } from './toast';

interface Action {
  name: string;
  label: string;
  text: string;
  danger?: boolean;
}

function channelActions(channel: ChannelStatus): Action[] {
  const waiting = channel.pending > 0 ? ` ${plural(channel.pending, 'message')} wait now.` : '';
  const start = { name: 'start', label: 'Start', text: 'Opens the source and begins to deliver again.' };
  const resume = { name: 'resume', label: 'Resume', text: `Delivery goes on where it stopped.${waiting}` };
  const pause = {
    name: 'pause',
    label: 'Pause',
    text: `Messages are still accepted and kept, nothing is delivered until you resume.${waiting}`,
  };
  const drain = { name: 'drain', label: 'Drain', text: `Takes nothing new, delivers what waits, and stops then.${waiting}` };
  const stop = {
    name: 'stop',
    label: 'Stop',
    danger: true,
    text: `Closes the source: senders get no connection and must wait. What was accepted stays stored.${waiting}`,
  };
  switch (channel.state) {
    case 'running':
      return [pause, drain, stop];
    case 'paused':
      return [resume, stop];
    case 'draining':
      return [start, stop];
    case 'stopped':
      return [start];
    default:
      return [];
  }
}

/** The buttons; `compact`: one button that opens the choice. */
export function ChannelActions(props: { channel: ChannelStatus; compact?: boolean }) {
  const [asked, setAsked] = useState<Action | null>(null);
  const [choosing, setChoosing] = useState(false);
  const allowed = useRight('operate');
  const { channel } = props;
  const actions = channelActions(channel);
  if (!allowed || actions.length === 0) return null;
  return (
    <span class="row">
      {props.compact ? (
        <button type="button" class="small" onClick={() => setChoosing(true)} aria-label={`Control ${channel.name}`}>
          Control…
        </button>
      ) : (
        actions.map((action) => (
          <button key={action.name} type="button" class="small" onClick={() => setAsked(action)} aria-label={`${action.label} ${channel.name}`}>
            {action.label}
          </button>
        ))
      )}
      {choosing ? (
        <Dialog title={`Channel ${channel.name}: ${channel.state}`} onClose={() => setChoosing(false)}>
          {actions.map((action) => (
            <div key={action.name} class="choice">
              <button
                type="button"
                onClick={() => {
                  setChoosing(false);
                  setAsked(action);
                }}
              >
                {action.label}
              </button>
              <span>{action.text}</span>
            </div>
          ))}
        </Dialog>
      ) : null}
      {asked ? (
        <Confirm
          title={`${asked.label} channel ${channel.name}?`}
          text={asked.text}
          action={asked.label}
          danger={asked.danger ?? false}
          reason="asked"
          onClose={() => setAsked(null)}
          run={async (reason) => {
            await api.channelAction(channel.name, asked.name, reason);
            say(`${channel.name}: ${asked.label.toLowerCase()} done`);
          }}
        />
      ) : null}
    </span>
  );
}

export function DestinationActions(props: { channel: string; destination: DestinationStatus }) {
  const allowed = useRight('operate');
  const [asked, setAsked] = useState<Action | null>(null);
  const { destination } = props;
  if (!allowed) return null;
  const actions: Action[] = [];
  if (destination.state === 'running')
    actions.push({ name: 'pause', label: 'Pause', text: 'Nothing is sent there until you resume; messages queue up.' });
  else
    actions.push({
      name: 'resume',
      label: 'Resume',
      text: `Sending goes on with the first of ${count(destination.pending)} waiting.`,
    });
  if (destination.pending > 0 && destination.state !== 'paused')
    actions.push({ name: 'retry-now', label: 'Try now', text: 'Does not wait for the next planned try.' });
  return (
    <span class="row">
      {actions.map((action) => (
        <button
          key={action.name}
          type="button"
          class="small"
          onClick={() => setAsked(action)}
          aria-label={`${action.label} ${props.channel}/${destination.name}`}
        >
          {action.label}
        </button>
      ))}
      {asked ? (
        <Confirm
          title={`${asked.label}: destination ${props.channel}/${destination.name}?`}
          text={asked.text}
          action={asked.label}
          onClose={() => setAsked(null)}
          run={async () => {
            await api.destinationAction(`${props.channel}/${destination.name}`, asked.name);
            say(`${destination.name}: ${asked.label.toLowerCase()} done`);
          }}
        />
      ) : null}
    </span>
  );
}

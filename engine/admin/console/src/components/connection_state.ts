import type { ConnectorState } from '../types';
import type { Tone } from './basics';

/** A destination that nobody has needed yet is not down: it connects with the first message. */
export function connectionState(connector: Pick<ConnectorState, 'state' | 'last_error'>, pending: number): { state: string; tone?: Tone; text?: string } {
  if (connector.state === 'down' && pending === 0 && !connector.last_error) return { state: 'idle', tone: 'idle', text: 'idle' };
  return { state: connector.state };
}

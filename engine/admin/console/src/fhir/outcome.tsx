import { Empty, State } from '../components/basics';
import type { Json } from '../types';
import { list, member, text } from './values';

/** The issues of an OperationOutcome. */
export function Outcome(props: { value: Json }) {
  const issues = list(member(props.value, 'issue'));
  if (issues.length === 0) return <Empty>No issue.</Empty>;
  return (
    <ul>
      {issues.map((issue, n) => (
        <li key={n} class="body line">
          <State state={text(member(issue, 'severity')) === 'fatal' ? 'error' : text(member(issue, 'severity')) === 'information' ? 'info' : text(member(issue, 'severity'))} />{' '}
          <span class="mono">{list(member(issue, 'expression')).map(text).join(', ')}</span> {text(member(issue, 'diagnostics')) || text(member(member(issue, 'details'), 'text'))}{' '}
          <span class="dim">{text(member(issue, 'code'))}</span>
        </li>
      ))}
    </ul>
  );
}

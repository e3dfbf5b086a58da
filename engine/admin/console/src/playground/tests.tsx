import { Empty, State } from '../components/basics';
import { Findings } from '../components/findings';
import type { TestAnswer } from '../types_admin';

/** What the tests of the site say with the draft laid over its files. */
export function Tests(props: { answer: TestAnswer | null }) {
  const { answer } = props;
  if (!answer) return <Empty>“Run the tests” runs the tests of the site on your draft.</Empty>;
  const passed = answer.tests.filter((one) => one.result === 'passed').length;
  return (
    <>
      <p class="body" role="status">
        <State state={passed === answer.tests.length ? 'passed' : 'failed'} text={`${passed} of ${answer.tests.length} passed`} />
      </p>
      <ul>
        {answer.tests.map((one) => (
          <li key={`${one.place}${one.name}`} class="body line">
            <div class="row">
              <State state={one.result} /> <span>{one.name}</span> <code class="dim">{one.place}</code>
            </div>
            {(one.failures ?? []).map((failure, n) => (
              <dl key={n} class="facts">
                <dt>at</dt>
                <dd class="mono">{failure.place}</dd>
                <dt>expected</dt>
                <dd>
                  <code>{failure.expression}</code> to be <code>{failure.expected}</code>
                </dd>
                <dt>was</dt>
                <dd>
                  <code>{failure.actual}</code>
                </dd>
              </dl>
            ))}
          </li>
        ))}
      </ul>
      {answer.findings && answer.findings.length > 0 ? <Findings findings={answer.findings} none="" /> : null}
    </>
  );
}

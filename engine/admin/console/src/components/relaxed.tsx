// What the site gives up of its protection, in writing: the same list as `kiln check` prints.
import { live } from '../live';
import { useStore } from '../store';
import { Panel, Words } from './basics';

export function Relaxed() {
  const { status } = useStore(live);
  if (!status) return null;
  const lines = status.insecure ?? [];
  return (
    <Panel title={`Relaxed settings (${lines.length})`} label="Relaxed settings">
      {lines.length === 0 ? (
        <p class="body dim">
          Nothing of the protection is given up: no <code>insecure accept_risk</code>, no <code>durability relaxed</code>.
        </p>
      ) : (
        <>
          <p class="body">Written in the site's files, and therefore accepted. Each can be taken out there.</p>
          <ul class="body" aria-label="Relaxed settings">
            {lines.map((line) => (
              <li key={line}>
                <span class="badge warn">
                  <span aria-hidden="true">!</span>
                  relaxed
                </span>{' '}
                <span class="mono">
                  <Words text={line} />
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

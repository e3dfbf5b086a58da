// What runs against what lies on disk; check, reload (apply), history and rollback. Each change shows its effects first.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Empty, Panel, Pending, State, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Confirm } from '../components/dialog';
import { DiffView } from '../components/diff_view';
import { Findings } from '../components/findings';
import { say } from '../components/toast';
import { readUnified } from '../diff';
import { plural } from '../format';
import { useLoad } from '../load';
import { useRight } from '../session';
import type { ConfigVersion } from '../types_admin';

function Effects(props: { effects: string[] }) {
  return (
    <ul class="body">
      {props.effects.map((one) => (
        <li key={one}>{one}</li>
      ))}
      {props.effects.length === 0 ? <li class="dim">Nothing changes for any channel.</li> : null}
    </ul>
  );
}

function Rollback(props: { version: ConfigVersion; onClose: () => void; onDone: () => void }) {
  const { version } = props;
  const { data, error, loading } = useLoad(() => api.configRollback(version.hash, '', true), [version.hash]);
  return (
    <Confirm
      title={`Go back to version ${version.hash.slice(0, 12)}?`}
      text="The engine runs that version from then on; the files on disk stay as they are."
      action="Roll back"
      danger
      reason="needed"
      onClose={props.onClose}
      onDone={props.onDone}
      run={async (reason) => {
        await api.configRollback(version.hash, reason, false);
        say(`Version ${version.hash.slice(0, 12)} runs`);
      }}
    >
      {data ? <Effects effects={data.effects ?? []} /> : <Pending loading={loading} error={error} />}
    </Confirm>
  );
}

export function ConfigPanel() {
  const check = useLoad(() => api.configCheck(), []);
  const diff = useLoad(() => api.configDiff(), []);
  const history = useLoad(() => api.configHistory(), []);
  const may = useRight('configure');
  const [applying, setApplying] = useState(false);
  const [back, setBack] = useState<ConfigVersion | null>(null);
  const again = () => {
    check.reload();
    diff.reload();
    history.reload();
  };
  const findings = check.data?.findings.length ?? 0;
  const errors = check.data?.findings.filter((one) => one.severity === 'error').length ?? 0;
  return (
    <div class="stack">
      <Panel
        title="Running against disk"
        tools={
          <>
            <button type="button" class="small" onClick={again}>
              Look again
            </button>
            {may ? (
              <button type="button" class="small primary" disabled={!diff.data || diff.data.same || errors > 0} onClick={() => setApplying(true)}>
                Reload…
              </button>
            ) : null}
          </>
        }
      >
        {diff.data ? (
          <>
            <p class="body">
              {diff.data.same ? (
                <State state="ok" text="the files on disk are what runs" />
              ) : (
                <>
                  <State state="warn" text="the disk differs" /> running <code>{diff.data.running.slice(0, 12)}</code>, on disk <code>{diff.data.disk.slice(0, 12)}</code>
                </>
              )}
            </p>
            {diff.data.files.map((one) => (
              <div key={one.path}>
                <p class="body">
                  <strong class="mono">{one.path}</strong> {one.change}
                </p>
                {one.diff ? <DiffView lines={readUnified(one.diff)} label={`Change of ${one.path}`} /> : null}
              </div>
            ))}
            {diff.data.same ? null : (
              <>
                <h3 class="body">What a reload would do</h3>
                <Effects effects={diff.data.effects ?? []} />
              </>
            )}
          </>
        ) : (
          <div class="body">
            <Pending loading={diff.loading} error={diff.error} retry={diff.reload} />
          </div>
        )}
      </Panel>
      <Panel title="Check of the files on disk" tools={check.data ? <State state={findings === 0 ? 'ok' : errors > 0 ? 'error' : 'warning'} text={findings === 0 ? 'clean' : errors > 0 ? plural(errors, 'error') : plural(findings, 'finding')} /> : null}>
        {check.data ? (
          <Findings findings={check.data.findings} none="Nothing to find fault with." />
        ) : (
          <div class="body">
            <Pending loading={check.loading} error={check.error} retry={check.reload} />
          </div>
        )}
      </Panel>
      <Panel title="Versions">
        {history.data ? (
          <DataTable
            label="Versions"
            items={history.data.versions}
            id={(one) => `${one.hash}${one.at}`}
            empty="This is the first version."
            columns={[
              { title: 'Applied', cell: (one) => <Time at={one.at} how="full" /> },
              { title: 'Version', cell: (one) => <code>{one.hash.slice(0, 12)}</code> },
              { title: 'By', cell: (one) => one.by ?? '–' },
              { title: 'Reason', cell: (one) => one.reason },
              {
                title: '',
                cell: (one) =>
                  one.current ? (
                    <State state="running" text="runs now" />
                  ) : may ? (
                    <button type="button" class="small" onClick={() => setBack(one)} aria-label={`Roll back to ${one.hash.slice(0, 12)}`}>
                      Roll back…
                    </button>
                  ) : null,
              },
            ]}
          />
        ) : history.error ? (
          <div class="body">
            <Pending loading={false} error={history.error} retry={history.reload} />
          </div>
        ) : (
          <Empty>Loading…</Empty>
        )}
      </Panel>
      {applying ? (
        <Confirm
          title="Reload the configuration?"
          text="Nothing that was accepted is lost: a changed channel finishes what it has begun."
          action="Reload"
          reason="needed"
          onClose={() => setApplying(false)}
          onDone={again}
          run={async (reason) => {
            const done = await api.configApply(reason, false);
            say(done.applied ? 'The new configuration runs' : 'Nothing was applied', done.applied ? 'ok' : 'warn');
            if (done.restart && done.restart.length > 0) say(`After a restart only: ${done.restart.join(', ')}`, 'warn');
          }}
        >
          <Effects effects={diff.data?.effects ?? []} />
        </Confirm>
      ) : null}
      {back ? <Rollback version={back} onClose={() => setBack(null)} onDone={again} /> : null}
    </div>
  );
}

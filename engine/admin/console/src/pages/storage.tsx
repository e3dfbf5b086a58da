// What lies on disk: the day files of the journal, what keeps them, how long the disk lasts; prune and backup.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Check, ErrorBox, Field, PageHead, Panel, Pending, State, Unready } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Confirm } from '../components/dialog';
import { say } from '../components/toast';
import { bytes, count, duration, plural, relative, secondsSince } from '../format';
import { live } from '../live';
import { useLoad } from '../load';
import { link } from '../router';
import { useRight } from '../session';
import { useStore } from '../store';
import type { PrunePlan } from '../types_admin';

const kVerdicts: Record<PrunePlan['files'][number]['verdict'], { text: string; tone: 'ok' | 'warn' | 'idle' | 'info' }> = {
  young: { text: 'in its time', tone: 'ok' },
  newest: { text: 'in use', tone: 'ok' },
  held: { text: 'held', tone: 'warn' },
  due: { text: 'due', tone: 'info' },
};

function Prune(props: { onClose: () => void; onDone: () => void }) {
  const dry = useLoad(() => api.prune({ dry_run: true }), []);
  const [confirmed, setConfirmed] = useState(false);
  const plan = dry.data?.plan;
  return (
    <Confirm
      title="Remove what is past its time?"
      text="Whole day files go, never one that holds waiting or quarantined messages. This cannot be undone."
      action="Remove"
      danger
      reason="needed"
      onClose={props.onClose}
      onDone={props.onDone}
      run={async (reason) => {
        const done = await api.prune({ dry_run: false, reason, ...(confirmed ? { confirm: true } : {}) });
        say(`${plural(done.removed.length, 'day file')} removed`);
      }}
    >
      {plan ? (
        <>
          <div class="message-box" role="status">
            <strong>
              Dry run: {plural(plan.files_due, 'file')}, {bytes(plan.bytes_due)}
            </strong>
          </div>
          <pre class="code wrap scroll-box" tabIndex={0} aria-label="What would go">
            {dry.data?.text}
          </pre>
          {plan.refused ? <Check label="This is more than usual; I mean it" checked={confirmed} onChange={setConfirmed} /> : null}
        </>
      ) : (
        <Pending loading={dry.loading} error={dry.error} />
      )}
    </Confirm>
  );
}

function BackupDialog(props: { onClose: () => void }) {
  const [folder, setFolder] = useState('');
  return (
    <Confirm
      title="Back up into a new folder"
      text="Messages go on meanwhile. The master key is not in the backup: keep it apart."
      action="Back up"
      reason="asked"
      onClose={props.onClose}
      run={async (reason) => {
        const done = await api.backup(folder.trim(), reason);
        say(`${bytes(done.bytes)} in ${done.folder}, up to message ${done.last}`);
      }}
    >
      <Field label="Folder on the engine's machine" hint="An absolute path that does not exist yet.">
        {(id) => <input id={id} class="mono" value={folder} placeholder="/var/backups/kiln/today" onInput={(event) => setFolder(event.currentTarget.value)} />}
      </Field>
    </Confirm>
  );
}

export default function StoragePage() {
  const { data, error, loading, reload } = useLoad(() => api.storage(), [], 30_000);
  const { status } = useStore(live);
  const admin = useRight('admin');
  const [asked, setAsked] = useState<'prune' | 'backup' | null>(null);
  if (!data) return <Unready title="Storage" loading={loading} error={error} retry={reload} />;
  const total = status?.disk?.total_bytes;
  const left = data.disk_full ? (Date.parse(data.disk_full) - Date.now()) / 1000 : undefined;
  const held = data.plan.files.filter((one) => one.verdict === 'held').length;
  return (
    <div class="stack">
      <PageHead title="Storage">
        <span class="grow" />
        {admin ? (
          <>
            <button type="button" class="small" onClick={() => setAsked('backup')}>
              Back up…
            </button>
            <button type="button" class="small" onClick={() => setAsked('prune')}>
              Prune…
            </button>
          </>
        ) : null}
      </PageHead>
      <ErrorBox error={error} retry={reload} />
      <div class="tiles">
        <div class={`tile ${total && data.free_bytes / total < 0.1 ? 'warn' : ''}`}>
          <div class="label">Free</div>
          <div class="value">{bytes(data.free_bytes)}</div>
          <div class="sub">{total ? `of ${bytes(total)}` : ''}</div>
        </div>
        <div class={`tile ${left !== undefined && left < 86_400 ? 'bad' : left !== undefined && left < 604_800 ? 'warn' : ''}`}>
          <div class="label">Full in</div>
          <div class="value">{left === undefined ? '–' : duration(left)}</div>
          <div class="sub">{data.disk_full || 'no end in sight'}</div>
        </div>
        <div class="tile">
          <div class="label">Content kept</div>
          <div class="value">{plural(data.retention_days, 'day')}</div>
          <div class="sub">metadata {plural(data.metadata_days, 'day')}</div>
        </div>
        <div class="tile">
          <div class="label">Past their time</div>
          <div class="value">{plural(data.plan.files_due, 'file')}</div>
          <div class="sub">{bytes(data.plan.bytes_due)}</div>
        </div>
        <div class={`tile ${held > 0 ? 'warn' : ''}`}>
          <div class="label">Held</div>
          <div class="value">{plural(held, 'file')}</div>
          <div class="sub">
            {held > 0 ? 'by what waits or is quarantined' : ''}
          </div>
        </div>
        <div class={`tile ${data.encrypted ? '' : 'warn'}`}>
          <div class="label">Encryption</div>
          <div class="value">{data.encrypted ? 'on' : 'off'}</div>
          <div class="sub">{data.encrypted ? `master key ${data.master_key ?? ''}` : 'messages are stored in the clear'}</div>
        </div>
        <div class={`tile ${!data.backup || secondsSince(data.backup) > 93_600 ? 'warn' : ''}`}>
          <div class="label">Last backup</div>
          <div class="value">{data.backup ? relative(data.backup) : 'never'}</div>
          <div class="sub">{data.verified ? `proven ${relative(data.verified)}` : ''}</div>
        </div>
        <div class={`tile ${data.scrub.damaged > 0 ? 'bad' : ''}`}>
          <div class="label">All records read</div>
          <div class="value">{data.scrub.damaged > 0 ? `${count(data.scrub.damaged)} damaged` : data.scrub.last_full ? relative(data.scrub.last_full) : 'not yet'}</div>
          <div class="sub">{data.scrub.file ? `now ${data.scrub.file}, ${count(data.scrub.at)} of ${count(data.scrub.last)}` : ''}</div>
        </div>
      </div>
      {data.scrub.faults.length > 0 ? (
        <Panel title="Damaged records">
          <DataTable
            label="Damaged records"
            items={data.scrub.faults}
            id={(one) => `${one.file} ${one.id} ${one.what}`}
            empty=""
            columns={[
              { title: 'Message', cell: (one) => <a href={link('message', [String(one.id)])}>{one.id}</a> },
              { title: 'File', cell: (one) => <span class="mono nowrap">{one.file}</span> },
              { title: 'What', cell: (one) => one.what },
            ]}
          />
        </Panel>
      ) : null}
      <Panel title="Day files of the journal">
        <DataTable
          label="Day files"
          items={data.plan.files}
          id={(one) => one.file}
          empty="The journal has no file yet."
          columns={[
            { title: 'File', cell: (one) => <span class="mono nowrap">{one.file}</span> },
            { title: 'State', cell: (one) => <State state={one.verdict} {...kVerdicts[one.verdict]} /> },
            { title: 'Size', num: true, cell: (one) => bytes(one.bytes) },
            { title: 'Messages', num: true, cell: (one) => count(one.messages) },
            { title: 'Why it is kept', cell: (one) => (one.verdict === 'held' && /quarantin/.test(one.why) ? <a href={link('quarantine')}>{one.why}</a> : one.why) },
          ]}
        />
      </Panel>
      {asked === 'prune' ? <Prune onClose={() => setAsked(null)} onDone={reload} /> : null}
      {asked === 'backup' ? <BackupDialog onClose={() => setAsked(null)} /> : null}
    </div>
  );
}

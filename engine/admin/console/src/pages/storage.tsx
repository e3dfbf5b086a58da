// What lies on disk: the day files of the journal, what holds them, how long the disk lasts, backup and scrub.
import { api } from '../api';
import { ErrorBox, PageHead, Panel, Pending, State, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { bytes, count, duration } from '../format';
import { live } from '../live';
import { useLoad } from '../load';
import { link } from '../router';
import { useStore } from '../store';

export default function StoragePage() {
  const { data, error, loading, reload } = useLoad(() => api.storage(), [], 30_000);
  const { status } = useStore(live);
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  const free = data.free_bytes ?? status?.disk?.free_bytes;
  const total = data.total_bytes ?? status?.disk?.total_bytes;
  const fullAt = data.full_at ?? status?.disk?.full_at;
  const left = fullAt ? (Date.parse(fullAt) - Date.now()) / 1000 : undefined;
  const backupAge = data.backup?.at ? (Date.now() - Date.parse(data.backup.at)) / 3_600_000 : undefined;
  return (
    <div class="stack">
      <PageHead title="Storage" />
      <ErrorBox error={error} retry={reload} />
      <div class="tiles">
        <div class={`tile ${free !== undefined && total && free / total < 0.1 ? 'warn' : ''}`}>
          <div class="label">Free</div>
          <div class="value">{free === undefined ? '–' : bytes(free)}</div>
          <div class="sub">{total ? `of ${bytes(total)}` : ''}</div>
        </div>
        <div class={`tile ${left !== undefined && left < 86_400 ? 'bad' : left !== undefined && left < 604_800 ? 'warn' : ''}`}>
          <div class="label">Full in</div>
          <div class="value">{left === undefined ? '–' : duration(left)}</div>
          <div class="sub">{data.growth_bytes_per_day ? `${bytes(data.growth_bytes_per_day)} a day` : 'no forecast yet'}</div>
        </div>
        <div class={`tile ${backupAge !== undefined && backupAge > 26 ? 'warn' : ''}`}>
          <div class="label">Backup</div>
          <div class="value">{backupAge === undefined ? 'none' : `${duration(backupAge * 3600)} ago`}</div>
          <div class="sub">{data.backup?.verified ? 'verified' : (data.backup?.folder ?? '')}</div>
        </div>
        <div class={`tile ${(data.scrub?.faults ?? 0) > 0 ? 'bad' : ''}`}>
          <div class="label">Scrub</div>
          <div class="value">{data.scrub?.percent === undefined ? '–' : `${Math.round(data.scrub.percent)} %`}</div>
          <div class="sub">
            {data.scrub?.at ? (
              <>
                <Time at={data.scrub.at} how="relative" />, {count(data.scrub.faults ?? 0)} faults
              </>
            ) : (
              'has not run'
            )}
          </div>
        </div>
      </div>
      <Panel title="Day files of the journal">
        <DataTable
          label="Day files"
          items={data.files ?? []}
          id={(one) => one.day}
          empty="The journal has no file yet."
          columns={[
            { title: 'Day', cell: (one) => <span class="mono nowrap">{one.day}</span> },
            { title: 'Size', num: true, cell: (one) => bytes(one.bytes ?? one.size ?? 0) },
            { title: 'Messages', num: true, cell: (one) => count(one.messages) },
            { title: 'Waiting', num: true, cell: (one) => count(one.pending) },
            { title: 'Quarantined', num: true, cell: (one) => (one.quarantined ? <a href={link('quarantine')}>{count(one.quarantined)}</a> : count(one.quarantined)) },
            { title: 'Encrypted', cell: (one) => (one.encrypted === undefined ? '–' : <State state={one.encrypted ? 'ok' : 'warn'} text={one.encrypted ? 'yes' : 'no'} />) },
            { title: 'Kept', cell: (one) => one.held ?? (one.keep_until ? <>until <Time at={one.keep_until} /></> : '') },
          ]}
        />
      </Panel>
    </div>
  );
}

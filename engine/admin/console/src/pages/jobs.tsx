// Replay jobs: how far, how fast, by whom; pause, resume, cancel.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { ErrorBox, PageHead, Panel, State, Time, Unready } from '../components/basics';
import { DataTable } from '../components/data_table';
import { Confirm } from '../components/dialog';
import { say } from '../components/toast';
import { count, duration, rate } from '../format';
import { asApiError, useLoad } from '../load';
import { link } from '../router';
import { useRight } from '../session';
import type { ReplayJob } from '../types';

function Progress(props: { job: ReplayJob }) {
  const { job } = props;
  const handled = job.done + job.failed + job.skipped;
  return (
    <span class="nowrap">
      <progress max={Math.max(job.total, 1)} value={handled} aria-label={`Job ${job.id}: ${handled} of ${job.total}`} /> {count(handled)} of {count(job.total)}
    </span>
  );
}

export default function Jobs() {
  const { data, error, loading, reload } = useLoad(() => api.jobs(), [], 2000);
  const [cancelling, setCancelling] = useState<ReplayJob | null>(null);
  const may = useRight('replay');
  const act = (job: ReplayJob, action: string) => {
    api.jobAction(job.id, action).then(
      () => {
        say(`Job ${job.id}: ${action} done`);
        reload();
      },
      (caught: unknown) => say(asApiError(caught).message, 'bad'),
    );
  };
  if (!data) return <Unready title="Replay jobs" loading={loading} error={error} retry={reload} />;
  return (
    <div class="stack">
      <PageHead title="Replay jobs">
        <span class="dim">
          A job starts from a search in <a class="up" href={link('messages')}>Messages</a>.
        </span>
      </PageHead>
      <ErrorBox error={error} retry={reload} />
      <Panel>
        <DataTable
          label="Replay jobs"
          items={data.jobs}
          id={(job) => job.id}
          empty="No replay has run as a job."
          columns={[
            { title: 'Job', cell: (job) => job.id },
            { title: 'State', cell: (job) => <State state={job.state} /> },
            {
              title: 'Query and reason',
              cell: (job) => (
                <>
                  <code class="wrap">{job.query}</code>
                  <div>{job.reason}</div>
                </>
              ),
            },
            { title: 'Progress', cell: (job) => <Progress job={job} /> },
            { title: 'Failed', num: true, cell: (job) => count(job.failed) },
            { title: 'Skipped', num: true, cell: (job) => count(job.skipped) },
            { title: '/s', num: true, cell: (job) => rate(job.rate) },
            { title: 'Left', cell: (job) => (job.eta_seconds === undefined ? '–' : duration(job.eta_seconds)) },
            { title: 'By', cell: (job) => job.by ?? '–' },
            { title: 'Begun', cell: (job) => <Time at={job.created} /> },
            {
              title: '',
              cell: (job) =>
                may && (job.state === 'running' || job.state === 'paused') ? (
                  <span class="row">
                    <button type="button" class="small" onClick={() => act(job, job.state === 'running' ? 'pause' : 'resume')} aria-label={`${job.state === 'running' ? 'Pause' : 'Resume'} job ${job.id}`}>
                      {job.state === 'running' ? 'Pause' : 'Resume'}
                    </button>
                    <button type="button" class="small" onClick={() => setCancelling(job)} aria-label={`Cancel job ${job.id}`}>
                      Cancel…
                    </button>
                  </span>
                ) : null,
            },
          ]}
        />
      </Panel>
      {cancelling ? (
        <Confirm
          title={`Cancel job ${cancelling.id}?`}
          text="The message it is at is finished first. What was sent stays sent."
          action="Cancel the job"
          danger
          onClose={() => setCancelling(null)}
          onDone={reload}
          run={async () => {
            await api.jobAction(cancelling.id, 'cancel');
          }}
        />
      ) : null}
    </div>
  );
}

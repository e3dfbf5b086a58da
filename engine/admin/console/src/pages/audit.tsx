// Who did what; whether the chain of records is unbroken; export. Looking at it is in it.
import { useEffect, useState } from 'preact/hooks';
import { api, type ApiError } from '../api';
import { ErrorBox, PageHead, Panel, State, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { count } from '../format';
import { asApiError, useAction } from '../load';
import type { AuditRecord, AuditVerdict } from '../types_admin';

export default function Audit() {
  const [filter, setFilter] = useState({ user: '', action: '', outcome: '' });
  const [records, setRecords] = useState<AuditRecord[]>([]);
  const [next, setNext] = useState<number | undefined>(undefined);
  const [head, setHead] = useState<{ n: number; hash: string } | undefined>(undefined);
  const [error, setError] = useState<ApiError | null>(null);
  const [verdict, setVerdict] = useState<AuditVerdict | null>(null);
  const verify = useAction(async () => setVerdict(await api.verifyAudit()));
  const ask = async (before?: number) => {
    setError(null);
    try {
      const page = await api.audit({ ...filter, ...(before === undefined ? {} : { before }) });
      setRecords((old) => (before === undefined ? page.records : [...old, ...page.records]));
      setNext(page.next);
      setHead(page.head);
    } catch (caught) {
      setError(asApiError(caught));
    }
  };
  useEffect(() => void ask(), []);
  const input = (name: 'user' | 'action', label: string) => (
    <input aria-label={label} placeholder={label} value={filter[name]} onInput={(event) => setFilter({ ...filter, [name]: event.currentTarget.value })} />
  );
  return (
    <div class="stack">
      <PageHead title="Audit">
        <span class="grow" />
        <button type="button" class="small" disabled={verify.busy} onClick={() => void verify.run()}>
          Verify the chain
        </button>
        <a class="button small" href={api.auditExportUrl} download>
          Export
        </a>
      </PageHead>
      {verdict ? (
        <div class={`message-box ${verdict.ok ? 'ok' : 'bad'}`} role="status">
          <State state={verdict.ok ? 'ok' : 'error'} text={verdict.ok ? 'unbroken' : 'BROKEN'} /> {verdict.text}
          {verdict.broken_at === undefined ? '' : ` at record ${verdict.broken_at}`}
        </div>
      ) : null}
      <ErrorBox error={error ?? verify.error} retry={() => void ask()} />
      <form
        class="row"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        {input('user', 'User')}
        {input('action', 'Action')}
        <select aria-label="Outcome" value={filter.outcome} onChange={(event) => setFilter({ ...filter, outcome: event.currentTarget.value })}>
          <option value="">any outcome</option>
          <option>ok</option>
          <option>refused</option>
          <option>failed</option>
        </select>
        <button type="submit" class="primary">
          Filter
        </button>
        {head ? (
          <span class="dim">
            head: record {count(head.n)} <code>{head.hash.slice(0, 16)}</code>
          </span>
        ) : null}
      </form>
      <Panel>
        <DataTable
          label="Audit records"
          items={records}
          id={(one) => one.n}
          empty="No record fits."
          columns={[
            { title: 'Number', num: true, cell: (one) => count(one.n) },
            { title: 'Time', cell: (one) => <Time at={one.at} /> },
            { title: 'User', cell: (one) => one.user },
            { title: 'From', cell: (one) => <span class="mono">{one.from ?? '–'}</span> },
            { title: 'Action', cell: (one) => <span class={/break.?glass/.test(one.action) ? 'badge bad' : ''}>{one.action}</span> },
            { title: 'Target', cell: (one) => <span class="wrap">{one.target ?? ''}</span> },
            { title: 'Outcome', cell: (one) => <State state={one.outcome} /> },
            { title: 'Detail', cell: (one) => <span class="wrap">{one.detail ?? ''}</span> },
          ]}
        />
        {next === undefined ? null : (
          <p class="body">
            <button type="button" onClick={() => void ask(next)}>
              Older
            </button>
          </p>
        )}
      </Panel>
    </div>
  );
}

import { api } from '../api';
import { Panel, Pending, State, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { useLoad } from '../load';

export function Certificates() {
  const { data, error, loading, reload } = useLoad(() => api.certificates(), []);
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  const sorted = [...data.certificates].sort((a, b) => a.days - b.days);
  return (
    <Panel title="Certificates in use, first to end">
      <DataTable
        label="Certificates"
        items={sorted}
        id={(one) => `${one.where} ${one.subject}`}
        empty="No listener and no destination uses a certificate."
        columns={[
          { title: 'Where', cell: (one) => <strong>{one.where}</strong> },
          { title: 'Subject', cell: (one) => one.subject },
          { title: 'Issuer', cell: (one) => one.issuer ?? '–' },
          { title: 'From', cell: (one) => <Time at={one.from} /> },
          { title: 'Until', cell: (one) => <Time at={one.expires} how="full" /> },
          { title: 'Left', cell: (one) => <State state="days" tone={one.days < 7 ? 'bad' : one.days < 30 ? 'warn' : 'ok'} text={`${one.days} days`} /> },
        ]}
      />
      <p class="body dim">A new file on disk is taken over without a restart. Storage tells which master key closes the journal.</p>
    </Panel>
  );
}

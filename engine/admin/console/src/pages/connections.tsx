// Every socket: who, since when, how much, what went wrong; and who was refused.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { ErrorBox, PageHead, Panel, Pending, Time } from '../components/basics';
import { DataTable } from '../components/data_table';
import { bytes, count } from '../format';
import { useLoad } from '../load';
import { link } from '../router';

export default function Connections() {
  const { data, error, loading, reload } = useLoad(() => api.connections(), [], 5000);
  const [filter, setFilter] = useState('');
  if (!data) return <Pending loading={loading} error={error} retry={reload} />;
  const wanted = filter.toLowerCase();
  const shown = data.connections.filter((one) => `${one.channel} ${one.destination ?? ''} ${one.peer} ${one.certificate ?? ''}`.toLowerCase().includes(wanted));
  return (
    <div class="stack">
      <PageHead title="Connections">
        <input type="search" placeholder="Channel, peer, certificate" aria-label="Filter" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <span class="dim">{shown.length} open</span>
      </PageHead>
      <ErrorBox error={error} retry={reload} />
      <Panel title="Open">
        <DataTable
          label="Open connections"
          items={shown.slice(0, 500)}
          id={(one) => `${one.channel} ${one.destination ?? ''} ${one.listener ?? ''} ${one.peer} ${one.since}`}
          empty="No connection is open."
          columns={[
            { title: 'Channel', cell: (one) => <a href={link('channels', [one.channel])}>{one.channel}</a> },
            { title: 'Side', cell: (one) => (one.destination ? `to ${one.destination}` : `in at ${one.listener ?? ''}`) },
            { title: 'Peer', cell: (one) => <span class="mono">{one.peer}</span> },
            { title: 'Certificate', cell: (one) => one.certificate ?? 'none' },
            { title: 'Since', cell: (one) => <Time at={one.since} how="relative" /> },
            { title: 'In', num: true, cell: (one) => bytes(one.bytes_in) },
            { title: 'Out', num: true, cell: (one) => bytes(one.bytes_out) },
            { title: 'Messages', num: true, cell: (one) => count(one.messages) },
            { title: 'Last activity', cell: (one) => <Time at={one.last_activity} how="relative" /> },
            { title: 'Last error', cell: (one) => one.last_error ?? '' },
          ]}
        />
      </Panel>
      {data.refused ? (
        <Panel title="Refused">
          <DataTable
            label="Refused connections"
            items={data.refused}
            id={(one) => `${one.at} ${one.peer}`}
            empty="None was refused."
            columns={[
              { title: 'Time', cell: (one) => <Time at={one.at} /> },
              { title: 'Peer', cell: (one) => <span class="mono">{one.peer}</span> },
              { title: 'Listener', cell: (one) => one.listener },
              { title: 'Reason', cell: (one) => one.reason },
            ]}
          />
        </Panel>
      ) : null}
    </div>
  );
}

// Both sides of every channel: what listens, what is connected, what went wrong last. Live.
import { useState } from 'preact/hooks';
import { PageHead, Panel, Pending, State, Time } from '../components/basics';
import { connectionState } from '../components/connection_state';
import { DataTable } from '../components/data_table';
import { count } from '../format';
import { live } from '../live';
import { link } from '../router';
import { useStore } from '../store';
import type { ConnectorState } from '../types';

interface Row {
  key: string;
  channel: string;
  side: string;
  kind: string;
  connector: ConnectorState;
  pending: number;
  last: string | undefined;
  failure: string | undefined;
}

export default function Connections() {
  const { status, stale } = useStore(live);
  const [filter, setFilter] = useState('');
  if (!status) return <Pending loading error={null} />;
  const rows = status.channels.flatMap((channel): Row[] => [
    {
      key: `${channel.name} in`,
      channel: channel.name,
      side: channel.source.port ? `listens on port ${channel.source.port}` : 'source',
      kind: channel.kind,
      connector: channel.source,
      pending: 0,
      last: channel.last_received,
      failure: channel.source.last_error,
    },
    ...channel.destinations.map((one) => ({
      key: `${channel.name} ${one.name}`,
      channel: channel.name,
      side: `to ${one.name}`,
      kind: '',
      connector: one.connector,
      pending: one.pending,
      last: one.last_sent,
      failure: one.connector.last_error ?? one.last_failure,
    })),
  ]);
  const wanted = filter.toLowerCase();
  const shown = rows.filter((one) => `${one.channel} ${one.side} ${one.kind} ${one.failure ?? ''}`.toLowerCase().includes(wanted));
  const open = shown.reduce((sum, one) => sum + (one.connector.connections ?? 0), 0);
  return (
    <div class={`stack ${stale ? 'stale' : ''}`}>
      <PageHead title="Connections">
        <input type="search" placeholder="Channel or destination" aria-label="Filter" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <span class="dim">{count(open)} open</span>
      </PageHead>
      <Panel title="Listeners and destinations">
        <DataTable
          label="Connections"
          items={shown.slice(0, 500)}
          id={(one) => one.key}
          empty="None of that name."
          columns={[
            { title: 'Channel', cell: (one) => <a href={link('channels', [one.channel])}>{one.channel}</a> },
            { title: 'Side', cell: (one) => one.side },
            { title: 'Kind', cell: (one) => one.kind },
            { title: 'State', cell: (one) => <State {...connectionState(one.connector, one.pending)} /> },
            { title: 'Open', num: true, cell: (one) => count(one.connector.connections) },
            { title: 'Waiting', num: true, cell: (one) => count(one.pending) },
            { title: 'Last message', cell: (one) => <Time at={one.last} how="relative" /> },
            { title: 'Last error', cell: (one) => <span class="wrap">{one.failure ?? ''}</span> },
          ]}
        />
      </Panel>
    </div>
  );
}

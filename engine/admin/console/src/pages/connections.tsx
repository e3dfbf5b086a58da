// Both sides of every channel: what listens, what is connected, who was refused, what went wrong last.
import { useState } from 'preact/hooks';
import { api } from '../api';
import { ErrorBox, PageHead, Panel, State, Time, Unready } from '../components/basics';
import { connectionState } from '../components/connection_state';
import { DataTable } from '../components/data_table';
import { count } from '../format';
import { live } from '../live';
import { useLoad } from '../load';
import { link } from '../router';
import { useStore } from '../store';
import type { Status } from '../types';
import type { Connection } from '../types_admin';

/** What waits behind a connection, and when something went over it last. */
function beside(status: Status | null, one: Connection): { pending: number; last: string | undefined } {
  const channel = status?.channels.find((each) => each.name === one.channel);
  if (!one.destination) return { pending: 0, last: channel?.last_received };
  const destination = channel?.destinations.find((each) => each.name === one.destination);
  return { pending: destination?.pending ?? 0, last: destination?.last_sent };
}

export default function Connections() {
  const { data, error, loading, reload } = useLoad(() => api.connections(), [], 5000);
  const { status, stale } = useStore(live);
  const [filter, setFilter] = useState('');
  if (!data) return <Unready title="Connections" loading={loading} error={error} retry={reload} />;
  const wanted = filter.toLowerCase();
  const shown = data.connections.filter((one) => `${one.channel} ${one.destination ?? ''} ${one.listener ?? ''} ${one.peer} ${one.last_error ?? ''}`.toLowerCase().includes(wanted));
  const sum = (pick: (one: Connection) => number) => shown.reduce((all, one) => all + pick(one), 0);
  return (
    <div class={`stack ${stale ? 'stale' : ''}`}>
      <PageHead title="Connections">
        <input type="search" placeholder="Channel, peer, error" aria-label="Filter" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <span class="dim">
          {count(sum((one) => one.open))} open, {count(sum((one) => one.refused))} refused since the start
        </span>
      </PageHead>
      <ErrorBox error={error} retry={reload} />
      <Panel title="Listeners and destinations">
        <DataTable
          label="Connections"
          items={shown.slice(0, 500)}
          id={(one) => `${one.channel} ${one.destination ?? ''}`}
          empty="None of that name."
          columns={[
            { title: 'Channel', cell: (one) => <a href={link('channels', [one.channel])}>{one.channel}</a> },
            { title: 'Side', cell: (one) => (one.destination ? `to ${one.destination}` : `in: ${one.listener ?? ''}`) },
            { title: 'Peer', cell: (one) => <span class="mono">{one.peer}</span> },
            { title: 'State', cell: (one) => <State {...connectionState(one, beside(status, one).pending)} /> },
            { title: 'Open', num: true, cell: (one) => count(one.open) },
            { title: 'Opened', num: true, cell: (one) => count(one.opened) },
            { title: 'Refused', num: true, cell: (one) => count(one.refused) },
            { title: 'Messages', num: true, cell: (one) => count(one.messages) },
            { title: 'Waiting', num: true, cell: (one) => count(beside(status, one).pending) },
            { title: 'Last message', cell: (one) => <Time at={beside(status, one).last} how="relative" /> },
            { title: 'Last error', cell: (one) => <span class="wrap">{one.last_error ?? ''}</span> },
          ]}
        />
      </Panel>
    </div>
  );
}

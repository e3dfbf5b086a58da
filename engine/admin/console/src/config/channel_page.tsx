// One channel: its counters and curves, its destinations with the head of the queue and the next try, its text.
import { api } from '../api';
import { Empty, PageHead, Panel, Pending, State, Time } from '../components/basics';
import { ChannelActions, DestinationActions } from '../components/channel_actions';
import { Chart } from '../components/chart';
import { connectionState } from '../components/connection_state';
import { DataTable } from '../components/data_table';
import { count, duration, latency, once, rate } from '../format';
import { live, trends } from '../live';
import { useLoad } from '../load';
import { link } from '../router';
import { useRight } from '../session';
import { useStore } from '../store';
import type { ChannelStatus } from '../types';
import { FileText } from './files';

function Curves(props: { name: string }) {
  const series = useStore(trends).get(props.name);
  if (!series || series.received.length < 2) return null;
  const from = Date.now() / 1000 - series.received.length * 10;
  return (
    <div class="columns">
      <Panel title="Messages a second, last 30 min">
        <Chart
          label="Messages a second"
          from={from}
          step={10}
          lines={[
            { label: 'received', values: series.received, color: '--accent' },
            { label: 'sent', values: series.sent, color: '--ok' },
          ]}
        />
      </Panel>
      {series.p99.length < 2 ? null : (
      <Panel title="Latency">
        <Chart
          label="Latency"
          from={Date.now() / 1000 - series.p99.length * 10}
          step={10}
          unit=" ms"
          lines={[
            { label: 'p50', values: series.p50, color: '--accent' },
            { label: 'p99', values: series.p99, color: '--warn' },
          ]}
        />
      </Panel>
      )}
    </div>
  );
}

function Figures(props: { channel: ChannelStatus }) {
  const { channel } = props;
  const figures: [string, string, string?][] = [
    ['Received', count(channel.received), `channel:${channel.name}`],
    ['Sent', count(channel.sent), `channel:${channel.name} state:sent`],
    ['Filtered', count(channel.filtered), `channel:${channel.name} state:filtered`],
    ['Rejected', count(channel.rejected), `channel:${channel.name} state:rejected`],
    ['Waiting', count(channel.pending), `channel:${channel.name} state:pending`],
    ['Quarantined', count(channel.quarantined), `channel:${channel.name} state:quarantined`],
    ['Duplicates', count(channel.duplicates)],
    ['A second', rate(channel.rate?.m1)],
    ['Latency p50 / p99', latency(channel.latency_ms)],
  ];
  return (
    <div class="tiles">
      {figures.map(([label, value, q]) => {
        const inner = (
          <>
            <div class="label">{label}</div>
            <div class="value">{value}</div>
          </>
        );
        return q ? (
          <a key={label} class="tile" href={link('messages', [], { q })}>
            {inner}
          </a>
        ) : (
          <div key={label} class="tile">
            {inner}
          </div>
        );
      })}
    </div>
  );
}

function Source(props: { name: string }) {
  const site = useLoad(() => api.site(), []);
  const may = useRight('configure');
  const found = site.data?.channels.find((one) => one.name === props.name);
  if (!found || !may) return null;
  return (
    <Panel title={<code>{found.file}</code>}>
      <FileText path={found.file} line={found.line ?? 1} />
    </Panel>
  );
}

export function ChannelPage(props: { name: string }) {
  const { status, stale } = useStore(live);
  const channel = status?.channels.find((one) => one.name === props.name);
  if (!status) return <Pending loading error={null} />;
  if (!channel)
    return (
      <div class="stack">
        <PageHead title={props.name} />
        <Empty>
          There is no channel of this name. <a class="up" href={link('channels')}>All channels</a>
        </Empty>
      </div>
    );
  return (
    <div class={`stack ${stale ? 'stale' : ''}`}>
      <PageHead
        title={
          <>
            <a class="up" href={link('channels')}>
              Channels
            </a>{' '}
            / {channel.name} <State state={channel.state} />
          </>
        }
      >
        <span class="grow" />
        <ChannelActions channel={channel} />
      </PageHead>
      <dl class="facts inline">
        <div>
          <dt>Source</dt>
          <dd>
            {channel.kind} {channel.source.port ? `port ${channel.source.port}` : ''} <State state={channel.source.state} />
          </dd>
        </div>
        <div>
          <dt>Connections</dt>
          <dd>{count(channel.source.connections)}</dd>
        </div>
        <div>
          <dt>Last message</dt>
          <dd>
            <Time at={channel.last_received} how="relative" />
          </dd>
        </div>
        <div>
          <dt>Oldest waiting</dt>
          <dd>{channel.oldest_pending_seconds === undefined ? '–' : <a href={link('messages', [], { q: `channel:${channel.name} state:pending` })}>{duration(channel.oldest_pending_seconds)}</a>}</dd>
        </div>
        {channel.source.last_error ? (
          <div>
            <dt>Last error</dt>
            <dd>{channel.source.last_error}</dd>
          </div>
        ) : null}
      </dl>
      <Figures channel={channel} />
      <Panel title="Destinations">
        <DataTable
          label="Destinations"
          items={channel.destinations}
          id={(one) => one.name}
          empty="This channel sends nowhere."
          columns={[
            { title: 'Destination', cell: (one) => <strong>{one.name}</strong> },
            { title: 'State', cell: (one) => one.blocked ? <State state="blocked" /> : one.state === 'running' ? <State {...connectionState(one.connector, one.pending)} /> : <State state={one.state} /> },
            { title: 'Waiting', num: true, cell: (one) => count(one.pending) },
            { title: 'Oldest', num: true, cell: (one) => (one.oldest_pending_seconds === undefined ? '–' : duration(one.oldest_pending_seconds)) },
            { title: 'First in line', cell: (one) => (one.head ? <a href={link('message', [one.head])}>{one.head}</a> : '–') },
            { title: 'Tries', num: true, cell: (one) => count(one.head_attempts) },
            { title: 'Next try', cell: (one) => (one.next_try_ms === undefined ? '–' : `in ${duration(one.next_try_ms / 1000)}`) },
            { title: 'Sent', num: true, cell: (one) => count(one.sent) },
            { title: 'Quarantined', num: true, cell: (one) => count(one.quarantined) },
            { title: 'Last failure', cell: (one) => once(one.last_failure ?? '') },
            { title: '', cell: (one) => <DestinationActions channel={channel.name} destination={one} /> },
          ]}
        />
      </Panel>
      <Curves name={channel.name} />
      {channel.links?.some((one) => one.frozen) ? (
        <div class="message-box warn">
          <strong>Frozen links</strong> {channel.links.filter((one) => one.frozen).map((one) => one.name).join(', ')}: “Resume” lets them go on.
        </div>
      ) : null}
      <Source name={channel.name} />
    </div>
  );
}

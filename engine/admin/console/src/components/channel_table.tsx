// All channels as one dense table with their destinations below them; filter and order for sites with hundreds.
import { useMemo, useState } from 'preact/hooks';
import { count, duration, latency, once, rate } from '../format';
import { trends } from '../live';
import { link } from '../router';
import { useStore } from '../store';
import type { ChannelStatus, DestinationStatus } from '../types';
import { Empty, Panel, Spark, State, Time } from './basics';
import { connectionState } from './connection_state';
import { ChannelActions } from './channel_actions';

const kShownMax = 150; // rows at once; the filter finds the others

function badness(channel: ChannelStatus): number {
  // Who paused something knows that it waits.
  const blocked = channel.destinations.some((one) => one.blocked || (one.state === 'running' && one.connector.state === 'down' && one.pending > 0));
  const down = channel.state === 'running' && channel.source.state === 'down';
  return (blocked ? 8 : 0) + (down ? 8 : 0) + ((channel.oldest_pending_seconds ?? 0) > 60 ? 4 : 0) + (channel.quarantined > 0 ? 2 : 0) + (channel.state !== 'running' ? 1 : 0);
}

function Age(props: { seconds?: number | undefined }) {
  const { seconds } = props;
  if (seconds === undefined) return <>–</>;
  return seconds > 60 ? <State state="old" tone={seconds > 600 ? 'bad' : 'warn'} text={duration(seconds)} /> : <>{duration(seconds)}</>;
}

function destinationState(one: DestinationStatus) {
  if (one.state === 'blocked' || one.blocked) return <State state="blocked" />;
  if (one.state === 'paused') return <State state="paused" />;
  return <State {...connectionState(one.connector, one.pending)} />;
}

function sourceState(channel: ChannelStatus) {
  return channel.state === 'running' ? <State state={channel.source.state} /> : <State state={channel.state} />;
}

function Row(props: { channel: ChannelStatus }) {
  const { channel } = props;
  const series = useStore(trends).get(channel.name);
  return (
    <>
      <tr>
        <th scope="row">
          <a href={link('channels', [channel.name])}>{channel.name}</a> <span class="dim wide-only">{channel.kind}</span>
        </th>
        <td>{sourceState(channel)}</td>
        <td class="wide-only">
          <Spark values={series?.received ?? []} label={`messages a second into ${channel.name}`} />
        </td>
        <td class="num wide-only">{rate(channel.rate?.m1)}</td>
        <td class="num wide-only">{count(channel.received)}</td>
        <td class="num wide-only">{count(channel.filtered)}</td>
        <td class="num wide-only">{count(channel.sent)}</td>
        <td class="num">{count(channel.pending)}</td>
        <td class="num">
          <Age seconds={channel.oldest_pending_seconds} />
        </td>
        <td class="num wide-only">{channel.quarantined > 0 ? <a href={link('messages', [], { q: `channel:${channel.name} state:quarantined` })}>{count(channel.quarantined)}</a> : '0'}</td>
        <td class="wide-only">
          <Spark values={series?.p99 ?? []} label={`latency of ${channel.name}`} />
        </td>
        <td class="num wide-only">{latency(channel.latency_ms)}</td>
        <td class="wide-only">
          <Time at={channel.last_received} how="relative" />
        </td>
        <td>
          <ChannelActions channel={channel} compact />
        </td>
      </tr>
      {channel.destinations.map((one) => (
        <tr key={one.name} class="sub">
          <td>
            <span class="dim" aria-hidden="true">
              →{' '}
            </span>
            {one.name}
          </td>
          <td>{destinationState(one)}</td>
          <td colSpan={4} class="dim wide-only">
            <div class="slim">{one.last_failure && one.pending > 0 ? once(one.last_failure) : ''}</div>
          </td>
          <td class="num wide-only">{count(one.sent)}</td>
          <td class="num">{count(one.pending)}</td>
          <td class="num">
            <Age seconds={one.oldest_pending_seconds} />
          </td>
          <td class="num wide-only">{count(one.quarantined)}</td>
          <td class="wide-only" />
          <td class="num wide-only">{latency(one.latency_ms)}</td>
          <td class="wide-only">
            <Time at={one.last_sent} how="relative" />
          </td>
          <td />
        </tr>
      ))}
    </>
  );
}

export function ChannelTable(props: { channels: ChannelStatus[] }) {
  const [filter, setFilter] = useState('');
  const [order, setOrder] = useState<'worst' | 'name' | 'busiest'>('worst');
  const shown = useMemo(() => {
    const wanted = props.channels.filter((one) => one.name.toLowerCase().includes(filter.toLowerCase()));
    const by = {
      name: (a: ChannelStatus, b: ChannelStatus) => a.name.localeCompare(b.name),
      worst: (a: ChannelStatus, b: ChannelStatus) => badness(b) - badness(a) || a.name.localeCompare(b.name),
      busiest: (a: ChannelStatus, b: ChannelStatus) => (b.rate?.m1 ?? 0) - (a.rate?.m1 ?? 0) || a.name.localeCompare(b.name),
    };
    return wanted.sort(by[order]);
  }, [props.channels, filter, order]);
  return (
    <Panel
      title={`Channels (${shown.length})`}
      tools={
        <>
          <input type="search" placeholder="Filter by name" aria-label="Filter channels by name" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
          <select aria-label="Order" value={order} onChange={(event) => setOrder(event.currentTarget.value as typeof order)}>
            <option value="worst">worst first</option>
            <option value="busiest">busiest first</option>
            <option value="name">by name</option>
          </select>
        </>
      }
    >
      <div class="table-box" tabIndex={0} role="region" aria-label="Channels">
        <table class="channels">
          <thead>
            <tr>
              <th scope="col">Channel</th>
              <th scope="col">State</th>
              <th scope="col" class="wide-only">Intake</th>
              <th scope="col" class="num wide-only">/s</th>
              <th scope="col" class="num wide-only">Received</th>
              <th scope="col" class="num wide-only">Filtered</th>
              <th scope="col" class="num wide-only">Sent</th>
              <th scope="col" class="num">Waiting</th>
              <th scope="col" class="num">Oldest</th>
              <th scope="col" class="num wide-only">Quarantine</th>
              <th scope="col" class="wide-only">Latency</th>
              <th scope="col" class="num wide-only">p50 / p99</th>
              <th scope="col" class="wide-only">Last</th>
              <th scope="col">
                <span class="hidden-text">Control</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, kShownMax).map((one) => (
              <Row key={one.name} channel={one} />
            ))}
          </tbody>
        </table>
      </div>
      {shown.length === 0 ? <Empty>No channel of that name.</Empty> : null}
      {shown.length > kShownMax ? <Empty>{shown.length - kShownMax} more: filter by name.</Empty> : null}
    </Panel>
  );
}

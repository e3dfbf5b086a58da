// The site as a picture: sources, maps, destinations, with what flows now. It is a drawing of the table below it.
import { count, rate } from '../format';
import { live, outflow } from '../live';
import { go, link } from '../router';
import { useStore } from '../store';
import type { ChannelStatus } from '../types';
import type { SiteChannel } from '../types_admin';

const kRow = 44;
const kBox = 32;
const kColumns = [16, 376, 736];
const kWidth = 240;

interface Placed {
  x: number;
  y: number;
}

function toneOf(status: ChannelStatus | undefined, destination?: string): string {
  if (!status) return 'idle';
  if (destination === undefined) return status.state !== 'running' ? 'warn' : status.source.state === 'up' ? 'ok' : 'bad';
  const found = status.destinations.find((one) => one.name === destination);
  if (!found) return 'idle';
  if (found.state === 'paused') return 'warn';
  return found.blocked || (found.connector.state === 'down' && found.pending > 0) ? 'bad' : 'ok';
}

function short(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function Box(props: { at: Placed; title: string; note: string; tone: string; onOpen?: () => void }) {
  const { at, title, note, tone } = props;
  return (
    <g class={`node ${tone}`} onClick={props.onOpen}>
      <title>{`${title}: ${note}`}</title>
      <rect x={at.x} y={at.y} width={kWidth} height={kBox} rx="5" />
      <rect class="mark" x={at.x} y={at.y} width="5" height={kBox} rx="2" />
      <text x={at.x + 14} y={at.y + 20}>
        {short(title, 17)}
      </text>
      <text class="note" x={at.x + kWidth - 8} y={at.y + 20} text-anchor="end">
        {short(note, 17)}
      </text>
    </g>
  );
}

function Edge(props: { from: Placed; to: Placed; text: string; tone: string }) {
  const { from, to } = props;
  const a = { x: from.x + kWidth, y: from.y + kBox / 2 };
  const b = { x: to.x, y: to.y + kBox / 2 };
  const bend = (b.x - a.x) / 2;
  return (
    <g class={`edge ${props.tone}`}>
      <path d={`M${a.x} ${a.y}C${a.x + bend} ${a.y} ${b.x - bend} ${b.y} ${b.x} ${b.y}`} />
      <text x={b.x - 8} y={b.y - 5} text-anchor="end">
        {props.text}
      </text>
    </g>
  );
}

export function SitePicture(props: { channels: SiteChannel[] }) {
  const { status } = useStore(live);
  const flow = useStore(outflow);
  let y = 8;
  const drawn = props.channels.map((channel) => {
    const rows = Math.max(1, channel.maps.length, channel.destinations.length);
    const top = y;
    y += rows * kRow + 10;
    const centre = (count: number, n: number) => top + ((rows - count) * kRow) / 2 + n * kRow;
    return {
      channel,
      live: status?.channels.find((one) => one.name === channel.name),
      source: { x: kColumns[0] ?? 0, y: centre(1, 0) },
      maps: channel.maps.map((map, n) => ({ map, at: { x: kColumns[1] ?? 0, y: centre(channel.maps.length, n) } })),
      ends: channel.destinations.map((end, n) => ({ end, at: { x: kColumns[2] ?? 0, y: centre(channel.destinations.length, n) } })),
    };
  });
  return (
    <div class="picture" tabIndex={0} role="region" aria-label="Picture of the site">
      <svg viewBox={`0 0 ${(kColumns[2] ?? 0) + kWidth + 16} ${y}`} role="img" aria-label={`${props.channels.length} channels: the table below says the same in words`}>
        {drawn.map(({ channel, live: now, source, maps, ends }) => (
          <g key={channel.name}>
            {maps.map(({ map, at }) => (
              <Edge key={map.name} from={source} to={at} text="" tone={toneOf(now)} />
            ))}
            {ends.map(({ end, at }) => {
              const from = maps.find(({ map }) => map.result === end.from)?.at ?? (end.from === 'message' || end.from === 'source' ? source : (maps[0]?.at ?? source));
              const waiting = now?.destinations.find((one) => one.name === end.name)?.pending ?? 0;
              const leaves = flow.get(`${channel.name}/${end.name}`);
              const text = [leaves === undefined ? '' : `${rate(leaves)}/s`, waiting > 0 ? `${count(waiting)} wait` : ''].filter(Boolean).join(', ');
              return <Edge key={end.name} from={from} to={at} text={text} tone={toneOf(now, end.name)} />;
            })}
            <text class="flow" x={source.x + kWidth + 8} y={source.y + kBox / 2 - 5}>
              {`${rate(now?.rate?.m1)}/s`}
            </text>
            <Box at={source} title={channel.name} note={`${channel.source.kind} ${channel.source.summary ?? ''}`} tone={toneOf(now)} onOpen={() => go(link('channels', [channel.name]))} />
            {maps.map(({ map, at }) => (
              <Box key={map.name} at={at} title={map.name.split('.').pop() ?? map.name} note="map" tone="plain" onOpen={() => go(link('playground', [], { map: map.name }))} />
            ))}
            {ends.map(({ end, at }) => (
              <Box key={end.name} at={at} title={end.name} note={end.summary || end.kind} tone={toneOf(now, end.name)} onOpen={() => go(link('channels', [channel.name]))} />
            ))}
          </g>
        ))}
      </svg>
    </div>
  );
}

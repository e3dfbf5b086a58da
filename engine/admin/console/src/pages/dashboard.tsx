// One look at 3 a.m.: is anything wrong, what, since when, what Kiln does about it, what a person can do.
import { State, Time, Empty, PageHead, Panel } from '../components/basics';
import { Age } from '../components/age';
import { ChannelTable } from '../components/channel_table';
import { bytes, count, duration, once, plural, rate } from '../format';
import { live } from '../live';
import { link } from '../router';
import { useStore } from '../store';
import type { Problem, Status } from '../types';

function target(problem: Problem): string {
  return problem.channel ? link('channels', [problem.channel]) : link('alerts');
}

/** What it is about, unless its text begins with that. */
function subject(problem: Problem): string {
  const name = problem.channel ? `${problem.channel}${problem.destination ? `/${problem.destination}` : ''}` : '';
  return name === '' || problem.text.startsWith(name) ? '' : `${name}: `;
}

function Problems(props: { problems: Problem[] }) {
  if (props.problems.length === 0) return null;
  return (
    <Panel title="Problems, worst for patients first">
      <ul>
        {props.problems.map((one, n) => (
          <li key={n} class="problem">
            <State state={one.level} text={one.level === 'bad' ? 'act now' : 'look'} />
            <div>
              <div class="what">
                <a href={target(one)}>
                  {subject(one)}
                  {once(one.text)}
                </a>
              </div>
              {one.doing ? <div>Kiln: {one.doing}</div> : null}
              {one.can ? (
                <div class="dim">
                  You can: {one.can} {one.command ? <code>{one.command}</code> : null}
                </div>
              ) : null}
            </div>
            <div class="dim nowrap">
              {one.since ? (
                <div>
                  since <Time at={one.since} how="relative" />
                </div>
              ) : null}
              {one.next ? (
                <div>
                  next try <Time at={one.next} how="relative" />
                </div>
              ) : null}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Tile(props: { label: string; value: string; sub?: string; tone?: 'bad' | 'warn' | ''; href?: string }) {
  const inner = (
    <>
      <div class="label">{props.label}</div>
      <div class="value">{props.value}</div>
      <div class="sub">{props.sub ?? ''}</div>
    </>
  );
  const name = `tile ${props.tone ?? ''}`;
  return props.href ? (
    <a class={name} href={props.href}>
      {inner}
    </a>
  ) : (
    <div class={name}>{inner}</div>
  );
}

function diskTile(status: Status) {
  const { disk } = status;
  if (!disk) return null;
  const share = disk.total_bytes > 0 ? disk.free_bytes / disk.total_bytes : 1;
  const days = disk.full_at ? (Date.parse(disk.full_at) - Date.now()) / 86_400_000 : Infinity;
  const tone = share < 0.03 || days < 1 ? 'bad' : share < 0.1 || days < 7 ? 'warn' : '';
  const sub = Number.isFinite(days) ? `full in ${duration(days * 86_400)}` : `of ${bytes(disk.total_bytes)}`;
  return <Tile label="Disk free" value={bytes(disk.free_bytes)} sub={sub} tone={tone} href={link('storage')} />;
}

function certificateTile(status: Status) {
  const first = [...(status.certificates ?? [])].sort((a, b) => a.days - b.days)[0];
  if (!first) return null;
  const tone = first.days < 7 ? 'bad' : first.days < 30 ? 'warn' : '';
  return <Tile label="Next certificate" value={plural(first.days, 'day')} sub={first.where} tone={tone} href={link('settings', ['certificates'])} />;
}

function Tiles(props: { status: Status }) {
  const { status } = props;
  const sum = (pick: (one: Status['channels'][number]) => number | undefined) => status.channels.reduce((all, one) => all + (pick(one) ?? 0), 0);
  const oldest = Math.max(0, ...status.channels.map((one) => one.oldest_pending_seconds ?? 0));
  const pending = sum((one) => one.pending);
  const quarantined = sum((one) => one.quarantined);
  return (
    <div class="tiles">
      <Tile label="Received" value={count(sum((one) => one.received))} sub={`${rate(sum((one) => one.rate?.m1))} a second`} href={link('messages')} />
      <Tile label="Sent" value={count(sum((one) => one.sent))} href={link('messages', [], { q: 'state:sent' })} />
      <Tile label="Filtered" value={count(sum((one) => one.filtered))} href={link('messages', [], { q: 'state:filtered' })} />
      <Tile
        label="Waiting"
        value={count(pending)}
        sub={oldest > 0 ? `oldest ${duration(oldest)}` : ''}
        tone={oldest > 600 ? 'bad' : oldest > 60 ? 'warn' : ''}
        href={link('messages', [], { q: 'state:pending' })}
      />
      <Tile label="Quarantined" value={count(quarantined)} tone={quarantined > 0 ? 'bad' : ''} href={link('quarantine')} />
      <Tile label="Rejected" value={count(sum((one) => one.rejected))} href={link('messages', [], { q: 'state:rejected' })} />
      {diskTile(status)}
      {certificateTile(status)}
    </div>
  );
}

function Insecure(props: { status: Status }) {
  const { insecure, only_account } = props.status;
  const lines = [...(insecure ?? []), ...(only_account ? ['There is one account only, and it holds all rights.'] : [])];
  if (lines.length === 0) return null;
  return (
    <div class="message-box warn">
      <strong>Relaxed settings</strong>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </div>
  );
}

export default function Dashboard() {
  const { status, stale } = useStore(live);
  if (!status)
    return (
      <>
        <PageHead title="Dashboard">
          <Age />
        </PageHead>
        <Empty>Waiting for the engine…</Empty>
      </>
    );
  const level = stale ? 'idle' : status.verdict.level;
  return (
    <div class={`stack ${stale ? 'stale' : ''}`}>
      <h1 class="hidden-text">Dashboard</h1>
      <div class={`verdict ${level}`} role="status">
        <State state={level} tone={stale ? 'idle' : level === 'idle' ? 'idle' : level} text={stale ? 'unknown' : level === 'ok' ? 'all well' : level === 'warn' ? 'look' : 'act now'} />
        <span class="grow">{stale ? `No data. Before: ${once(status.verdict.text)}` : once(status.verdict.text)}</span>
        <span class="age">
          as of <Time at={status.now} />
        </span>
      </div>
      <Problems problems={status.problems} />
      <Tiles status={status} />
      <Insecure status={status} />
      <ChannelTable channels={status.channels} />
      <p class="dim">
        Kiln {status.version} · config <code>{status.config.slice(0, 12)}</code>
        {status.config_time ? (
          <>
            {' '}
            since <Time at={status.config_time} />
          </>
        ) : null}
        {status.uptime_seconds !== undefined ? ` · running for ${duration(status.uptime_seconds)}` : ''}
      </p>
    </div>
  );
}

// Search over all messages: query, endless list, and what to do with many at once.
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, type ApiError } from '../api';
import { Empty, ErrorBox, PageHead, State, Time } from '../components/basics';
import { QueryBar } from '../components/query_bar';
import { ReplayDialog } from '../components/replay_dialog';
import { VirtualList } from '../components/virtual_list';
import { bytes, count, plural } from '../format';
import { useShortcuts } from '../keys';
import { live } from '../live';
import { asApiError } from '../load';
import { go, link, useRoute } from '../router';
import { useRight } from '../session';
import type { SearchAnswer, Summary } from '../types';

const kPage = 200;
const kColumns = '32px 76px 152px minmax(90px, 1fr) minmax(90px, 1fr) minmax(110px, 1.3fr) 130px minmax(120px, 2fr) 72px';
const kNarrow = '20px 56px minmax(64px, 1fr) minmax(70px, 1fr) 104px';

interface Found {
  messages: Summary[];
  next?: number | undefined;
  complete?: number | undefined;
  note?: string | undefined;
  took: number;
}

/** Pages of one query, appended as the list asks for more. */
function useSearch(q: string) {
  const [found, setFound] = useState<Found | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const turn = useRef(0);
  const ask = async (before?: number) => {
    const mine = ++turn.current;
    setBusy(true);
    setError(null);
    const begin = performance.now();
    try {
      const answer: SearchAnswer = await api.search(q, before, kPage);
      if (mine !== turn.current) return;
      setFound((old) => ({
        messages: before && old ? [...old.messages, ...answer.messages] : answer.messages,
        next: answer.next,
        complete: answer.complete_to,
        note: answer.note,
        took: before && old ? old.took : performance.now() - begin,
      }));
    } catch (caught) {
      if (mine === turn.current) setError(asApiError(caught));
    } finally {
      if (mine === turn.current) setBusy(false);
    }
  };
  useEffect(() => {
    setFound(null);
    void ask();
  }, [q]);
  return { found, error, busy, again: () => void ask(), more: () => found?.next && !busy && !error && void ask(found.next) };
}

function destinationsOf(messages: Summary[]): string[] {
  return [...new Set(messages.flatMap((one) => one.destinations.map((to) => to.destination.split('/')[1] ?? '')))].filter((name) => name !== '' && name !== '-').sort();
}

function Cells(props: { one: Summary; narrow: boolean; chosen: boolean; onChoose: () => void }) {
  const { one, narrow } = props;
  const detail = one.destinations.find((to) => to.detail)?.detail;
  return (
    <>
      <span role="gridcell">
        <input type="checkbox" tabIndex={-1} aria-label={`Choose message ${one.id}`} checked={props.chosen} onChange={props.onChoose} />
      </span>
      <span role="gridcell" class="mono">
        <a href={link('message', [one.id])} tabIndex={-1}>
          {one.id}
        </a>
      </span>
      <span role="gridcell">
        <Time at={one.received} />
      </span>
      {narrow ? null : <span role="gridcell">{one.channel}</span>}
      <span role="gridcell">{one.type}</span>
      {narrow ? null : (
        <span role="gridcell" class="mono">
          {one.control_id}
        </span>
      )}
      <span role="gridcell">
        <State state={one.state} />
      </span>
      {narrow ? null : (
        <>
          <span role="gridcell" class="dim">
            {one.replay_of ? `replay of ${one.replay_of} · ` : ''}
            {detail || one.destinations.map((to) => to.destination.split('/')[1]).join(', ')}
          </span>
          <span role="gridcell" class="num">
            {bytes(one.size)}
          </span>
        </>
      )}
    </>
  );
}

function useNarrow(): boolean {
  const media = matchMedia('(max-width: 900px)');
  const [narrow, setNarrow] = useState(media.matches);
  useEffect(() => {
    const change = () => setNarrow(media.matches);
    media.addEventListener('change', change);
    return () => media.removeEventListener('change', change);
  }, []);
  return narrow;
}

export default function Messages() {
  const q = useRoute().query.get('q') ?? '';
  const { found, error, busy, again, more } = useSearch(q);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [replaying, setReplaying] = useState<string | null>(null);
  const narrow = useNarrow();
  const mayReplay = useRight('replay');
  const seesContent = useRight('phi.view');
  const messages = found?.messages ?? [];
  useEffect(() => setChosen(new Set()), [q]);
  useShortcuts(
    [
      { keys: '/', text: 'Write a query', run: () => document.getElementById('query')?.focus() },
      { keys: 'l', text: 'Go to the list; j and k move, Enter opens, x chooses', run: () => document.getElementById('list')?.focus() },
      { keys: 'r', text: 'Search again', run: again },
    ],
    [q],
  );
  useEffect(() => {
    if (found && document.activeElement === document.body) document.getElementById('list')?.focus({ preventScroll: true });
  }, [found !== null]);
  const toggle = (one: Summary) => {
    const next = new Set(chosen);
    if (!next.delete(one.id)) next.add(one.id);
    setChosen(next);
  };
  const ids = [...chosen].sort((a, b) => a - b);
  const bulkQuery = ids.length > 0 ? ids.join(' OR ') : q;
  const heads = ['', 'Number', 'Received', ...(narrow ? [] : ['Channel']), 'Type', ...(narrow ? [] : ['Control id']), 'State', ...(narrow ? [] : ['Where', 'Size'])];
  return (
    <div class="messages-page">
      <PageHead title="Messages" />
      <QueryBar q={q} onSearch={(next) => (next === q ? again() : go(link('messages', [], { q: next })))} />
      <div class="row bulk">
        <span role="status">
          {busy && !found ? 'Searching…' : ''}
          {found ? `${plural(messages.length, 'message')}${found.next ? ' so far, scroll for more' : ''} · ${Math.round(found.took)} ms` : ''}
        </span>
        {found?.complete && live.value.status ? <span class="dim">index complete up to {count(found.complete)}</span> : null}
        {found?.note ? <span class="dim">{found.note}</span> : null}
        <span class="grow" />
        {chosen.size > 0 ? (
          <>
            <strong>{chosen.size} chosen</strong>
            <button type="button" class="small" onClick={() => setChosen(new Set())}>
              None
            </button>
          </>
        ) : null}
        {mayReplay ? (
          <button type="button" class="small" disabled={bulkQuery === '' || messages.length === 0} onClick={() => setReplaying(bulkQuery)}>
            Replay {chosen.size > 0 ? 'chosen' : 'all'}…
          </button>
        ) : null}
        {seesContent ? (
          <a class="button small" href={api.exportUrl(bulkQuery)} download>
            Export {chosen.size > 0 ? 'chosen' : 'all'}
          </a>
        ) : null}
      </div>
      <ErrorBox error={error} retry={again} />
      {found && messages.length === 0 ? <Empty>No message fits. Fewer terms find more; “since:” bounds the time.</Empty> : null}
      {messages.length > 0 ? (
        <VirtualList
          label="Messages found"
          items={messages}
          rowHeight={32}
          columns={narrow ? kNarrow : kColumns}
          id={(one) => one.id}
          head={
            <>
              {heads.map((text, n) => (
                <span key={n} role="columnheader" class={text === 'Size' ? 'num' : ''}>
                  {text || <span class="hidden-text">Chosen</span>}
                </span>
              ))}
            </>
          }
          row={(one) => <Cells one={one} narrow={narrow} chosen={chosen.has(one.id)} onChoose={() => toggle(one)} />}
          isChosen={(one) => chosen.has(one.id)}
          onChoose={toggle}
          onOpen={(one) => go(link('message', [one.id]))}
          onEnd={more}
        />
      ) : null}
      {replaying !== null ? (
        <ReplayDialog query={replaying} what={ids.length > 0 ? plural(ids.length, 'message') : 'what this query finds'} destinations={destinationsOf(messages.slice(0, 500))} onClose={() => setReplaying(null)} />
      ) : null}
    </div>
  );
}

// Search over all messages: query, endless list, and what to do with many at once.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, type ApiError } from '../api';
import { Check, Empty, ErrorBox, PageHead, State, Time } from '../components/basics';
import { Dialog } from '../components/dialog';
import { QueryBar } from '../components/query_bar';
import { ReplayDialog } from '../components/replay_dialog';
import { VirtualList } from '../components/virtual_list';
import { bytes, count, once, plural } from '../format';
import { useShortcuts } from '../keys';
import { live } from '../live';
import { asApiError } from '../load';
import { go, link, useRoute } from '../router';
import { useRight } from '../session';
import type { SearchAnswer, Summary } from '../types';

const kPage = 200;

interface Column {
  name: string;
  title: string;
  width: string;
  num?: boolean;
  cell: (one: Summary) => ComponentChildren;
}

/** The structure (third component) says what the type says; it stands on the page of the message. */
const shortType = (type: string) => type.split('^').slice(0, 2).join('^');

function lastChange(one: Summary): string | undefined {
  return one.destinations.map((to) => to.updated ?? '').sort().pop() || undefined;
}

const kAll: Column[] = [
  { name: 'number', title: 'Number', width: '76px', cell: (one) => (
      <a class="mono" href={link('message', [one.id])} tabIndex={-1}>
        {one.id}
      </a>
    ) },
  { name: 'received', title: 'Received', width: '142px', cell: (one) => <Time at={one.received} /> },
  { name: 'channel', title: 'Channel', width: 'minmax(80px, 1fr)', cell: (one) => one.channel },
  { name: 'type', title: 'Type', width: '92px', cell: (one) => <span title={one.type}>{shortType(one.type)}</span> },
  { name: 'control', title: 'Control id', width: 'minmax(100px, 1fr)', cell: (one) => <span class="mono">{one.control_id}</span> },
  { name: 'state', title: 'State', width: '118px', cell: (one) => <State state={one.state} /> },
  { name: 'where', title: 'Where, and why', width: 'minmax(140px, 2.4fr)', cell: (one) => {
      const detail = once(one.destinations.find((to) => to.detail)?.detail ?? '');
      const origin = one.replay_of ? `replay of ${one.replay_of} · ` : one.edited_from ? `edited from ${one.edited_from} · ` : '';
      const text = origin + (detail || one.destinations.map((to) => to.destination.split('/')[1]).join(', '));
      return (
        <span class="dim" title={text}>
          {text}
        </span>
      );
    } },
  { name: 'peer', title: 'From', width: 'minmax(100px, 1fr)', cell: (one) => <span class="mono">{one.peer || one.name || '–'}</span> },
  { name: 'code', title: 'Answer', width: '72px', cell: (one) => one.destinations.map((to) => to.code).filter(Boolean).join(' ') || '–' },
  { name: 'attempts', title: 'Tries', width: '48px', num: true, cell: (one) => count(Math.max(0, ...one.destinations.map((to) => to.attempts ?? 0))) },
  { name: 'changed', title: 'Last change', width: '142px', cell: (one) => <Time at={lastChange(one)} /> },
  { name: 'size', title: 'Size', width: '66px', num: true, cell: (one) => bytes(one.size) },
];
const kUsual = ['number', 'received', 'channel', 'type', 'control', 'state', 'where', 'size'];
const kKept = 'kiln.columns'; // names of columns only: nothing of a message is kept in the browser

function keptColumns(): string[] {
  try {
    const kept = JSON.parse(localStorage.getItem(kKept) ?? 'null') as unknown;
    const known = Array.isArray(kept) ? kAll.map((one) => one.name).filter((name) => kept.includes(name)) : [];
    return known.length > 0 ? known : kUsual;
  } catch {
    return kUsual;
  }
}

function ChooseColumns(props: { shown: string[]; onChange: (names: string[]) => void; onClose: () => void }) {
  const { shown } = props;
  return (
    <Dialog
      title="Columns"
      onClose={props.onClose}
      footer={
        <>
          <button type="button" onClick={() => props.onChange(kUsual)}>
            The usual ones
          </button>
          <button type="button" class="primary" onClick={props.onClose}>
            Done
          </button>
        </>
      }
    >
      {kAll.map((one) => (
        <Check
          key={one.name}
          label={one.title}
          checked={shown.includes(one.name)}
          disabled={one.name === 'number'}
          onChange={(on) => props.onChange(kAll.map((each) => each.name).filter((name) => (name === one.name ? on : shown.includes(name))))}
        />
      ))}
    </Dialog>
  );
}

const kNarrow: Record<string, string> = { number: '58px', received: 'minmax(62px, 1fr)', type: '74px', state: '102px' };

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

function Cells(props: { one: Summary; columns: Column[]; chosen: boolean; onChoose: () => void }) {
  const { one } = props;
  return (
    <>
      <span role="gridcell">
        <input type="checkbox" tabIndex={-1} aria-label={`Choose message ${one.id}`} checked={props.chosen} onChange={props.onChoose} />
      </span>
      {props.columns.map((column) => (
        <span key={column.name} role="gridcell" class={column.num ? 'num' : ''}>
          {column.cell(one)}
        </span>
      ))}
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
  const [names, setNames] = useState(keptColumns);
  const [choosing, setChoosing] = useState(false);
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
  const columns = kAll.filter((one) => (narrow ? one.name in kNarrow : names.includes(one.name)));
  const showColumns = (next: string[]) => {
    setNames(next);
    try {
      localStorage.setItem(kKept, JSON.stringify(next));
    } catch {
      // Only this page keeps them then.
    }
  };
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
        {narrow ? null : (
          <button type="button" class="small" onClick={() => setChoosing(true)}>
            Columns…
          </button>
        )}
        {mayReplay ? (
          <button type="button" class="small" title={bulkQuery === '' ? 'Choose messages, or narrow the search first' : ''} disabled={bulkQuery === '' || messages.length === 0} onClick={() => setReplaying(bulkQuery)}>
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
          columns={`${narrow ? '18px' : '24px'} ${columns.map((one) => (narrow ? kNarrow[one.name] : one.width)).join(' ')}`}
          id={(one) => one.id}
          head={
            <>
              <span role="columnheader">
                <span class="hidden-text">Chosen</span>
              </span>
              {columns.map((one) => (
                <span key={one.name} role="columnheader" class={one.num ? 'num' : ''}>
                  {one.title}
                </span>
              ))}
            </>
          }
          row={(one) => <Cells one={one} columns={columns} chosen={chosen.has(one.id)} onChoose={() => toggle(one)} />}
          isChosen={(one) => chosen.has(one.id)}
          onChoose={toggle}
          onOpen={(one) => go(link('message', [one.id]))}
          onEnd={more}
        />
      ) : null}
      {choosing ? <ChooseColumns shown={names} onChange={showColumns} onClose={() => setChoosing(false)} /> : null}
      {replaying !== null ? (
        <ReplayDialog query={replaying} what={ids.length > 0 ? plural(ids.length, 'message') : 'what this query finds'} destinations={destinationsOf(messages.slice(0, 500))} onClose={() => setReplaying(null)} />
      ) : null}
    </div>
  );
}

// The query with completion of terms and the account's saved queries. The same text works on the command line.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api } from '../api';
import { live } from '../live';
import { asApiError, useLoad } from '../load';
import type { QueryTerm, SavedQuery } from '../types_admin';
import { Field } from './basics';
import { Dialog } from './dialog';
import { say } from './toast';

// Until the engine has told its terms (operations.md §6).
const kTerms: QueryTerm[] = [
  { term: 'channel:', help: 'name of a channel' },
  { term: 'state:', help: 'where it is', values: ['pending', 'sent', 'filtered', 'rejected', 'quarantined', 'expired'] },
  { term: 'type:', help: 'message type, e.g. ORU^R01' },
  { term: 'id:', help: 'control id, exact' },
  { term: 'mrn:', help: 'patient number, exact' },
  { term: 'account:', help: 'account number, exact' },
  { term: 'name:', help: 'patient name' },
  { term: 'text:', help: 'words of opted fields' },
  { term: 'dest:', help: 'name of a destination' },
  { term: 'code:', help: 'answer of a receiver, e.g. AE' },
  { term: 'since:', help: 'age or time', values: ['1h', '24h', '7d'] },
  { term: 'before:', help: 'age or time' },
  { term: 'after:', help: 'age or time' },
  { term: 'pending>', help: 'waits longer than', values: ['10m', '1h'] },
  { term: 'attempts>', help: 'tried more often than', values: ['3'] },
  { term: 'peer:', help: 'address of the sender' },
  { term: 'AND', help: 'both' },
  { term: 'OR', help: 'one of both' },
  { term: 'NOT', help: 'not what follows' },
];

interface Choice {
  insert: string;
  help: string;
}

/** "4711 or msg:" is completed as "msg:". */
function lastWords(terms: QueryTerm[]): QueryTerm[] {
  return terms.map((one) => ({ ...one, term: one.term.split(' ').pop() ?? one.term, help: one.example ? `${one.help}: ${one.example}` : one.help }));
}

function choices(terms: QueryTerm[], word: string, channels: string[]): Choice[] {
  if (word === '') return [];
  const owner = terms.find((one) => word.startsWith(one.term) && word.length >= one.term.length && !/^[A-Z]+$/.test(one.term));
  if (owner) {
    const values = owner.term === 'channel:' ? channels : (owner.values ?? []);
    const begun = word.slice(owner.term.length).toLowerCase();
    return values.filter((one) => one.toLowerCase().startsWith(begun) && one.toLowerCase() !== begun).map((one) => ({ insert: `${owner.term}${one}`, help: owner.help }));
  }
  return terms.filter((one) => one.term.toLowerCase().startsWith(word.toLowerCase())).map((one) => ({ insert: one.term, help: one.help }));
}

function SaveQuery(props: { q: string; saved: SavedQuery[]; onSaved: () => void; onClose: () => void }) {
  const [name, setName] = useState('');
  const save = async (list: SavedQuery[]) => {
    try {
      await api.saveQueries(list);
      props.onSaved();
    } catch (error) {
      say(asApiError(error).message, 'bad');
    }
  };
  return (
    <Dialog
      title="Saved queries"
      onClose={props.onClose}
      onSubmit={() => {
        if (name.trim() === '') return;
        void save([...props.saved.filter((one) => one.name !== name.trim()), { name: name.trim(), q: props.q }]).then(props.onClose);
      }}
      footer={
        <>
          <button type="button" onClick={props.onClose}>
            Close
          </button>
          <button type="submit" class="primary" disabled={name.trim() === '' || props.q === ''}>
            Save
          </button>
        </>
      }
    >
      <p>They belong to your account and are kept by the engine.</p>
      <Field label={`Name for: ${props.q || '(no query)'}`}>
        {(id) => <input id={id} value={name} autocomplete="off" onInput={(event) => setName(event.currentTarget.value)} />}
      </Field>
      <ul class="stack">
        {props.saved.map((one) => (
          <li key={one.name} class="row">
            <button type="button" class="small" onClick={() => void save(props.saved.filter((other) => other !== one))} aria-label={`Forget ${one.name}`}>
              Forget
            </button>
            <strong>{one.name}</strong>
            <code>{one.q}</code>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

export function QueryBar(props: { q: string; onSearch: (q: string) => void }) {
  const [text, setText] = useState(props.q);
  const [chosen, setChosen] = useState(-1);
  const [open, setOpen] = useState(false);
  const [saving, setSaving] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const terms = useLoad(() => api.queryTerms(), []);
  const saved = useLoad(() => api.savedQueries(), []);
  useEffect(() => setText(props.q), [props.q]);
  const word = /\S*$/.exec(text.slice(0, input.current?.selectionStart ?? text.length))?.[0] ?? '';
  const channels = useMemo(() => live.value.status?.channels.map((one) => one.name) ?? [], [word]);
  const list = open ? choices(terms.data ? lastWords(terms.data.terms) : kTerms, word, channels).slice(0, 12) : [];
  const take = (choice: Choice) => {
    const at = input.current?.selectionStart ?? text.length;
    const done = /[:>]$/.test(choice.insert) ? choice.insert : `${choice.insert} `;
    setText(text.slice(0, at - word.length) + done + text.slice(at));
    setChosen(-1);
    input.current?.focus();
  };
  const search = (q: string) => {
    setOpen(false);
    props.onSearch(q.trim());
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      if (list.length === 0) return;
      event.preventDefault();
      setChosen((chosen + (event.key === 'ArrowDown' ? 1 : list.length)) % list.length);
    } else if (event.key === 'Escape') {
      setOpen(false);
      setChosen(-1);
    } else if (event.key === 'Tab' || event.key === 'Enter') {
      const choice = list[chosen];
      if (choice) {
        event.preventDefault();
        take(choice);
      }
    }
  };
  const queries = saved.data?.queries ?? [];
  return (
    <form
      class="query"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        search(text);
      }}
    >
      <div class="query-box">
        <input
          ref={input}
          id="query"
          class="mono"
          type="text"
          role="combobox"
          aria-label="Query"
          aria-expanded={list.length > 0}
          aria-controls="query-choices"
          aria-autocomplete="list"
          {...(chosen >= 0 ? { 'aria-activedescendant': `query-choice-${chosen}` } : {})}
          autocomplete="off"
          spellcheck={false}
          placeholder="channel:lab state:quarantined since:2h mrn:12345"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setOpen(true);
            setChosen(-1);
          }}
          onKeyDown={onKey}
          onBlur={() => setTimeout(() => setOpen(false), 150)}
        />
        <ul id="query-choices" role="listbox" aria-label="Completions" class={list.length > 0 ? 'choices' : 'choices none'}>
          {list.map((one, n) => (
            <li key={one.insert} id={`query-choice-${n}`} role="option" aria-selected={n === chosen} onMouseDown={(event) => event.preventDefault()} onClick={() => take(one)}>
              <code>{one.insert}</code>
              <span class="dim">{one.help}</span>
            </li>
          ))}
        </ul>
      </div>
      <button type="submit" class="primary">
        Search
      </button>
      {queries.length > 0 ? (
        <select
          aria-label="Saved queries"
          value=""
          onChange={(event) => {
            const found = queries.find((one) => one.name === event.currentTarget.value);
            if (found) search(found.q);
          }}
        >
          <option value="">Saved…</option>
          {queries.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name}
            </option>
          ))}
        </select>
      ) : null}
      {saved.data ? (
        <button type="button" onClick={() => setSaving(true)}>
          Save…
        </button>
      ) : null}
      {saving ? <SaveQuery q={text.trim()} saved={queries} onSaved={saved.reload} onClose={() => setSaving(false)} /> : null}
    </form>
  );
}

// A sample, a map in the editor, and what comes out: live. Drafts are laid over the site's files and never written.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api, type ApiError } from '../api';
import { ErrorBox, PageHead, Panel, Pending } from '../components/basics';
import { Findings } from '../components/findings';
import { Tabs } from '../components/tabs';
import { useShortcuts } from '../keys';
import { asApiError, useAction, useLoad } from '../load';
import { LineageView } from '../message/lineage';
import { Editor } from '../playground/editor';
import { LspClient, type LspDiagnostic } from '../playground/lsp_client';
import { Tests } from '../playground/tests';
import { useRoute } from '../router';
import type { Lineage, LineageValue, SourceValue } from '../types';
import type { PlaygroundFiles, TestAnswer } from '../types_admin';

const kPauseMs = 500; // of typing, before the map runs again

/** The map of the list that a channel means by this name. */
function findMap(maps: string[], wanted: string | null): string {
  return maps.find((one) => one === wanted) ?? maps.find((one) => wanted !== null && one.split('.').pop() === wanted) ?? maps.find((one) => !one.includes('.channels.')) ?? maps[0] ?? '';
}

/** The file that declares the map, as far as names tell. */
function findFile(files: string[], map: string): string {
  const parts = map.split('.');
  const stems = [parts.at(-2), parts.at(-1)].filter((one): one is string => one !== undefined);
  return files.find((file) => stems.some((stem) => file.endsWith(`/${stem}.hmap`))) ?? files.find((file) => file.endsWith('.hmap')) ?? files[0] ?? '';
}

function Select(props: { label: string; value: string; values: string[]; empty?: string; onChange: (value: string) => void }) {
  return (
    <label class="check">
      <span>{props.label}</span>
      <select aria-label={props.label} value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.empty ? <option value="">{props.empty}</option> : null}
        {props.values.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </label>
  );
}

function Workbench(props: { lists: PlaygroundFiles }) {
  const { lists } = props;
  const route = useRoute();
  const [map, setMap] = useState(() => findMap(lists.maps, route.query.get('map')));
  const [path, setPath] = useState(() => findFile(lists.files, map));
  const chooseMap = (next: string) => {
    setMap(next);
    setPath(findFile(lists.files, next));
  };
  const [samplePath, setSamplePath] = useState(lists.samples[0] ?? '');
  const [sample, setSample] = useState('');
  const [base, setBase] = useState<{ path: string; text: string } | null>(null);
  const [drafts, setDrafts] = useState<Record<string, string>>({});
  const [diagnostics, setDiagnostics] = useState<Record<string, LspDiagnostic[]>>({});
  const [result, setResult] = useState<Lineage | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [tests, setTests] = useState<TestAnswer | null>(null);
  const [tab, setTab] = useState('result');
  const [value, setValue] = useState<LineageValue | null>(null);
  const [running, setRunning] = useState(false);
  const [goTo, setGoTo] = useState<{ path: string; line: number } | null>(null);
  const sampleBox = useRef<HTMLTextAreaElement>(null);
  const client = useMemo(() => new LspClient((file, found) => setDiagnostics((old) => ({ ...old, [file]: found }))), []);
  const turn = useRef(0);
  const fail = (caught: unknown) => setError(asApiError(caught));
  useEffect(() => {
    let current = true;
    const known = drafts[path];
    const loading = known === undefined ? api.configFile(path) : Promise.resolve({ path, text: known });
    loading.then((file) => {
      if (!current) return;
      setBase({ path, text: file.text });
      void client.setText(path, file.text).catch(fail);
    }, fail);
    return () => {
      current = false;
    };
  }, [path]);
  useEffect(() => {
    if (samplePath === '') return;
    api.sample(samplePath).then((found) => setSample(found.text.replace(/\r\n?/g, '\n')), fail);
  }, [samplePath]);
  const run = async () => {
    if (map === '' || sample === '') return;
    const mine = ++turn.current;
    setRunning(true);
    try {
      const next = await api.runMap({ map, sample, files: drafts });
      if (mine === turn.current) {
        setError(null);
        setResult(next);
        setValue(null);
      }
    } catch (caught) {
      if (mine === turn.current) fail(caught);
    } finally {
      if (mine === turn.current) setRunning(false);
    }
  };
  useEffect(() => {
    const timer = setTimeout(() => void run(), kPauseMs);
    return () => clearTimeout(timer);
  }, [map, sample, drafts]);
  const testing = useAction(async () => {
    setTab('tests');
    setTests(await api.runTests({ files: drafts }));
  });
  useShortcuts([{ keys: 'r', text: 'Run the tests (Ctrl+Enter in the editor: the map)', run: () => void testing.run() }], [drafts]);
  const onText = (text: string) => {
    setDrafts({ ...drafts, [path]: text });
    void client.setText(path, text).catch(fail);
  };
  /** Chooses the text of a field in the sample; `column` counts characters from 1. */
  const showInSample = (from: SourceValue) => {
    const box = sampleBox.current;
    if (!box || from.line === undefined) return;
    const lines = sample.split('\n');
    const start = lines.slice(0, from.line - 1).reduce((all, line) => all + line.length + 1, 0) + (from.column ?? 1) - 1;
    const end = start + Math.max(1, /^[^|^~&]*/.exec((lines[from.line - 1] ?? '').slice((from.column ?? 1) - 1))?.[0].length ?? 1);
    box.focus();
    box.setSelectionRange(start, end);
    box.scrollTop = Math.max(0, (start / Math.max(1, sample.length)) * box.scrollHeight - box.clientHeight / 2);
  };
  const openFile = (file: string, line: number) => {
    if (!lists.files.includes(file)) return;
    setPath(file);
    setGoTo({ path: file, line });
  };
  const changed = Object.keys(drafts).length;
  return (
    <div class="stack">
      <div class="row tools">
        <Select label="Map" value={map} values={lists.maps} onChange={chooseMap} />
        <Select label="File" value={path} values={lists.files} onChange={setPath} />
        <Select label="Sample" value={samplePath} values={lists.samples} empty="your own" onChange={setSamplePath} />
        <button type="button" class="primary" onClick={() => void run()}>
          Run
        </button>
        <button type="button" disabled={testing.busy} onClick={() => void testing.run()}>
          {testing.busy ? 'Tests run…' : 'Run the tests'}
        </button>
        {changed > 0 ? (
          <>
            <span class="badge warn">! draft of {changed === 1 ? '1 file' : `${changed} files`}, not saved</span>
            <button
              type="button"
              class="small"
              onClick={() => {
                setDrafts({});
                setBase(null);
                api.configFile(path).then((file) => {
                  setBase({ path: `${path}`, text: file.text });
                  void client.setText(path, file.text).catch(fail);
                }, fail);
              }}
            >
              Forget the draft
            </button>
          </>
        ) : null}
      </div>
      <ErrorBox error={error ?? testing.error} />
      <div class="columns">
        <div class="stack">
          <Panel title={<code>{path}</code>} class="editor-panel">
            {base && base.path === path ? (
              <Editor path={path} text={drafts[path] ?? base.text} client={client} diagnostics={diagnostics[path] ?? []} label={`Editor of ${path}`} onText={onText} onRun={() => void run()} goTo={goTo?.path === path ? goTo.line : undefined} />
            ) : (
              <div class="body">
                <Pending loading error={null} />
              </div>
            )}
          </Panel>
          <Panel title="Sample">
            <textarea ref={sampleBox} class="bare" aria-label="Sample message" rows={9} spellcheck={false} value={sample} onInput={(event) => setSample(event.currentTarget.value)} />
          </Panel>
        </div>
        <Panel label="Result">
          <Tabs
            label="Result"
            open={tab}
            onOpen={setTab}
            tabs={[
              { name: 'result', title: 'Result' },
              { name: 'tests', title: 'Tests' },
            ]}
          />
          {tab === 'tests' ? <Tests answer={tests} /> : null}
          {tab === 'result' && result?.findings ? <Findings findings={result.findings} none="" onOpen={openFile} /> : null}
          {tab === 'result' && result && !result.findings ? (
            <LineageView lineage={{ data: result, error: null, loading: false, at: 0, reload: () => void run() }} map={map} onMap={chooseMap} chosenField="" chosenValue={value} onValue={setValue} onShow={showInSample} />
          ) : null}
          {tab === 'result' && !result && !error ? (
            <p class="body dim" role="status">
              {running || sample !== '' || samplePath !== '' ? 'The map runs…' : 'Choose a sample or paste a message.'}
            </p>
          ) : null}
        </Panel>
      </div>
    </div>
  );
}

export default function Playground() {
  const { data, error, loading, reload } = useLoad(() => api.playground(), []);
  return (
    <div class="stack">
      <PageHead title="Playground">
        <span class="dim">Drafts stay in this page; the files of the site are not changed.</span>
      </PageHead>
      {data ? <Workbench lists={data} /> : <Pending loading={loading} error={error} retry={reload} />}
    </div>
  );
}

// The editor (CodeMirror). It lives in a shadow root: there its styles are adopted sheets, which the content security
// policy allows, while style elements in the page are not.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, indentUnit } from '@codemirror/language';
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { EditorState, type Text } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, hoverTooltip, keymap, lineNumbers } from '@codemirror/view';
import { useEffect, useRef } from 'preact/hooks';
import { hmap } from './hmap_language';
import { type LspClient, type LspDiagnostic, type LspPosition } from './lsp_client';

const kLevels = ['error', 'error', 'warning', 'info', 'info'] as const; // of LSP, from 1

const look = EditorView.theme({
  '&': { fontSize: '12.5px', backgroundColor: 'var(--panel)', color: 'var(--text)', height: '100%' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '19px' },
  '.cm-gutters': { backgroundColor: 'var(--panel-2)', color: 'var(--text-2)', borderRight: '1px solid var(--line-soft)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--accent-soft) 50%, transparent)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--accent-soft) !important' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--text)', border: '1px solid var(--line)', maxWidth: '480px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--accent-text)' },
  '.cm-completionDetail': { color: 'inherit', fontStyle: 'normal', marginLeft: '12px' },
  '.hover': { padding: '6px 10px', whiteSpace: 'pre-wrap' },
});

function offsetOf(doc: Text, at: LspPosition): number {
  const line = doc.line(Math.min(doc.lines, at.line + 1));
  return Math.min(line.to, line.from + at.character);
}

function positionOf(doc: Text, offset: number): LspPosition {
  const line = doc.lineAt(offset);
  return { line: line.number - 1, character: offset - line.from };
}

export function asDiagnostics(doc: Text, found: LspDiagnostic[]): Diagnostic[] {
  return found.map((one) => {
    const start = offsetOf(doc, one.range.start);
    const end = Math.max(start, offsetOf(doc, one.range.end));
    // A place between two characters, such as the end of the file, is shown at the one beside it.
    const [from, to] = end > start ? [start, end] : start < doc.length ? [start, start + 1] : [Math.max(0, start - 1), start];
    return {
      from,
      to,
      severity: kLevels[one.severity ?? 1] ?? 'error',
      message: one.code ? `${one.message} (${one.code})` : one.message,
    };
  });
}

async function complete(client: LspClient, path: string, context: CompletionContext): Promise<CompletionResult | null> {
  const before = context.matchBefore(/[\w.]*/);
  const typed = context.state.sliceDoc(Math.max(0, context.pos - 1), context.pos);
  if (!context.explicit && !/[\w.\-@]/.test(typed)) return null;
  await client.setText(path, context.state.doc.toString());
  const items = await client.complete(path, positionOf(context.state.doc, context.pos));
  if (context.aborted || items.length === 0) return null;
  const start = items[0]?.textEdit ? offsetOf(context.state.doc, items[0].textEdit.range.start) : (before?.from ?? context.pos);
  const options = items.map((item): Completion => {
    const info = typeof item.documentation === 'string' ? item.documentation : item.documentation?.value;
    return { label: item.label, apply: item.textEdit?.newText ?? item.insertText ?? item.label, ...(item.detail ? { detail: item.detail } : {}), ...(info ? { info } : {}) };
  });
  return { from: start, options, validFor: /^[\w]*$/ };
}

function hover(client: LspClient, path: string) {
  return hoverTooltip(async (view, offset) => {
    const text = await client.hover(path, positionOf(view.state.doc, offset)).catch(() => '');
    if (!text) return null;
    return {
      pos: offset,
      create: () => {
        const dom = document.createElement('div');
        dom.className = 'hover';
        dom.textContent = text.replace(/[*`]/g, '');
        return { dom };
      },
    };
  });
}

export function Editor(props: {
  path: string;
  text: string; // taken when the path changes
  diagnostics: LspDiagnostic[];
  client: LspClient;
  label: string;
  onText: (text: string) => void;
  onRun: () => void;
  goTo?: number | undefined; // a line
}) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const root = element.shadowRoot ?? element.attachShadow({ mode: 'open' });
    const { client, path } = props;
    const editor = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: props.text,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          bracketMatching(),
          closeBrackets(),
          lintGutter(),
          indentUnit.of('  '),
          hmap,
          look,
          autocompletion({ override: [(context) => complete(client, path, context).catch(() => null)] }),
          hover(client, path),
          keymap.of([{ key: 'Mod-Enter', run: () => (latest.current.onRun(), true) }, ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ 'aria-label': props.label }),
          EditorView.updateListener.of((update) => update.docChanged && latest.current.onText(update.state.doc.toString())),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, [props.path, props.client]);
  useEffect(() => {
    const editor = view.current;
    if (editor) editor.dispatch(setDiagnostics(editor.state, asDiagnostics(editor.state.doc, props.diagnostics)));
  }, [props.diagnostics, props.path]);
  useEffect(() => {
    const editor = view.current;
    if (!editor || props.goTo === undefined) return;
    const line = editor.state.doc.line(Math.max(1, Math.min(editor.state.doc.lines, props.goTo)));
    editor.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: 'center' }) });
    editor.focus();
  }, [props.goTo, props.path]);
  return <div class="editor" ref={host} />;
}

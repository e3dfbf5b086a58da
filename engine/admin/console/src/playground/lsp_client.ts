// The language server of the engine, over POST: each request carries what changed and takes what the server has to say.
import { api, ApiError } from '../api';
import type { LspMessage } from '../types_admin';

export interface LspPosition {
  line: number;
  character: number;
}

export interface LspDiagnostic {
  range: { start: LspPosition; end: LspPosition };
  severity?: number;
  code?: string;
  message: string;
}

export interface LspCompletion {
  label: string;
  kind?: number;
  detail?: string;
  documentation?: string | { value: string };
  insertText?: string;
  textEdit?: { range: { start: LspPosition; end: LspPosition }; newText: string };
}

const kRoot = 'file:///site/';

export class LspClient {
  private session: string | undefined;
  private documents = new Map<string, { version: number; text: string }>();
  private lastId = 0;
  private queue: Promise<unknown> = Promise.resolve();
  private newest = new Map<string, string>(); // texts that came while the server was asked replace each other

  constructor(private readonly onDiagnostics: (path: string, found: LspDiagnostic[]) => void) {}

  /** Opens the document, or tells that its text is another now. */
  setText(path: string, text: string): Promise<void> {
    this.newest.set(path, text);
    return this.inTurn(async () => {
      const known = this.documents.get(path);
      if (known?.text === text || this.newest.get(path) !== text) return;
      if (known) {
        const version = known.version + 1;
        this.documents.set(path, { version, text });
        await this.send([this.note('textDocument/didChange', { textDocument: { uri: kRoot + path, version }, contentChanges: [{ text }] })]);
      } else {
        this.documents.set(path, { version: 1, text });
        await this.send([this.opened(path)]);
      }
    });
  }

  complete(path: string, position: LspPosition): Promise<LspCompletion[]> {
    return this.inTurn(async () => {
      const result = (await this.ask('textDocument/completion', path, position)) as LspCompletion[] | { items?: LspCompletion[] } | null;
      return Array.isArray(result) ? result : (result?.items ?? []);
    });
  }

  /** Text of the hover, or "". */
  hover(path: string, position: LspPosition): Promise<string> {
    return this.inTurn(async () => {
      const result = (await this.ask('textDocument/hover', path, position)) as { contents?: string | { value: string } } | null;
      const contents = result?.contents;
      return typeof contents === 'string' ? contents : (contents?.value ?? '');
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => undefined);
    return done;
  }

  private note(method: string, params: unknown): LspMessage {
    return { jsonrpc: '2.0', method, params };
  }

  private opened(path: string): LspMessage {
    const document = this.documents.get(path);
    return this.note('textDocument/didOpen', { textDocument: { uri: kRoot + path, languageId: 'hmap', version: document?.version ?? 1, text: document?.text ?? '' } });
  }

  private async ask(method: string, path: string, position: LspPosition): Promise<unknown> {
    const id = ++this.lastId;
    const answers = await this.send([{ jsonrpc: '2.0', id, method, params: { textDocument: { uri: kRoot + path }, position } }]);
    return answers.find((one) => one.id === id)?.result ?? null;
  }

  /** The first messages of a session; after a session has ended, all documents again. */
  private beginning(): LspMessage[] {
    return [
      { jsonrpc: '2.0', id: ++this.lastId, method: 'initialize', params: { processId: null, rootUri: kRoot, capabilities: {} } },
      this.note('initialized', {}),
    ];
  }

  private async send(messages: LspMessage[]): Promise<LspMessage[]> {
    if (this.session === undefined) return this.post([...this.beginning(), ...messages]);
    try {
      return await this.post(messages);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      this.session = undefined; // it had been idle for too long
      const requests = messages.filter((one) => one.id !== undefined);
      return this.post([...this.beginning(), ...[...this.documents.keys()].map((path) => this.opened(path)), ...requests]);
    }
  }

  private async post(messages: LspMessage[]): Promise<LspMessage[]> {
    const answer = await api.lsp({ ...(this.session === undefined ? {} : { session: this.session }), messages });
    this.session = answer.session;
    for (const one of answer.messages) {
      if (one.method !== 'textDocument/publishDiagnostics') continue;
      const params = one.params as { uri: string; diagnostics: LspDiagnostic[] };
      this.onDiagnostics(params.uri.replace(kRoot, ''), params.diagnostics);
    }
    return answer.messages;
  }
}

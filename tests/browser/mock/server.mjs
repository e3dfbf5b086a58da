// A mock engine: the embedded files of the console and an admin API that answers as engine/admin does. It keeps what the
// console sends in `calls`, so that tests see what an action has asked for.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';
import { kMarkup } from './hl7.mjs';
import { makeChannels, makeHistory, makeMessages, makeStatus } from './data.mjs';
import { routes } from './routes.mjs';

const kTypes = { html: 'text/html; charset=UTF-8', js: 'text/javascript; charset=UTF-8', css: 'text/css; charset=UTF-8', svg: 'image/svg+xml' };
const kPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const kAllRights = ['view', 'phi.view', 'operate', 'replay', 'configure', 'audit', 'admin'];

export function person(rights = kAllRights) {
  return { user: 'ann', name: 'Ann Berg', role: 'admin', rights, csrf: 'c5rf', idle_seconds: 900, mfa: false, mfa_required: false, only_account: false, must_change_password: false, version: '0.1.0' };
}

export class Failure extends Error {
  constructor(status, code, text, remedy) {
    super(text);
    Object.assign(this, { status, code, remedy });
  }
}

export class MockEngine {
  constructor(packed, { channels = 6, messages = 5000 } = {}) {
    this.packed = packed;
    this.channels = makeChannels(channels);
    this.status = makeStatus(this.channels);
    this.history = makeHistory(this.channels);
    this.messages = makeMessages(messages);
    this.session = person();
    this.setup = false;
    this.calls = [];
    this.background = new Set(); // paths that were asked for without the person having done anything
    this.foreground = new Set();
    this.violations = [];
    this.streams = new Set();
    this.silent = false; // no events: the data on the screen grows old
    this.logLevels = [{ channel: 'lab_in', level: 'debug', until: new Date(Date.now() + 600_000).toISOString() }, { channel: kMarkup, level: 'error', until: new Date(Date.now() + 7_200_000).toISOString() }];
    this.queries = [{ name: 'Failed today', q: 'state:quarantined since:24h' }];
  }

  async start() {
    this.server = createServer((request, response) => this.serve(request, response).catch((error) => response.destroy(error)));
    await new Promise((ready) => this.server.listen(0, '127.0.0.1', ready));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    this.timer = setInterval(() => this.tick(), 1000);
    return this;
  }

  stop() {
    clearInterval(this.timer);
    this.dropStreams();
    this.server.closeAllConnections();
    this.server.close();
  }

  /** As an engine that stops; `cut`: as a network that breaks. */
  dropStreams(cut = false) {
    for (const stream of this.streams) {
      if (cut) stream.destroy();
      else stream.end('event: bye\ndata: {}\n\n');
    }
    this.streams.clear();
  }

  tick() {
    if (this.silent) return;
    const [first] = this.channels;
    first.received += 3;
    first.sent += 3;
    this.status.now = new Date().toISOString();
    for (const stream of this.streams) this.send(stream, 'delta', { now: this.status.now, channels: [first] });
  }

  send(stream, event, data) {
    stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  file(path, response) {
    const name = normalize(path.replace(/^\/console\/?/, '') || 'index.html');
    try {
      const body = readFileSync(join(this.packed, `${name}.gz`));
      const immutable = name.startsWith('assets/');
      response.writeHead(200, {
        'Content-Type': kTypes[name.split('.').pop()] ?? 'application/octet-stream', 'Content-Encoding': 'gzip', 'Content-Security-Policy': kPolicy,
        'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer', 'Cache-Control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  }

  async serve(request, response) {
    const url = new URL(request.url, this.url);
    if (!url.pathname.startsWith('/api/v1/')) {
      if (url.pathname === '/') return response.writeHead(302, { Location: '/console/' }).end();
      return this.file(url.pathname, response);
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const path = url.pathname.slice('/api/v1'.length);
    if (path === '/events') return this.openStream(response);
    const answer = (status, body, headers = {}) => response.writeHead(status, { 'Content-Type': 'application/json; charset=UTF-8', ...headers }).end(JSON.stringify(body));
    try {
      const body = text ? JSON.parse(text) : undefined;
      (request.headers['x-kiln-background'] ? this.background : this.foreground).add(path);
      if (request.method !== 'GET') this.calls.push({ method: request.method, path: decodeURIComponent(path), body });
      const open = path === '/session' || path === '/setup';
      if (!open && !this.session) throw new Failure(401, 'login-needed', 'log in first');
      if (!open && request.method !== 'GET' && request.headers['x-kiln-csrf'] !== this.session.csrf) throw new Failure(403, 'csrf-refused', 'the request did not come from the console');
      const result = this.route(request.method, path, url.searchParams, body);
      if (result === undefined) throw new Failure(404, 'route-unknown', `the mock has no ${request.method} ${path}`);
      if (result.download) return response.writeHead(200, { 'Content-Disposition': 'attachment; filename="export.ndjson"', 'Content-Type': 'application/x-ndjson' }).end(result.download);
      return answer(200, result);
    } catch (error) {
      if (!(error instanceof Failure)) console.error(error);
      return answer(error.status ?? 500, { error: { code: error.code ?? 'mock-fault', text: error.message, remedy: error.remedy } }, error.wait ? { 'Retry-After': String(error.wait) } : {});
    }
  }

  openStream(response) {
    if (!this.session) return response.writeHead(401).end();
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    this.send(response, 'status', this.status);
    this.streams.add(response);
    response.on('close', () => this.streams.delete(response));
  }

  route(method, path, query, body) {
    for (const [verb, pattern, handler] of routes) {
      if (verb !== method) continue;
      const match = pattern.exec(path);
      if (match) return handler(this, match.slice(1).map(decodeURIComponent), query, body);
    }
    return undefined;
  }

  message(id) {
    const found = this.messages.find((one) => one.id === Number(id));
    if (!found) throw new Failure(404, 'message-not-found', `there is no message ${id}`, 'Look for it with a search.');
    return found;
  }

  called(method, path) {
    return this.calls.filter((one) => one.method === method && one.path === path);
  }
}

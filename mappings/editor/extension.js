// Starts `kiln lsp` and connects it to the editor. Everything the editor shows of a map comes from there.

'use strict';

const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;

/** Shipped files and the pages of codes: read-only documents of the scheme `kiln`. */
const documents = {
  async provideTextDocumentContent(uri) {
    if (!client) return '';
    const answer = await client.sendRequest('kiln/content', { uri: uri.toString(true) });
    return answer.text;
  },
};

function makeClient() {
  const command = vscode.workspace.getConfiguration('kiln').get('path') || 'kiln';
  const server = { command, args: ['lsp'] };
  return new LanguageClient('kiln', 'Kiln', server, {
    documentSelector: [
      { scheme: 'file', language: 'hmap' },
      { scheme: 'untitled', language: 'hmap' },
    ],
  });
}

async function start() {
  client = makeClient();
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    vscode.window.showErrorMessage(`Kiln: the language server does not start (${error.message}). Is kiln.path right?`);
  }
}

async function restart() {
  if (client) await client.stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider('kiln', documents),
    vscode.commands.registerCommand('kiln.restart', restart),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('kiln.path')) restart();
    }),
  );
  await start();
}

async function deactivate() {
  if (client) await client.stop();
}

module.exports = { activate, deactivate };

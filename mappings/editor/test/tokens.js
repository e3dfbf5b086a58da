// Tokenises every sample map with the engine that the editor uses. Fails on a rule that never ends (a string or
// comment that runs over its end), on words that lose their meaning, and on lines that take too long.
//
//     node test/tokens.js            exit 4 when the packages are not installed

'use strict';

const fs = require('fs');
const path = require('path');

const here = path.join(__dirname, '..');
const root = path.join(here, '..', '..');

let textmate, oniguruma;
try {
  textmate = require('vscode-textmate');
  oniguruma = require('vscode-oniguruma');
} catch {
  console.log('skipped: vscode-textmate is not installed (npm ci in mappings/editor)');
  process.exit(4);
}

function samples(folder, out = []) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) samples(name, out);
    else if (/\.(hmap|channel)$|^kiln\.conf$/.test(entry.name)) out.push(name);
  }
  return out;
}

const EXPECTED = [
  ['map adt(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle {', 'map', 'keyword.declaration'],
  ['map adt(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle {', 'adt', 'entity.name.function'],
  ['map adt(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle {', '2.5.1', 'constant.numeric'],
  ['  gender = PID-8 via AdministrativeSex else "unknown"', 'PID-8', 'variable.language.path'],
  ['  gender = PID-8 via AdministrativeSex else "unknown"', 'gender', 'variable.other.property'],
  ['  gender = PID-8 via AdministrativeSex else "unknown"', 'via', 'keyword.operator.word'],
  ['  name = "Dr. ${PID-5.1} of ${x}"', 'PID-5.1', 'variable.language.path'],
  ['  x = upper(PID-5.1) // up', 'upper', 'support.function'],
  ['  x = upper(PID-5.1) // up', '// up', 'comment.line'],
  ['  for.x = 1', 'for', 'variable.other.property'],
  ['  when PID-8 is valued { on bad quarantine }', 'when', 'keyword.control'],
  ['  when PID-8 is valued { on bad quarantine }', 'quarantine', 'keyword.other.policy'],
  ['  status = a matches re"[a-z\\"]+" @last', 're"', 'string.regexp'],
  ['  status = a matches re"[a-z\\"]+" @last', '@last', 'entity.name.label'],
  ['  retry 20 backoff 1s..5m then quarantine', '5m', 'constant.numeric'],
  ['create patient: Patient request upsert {', 'Patient', 'entity.name.type'],
];

async function main() {
  const wasm = fs.readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => {
      const file = path.join(here, 'syntaxes', 'hmap.tmLanguage.json');
      return textmate.parseRawGrammar(fs.readFileSync(file, 'utf8'), file);
    },
  });
  const grammar = await registry.loadGrammar('source.hmap');
  let failures = 0;
  for (const [line, word, scope] of EXPECTED) {
    const at = line.indexOf(word);
    const token = grammar.tokenizeLine(line, textmate.INITIAL).tokens.find((t) => t.startIndex <= at && at < t.endIndex);
    if (token.scopes.some((one) => one.startsWith(scope))) continue;
    console.log(`${line}\n  ${word}: ${token.scopes.join(' ')}, expected ${scope}`);
    ++failures;
  }
  const files = [...samples(path.join(root, 'mappings', 'library')), ...samples(path.join(root, 'examples'))];
  let lines = 0;
  for (const file of files) {
    let state = textmate.INITIAL;
    for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
      const result = grammar.tokenizeLine(line, state, 500);
      if (result.stoppedEarly) console.log(`${file}: too slow: ${line}`), ++failures;
      state = result.ruleStack;
      ++lines;
    }
    const end = grammar.tokenizeLine('', state).tokens[0].scopes;
    if (end.length !== 1) console.log(`${file}: still open at its end: ${end.join(' ')}`), ++failures;
  }
  console.log(`${files.length} files, ${lines} lines, ${EXPECTED.length} tokens: ${failures} failures`);
  process.exit(failures === 0 && files.length > 5 ? 0 : 1);
}

main();

// Colours of the hmap language in the editor. The words are those of mappings/editor/syntaxes/hmap.tmLanguage.json.
import { HighlightStyle, StreamLanguage, syntaxHighlighting, type StringStream } from '@codemirror/language';
import { tags } from '@lezer/highlight';

const words = (text: string) => new Set(text.split(' '));
const kDeclarations = words('channel const csv datatype extend extension fn fragment lookup map module row segment server table test use');
const kControls = words('add create emit for include let on require skip warn when if else then match omit reject quarantine');
const kOperators = words('and as contains each ext in is last matches not null of or ref using valued via where');
const kClauses = words(
  'bad batch by cache collection columns conceptmap display ensure error expect fault fhir from given group hl7 hl7table identity key message miss missing none ' +
    'override patch preferred reload remove replace request required run strict system times transaction unmapped update upsert absent delete keep accept ack auto ' +
    'delivered disabled enhanced mapped original source stored to',
);

interface State {
  inText: boolean; // between """ and """
}

function word(stream: StringStream): string | null {
  const text = stream.current();
  if (stream.match(/\s*(=(?!=|>)|\+=|\?=)/, false)) return 'propertyName';
  if (kDeclarations.has(text)) return 'definitionKeyword';
  if (kControls.has(text)) return 'controlKeyword';
  if (kOperators.has(text)) return 'operatorKeyword';
  if (text === 'true' || text === 'false') return 'bool';
  if (stream.peek() === '(') return 'function';
  if (kClauses.has(text)) return 'modifier';
  return /^[A-Z]/.test(text) ? 'typeName' : 'variableName';
}

function text(stream: StringStream, state: State): string {
  if (stream.match('"""')) state.inText = false;
  else if (!stream.skipTo('"""')) stream.skipToEnd();
  return 'string';
}

function token(stream: StringStream, state: State): string | null {
  if (state.inText) return text(stream, state);
  if (stream.eatSpace()) return null;
  if (stream.match(/^\/\/.*/)) return 'comment';
  if (stream.match('"""')) {
    state.inText = true;
    return 'string';
  }
  if (stream.match(/^(re)?"(?:[^"\\]|\\.)*"?/)) return stream.current().startsWith('re') ? 'regexp' : 'string';
  if (stream.match(/^[A-Z][A-Z0-9]{2}-[0-9]+(?:\.[0-9]+)*/) || stream.match(/^\.[0-9]+(?:\.[0-9]+)*/)) return 'special';
  if (stream.match(/^[0-9]+(?:\.[0-9]+)*(?:ms|s|m|h|d|kB|MB|GB)?\b/)) return 'number';
  if (stream.match(/^@[A-Za-z_]\w*/)) return 'labelName';
  if (stream.match(/^[A-Za-z_][\w]*/)) return word(stream);
  if (stream.match(/^(\+=|\?=|=>|->|==|!=|<=|>=|\?\?|\.\.|[=<>+*/&-])/)) return 'operator';
  stream.next();
  return null;
}

const language = StreamLanguage.define<State>({
  name: 'hmap',
  startState: () => ({ inText: false }),
  token,
  languageData: { commentTokens: { line: '//' }, closeBrackets: { brackets: ['(', '[', '{', '"'] } },
  tokenTable: { special: tags.special(tags.variableName), function: tags.function(tags.variableName) },
});

const colours = HighlightStyle.define([
  { tag: [tags.definitionKeyword, tags.controlKeyword], color: 'var(--code-1)', fontWeight: '600' },
  { tag: [tags.operatorKeyword, tags.modifier], color: 'var(--code-1)' },
  { tag: [tags.string, tags.regexp], color: 'var(--code-2)' },
  { tag: [tags.number, tags.bool], color: 'var(--code-3)' },
  { tag: [tags.special(tags.variableName), tags.labelName], color: 'var(--code-4)', fontWeight: '600' },
  { tag: [tags.typeName, tags.function(tags.variableName)], color: 'var(--code-4)' },
  { tag: tags.comment, color: 'var(--text-2)', fontStyle: 'italic' },
]);

export const hmap = [language, syntaxHighlighting(colours)];

/** Expressions against RegExp; grammars by hand. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { takes } from '../../../bench/grammar/reach.ts';
import { compileExpression, compileGbnf, compileSchema, createVocabulary, Masks, Matcher } from '../../../runtime/grammar/index.ts';

const arithmetic = `
root  ::= expr
expr  ::= term (("+" | "-") term)*   # left to right
term  ::= factor ([*/] factor)*
factor ::= "(" expr ")" | number
number ::= "-"? [0-9]+ ("." [0-9]{1,2})?
`;

describe.each<[name: string, source: string, taken: readonly string[], refused: readonly string[]]>([
  ['arithmetic', arithmetic, ['1', '(1+2)*3', '-1.25/(2)', '((((7))))'], ['', '1+', '(1', '1.234', '1)', '1 + 2']],
  ['balanced', 'root ::= "a" root "b" | ""', ['', 'ab', 'aaabbb'], ['a', 'abb', 'aab', 'ba']],
  ['escapes', String.raw`root ::= "\x41\u00e9\n" [^\]"]{2} .`, ['Aé\nxyz', 'Aé\n😀éà'], ['Aé\n]yz', 'Aé\nxy']],
  [
    'what a string means',
    'root ::= "<" %text {"type": "string", "minLength": 2} %without "a" ">" %text {"enum": ["\\n\\"", 1]}',
    ['<bc>\n"', '<"">\n"'],
    ['<b>\n"', '<ba>\n"', '<bc>1', '<bc>'],
  ],
  ['text without another one', 'root ::= %without ("</a>" | "x") "</a>" "b"', ['</a>b', '<<//a></a>b'], ['</a>', 'x</a>b', '</a></a>b', '</a>b</a>b']],
  [
    'values of schemas',
    'root ::= "f(" (%json {"type": "integer"} | "") ")" | "g" v (", " v)*\nv ::= %json {"const": {"a": ["]}", null]}}',
    ['f(12)', 'f()', 'g{"a":["]}",null]}', 'g{"a": ["]}", null]}, {"a": ["]}", null]}'],
    ['f(1.5)', 'f(1', 'g', 'g{"a":["]}"]}', 'g{"a":["]}",null]},'],
  ],
  ['a value, and text where it cannot be', 'root ::= %json {"type": "object"} "!"? | [^{]*', ['{}', '{"a": 1}!', 'a', ''], ['{', '{}}', '{a']],
  ['two futures', 'root ::= x "1" | y "2"\nx ::= "(" x ")" | "a"\ny ::= "(" y ")" | "a"', ['((a))1', 'a2', '(a)2'], ['((a)1', 'a3']],
])('%s', (_, source, taken, refused) => {
  const start = compileGbnf(source);
  test.each(taken)('takes %j', (text) => expect(takes(start, text)).toBe(true));
  test.each(refused)('refuses %j', (text) => expect(takes(start, text)).toBe(false));
});

test.each([
  ['root ::= root "a" | "b"', 'grammar_unenforceable'],
  ['root ::= x root | "b"\nx ::= ""', 'grammar_unenforceable'],
  ['root ::= "a" root', 'grammar_empty'],
  ['root ::= missing', 'grammar_invalid'],
  ['start ::= "a"', 'grammar_invalid'],
  ['root ::= ("a"', 'grammar_invalid'],
  ['root ::= "a"\nroot ::= "b"', 'grammar_invalid'],
  ['root ::= %json {"type": "integer"', 'grammar_invalid'],
  ['root ::= %json {"type": integer}', 'grammar_invalid'],
  ['root ::= %json {"uniqueItems": true}', 'grammar_unenforceable'],
  ['root ::= %json false', 'grammar_invalid'],
  ['root ::= %json {"enum": []}', 'grammar_empty'],
  ['root ::= "a" %text {"type": "integer"}', 'grammar_empty'],
  ['root ::= %json {} | %json {"a": 1}', 'grammar_unenforceable'],
  ['root ::= %without x\nx ::= "a"', 'grammar_invalid'],
  ['root ::= %else "a"', 'grammar_invalid'],
  ['root ::= <[a]>', 'grammar_invalid'],
  [`root ::= ${'('.repeat(5000)}"a"${')'.repeat(5000)}`, 'grammar_too_large'],
  ['root ::= (root2){999999}\nroot2 ::= "a" root2 | "a"', 'grammar_too_large'],
])('%.40s is refused with %s', (source, code) => {
  expect(() => compileGbnf(source)).toThrow(expect.objectContaining({ code }));
});

const expressions = [
  'a|bc', '(a|b)*c', 'a{2,3}b?', '[^a-c]+', '(?:ab|a)(?=b)b?', '(?!ab)[abc]{2}', '\\d+(\\.\\d+)?', '^a.c$', '(a$|ab)', '\\bab\\b', 'a\\B[bc]', '(^a|b)c*', '[\\w-]+', '.\\u{1f600}?', '(?<n>a)+', '\\S\\s?', '(a*)*b', 'a??b', '\\p{Lu}a',
]; // biome-ignore format: a list

test.each(expressions)('%s finds and matches what RegExp does', (source) => {
  const whole = compileExpression(source);
  const search = compileSchema({ type: 'string', pattern: source });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', ' ', '\n', 'É', 'A', '😀', '-'), maxLength: 6 });
  fc.assert(
    fc.property(text, (value) => {
      expect(takes(whole, value)).toBe(new RegExp(`^(?:${source})$`, 'u').test(value));
      expect(takes(search, JSON.stringify(value))).toBe(new RegExp(source, 'u').test(value));
    }),
    { numRuns: 150 },
  );
});

test('a token as such, wherever the text may end: no text is one, and none of its bytes are taken', () => {
  // Tokens 0 to 255 are bytes; 256 is spelled <a>, as a name; 257 is the text <a>; 258 is another name.
  const spelled = [...Array.from({ length: 256 }, (_, byte) => Buffer.of(byte)), ...['<a>', '<a>', '<b>'].map((text) => Buffer.from(text))];
  const names = new Uint8Array(259).fill(1, 256, 257).fill(1, 258);
  const offsets = Uint32Array.from({ length: 260 }, (_, id) => spelled.slice(0, id).reduce((sum, { length }) => sum + length, 0));
  const masks = new Masks(createVocabulary({ offsets, bytes: Buffer.concat(spelled), names }), [258]);
  const open = (): Matcher => new Matcher(compileGbnf('root ::= %json {"type": "integer"} <[256]> ("x" | <[257]>)'), masks);
  const listed = (matcher: Matcher): number[] =>
    Array.from({ length: 259 }, (_, id) => id).filter((id) => ((matcher.mask()![id >>> 5]! >>> (id & 31)) & 1) === 1);
  const matcher = open();
  expect(matcher.accept(256)).toBe(false);
  expect(matcher.accept(0x37)).toBe(true);
  expect(listed(matcher)).toEqual([...Array.from('0123456789', (digit) => digit.charCodeAt(0)), 256]);
  expect([matcher.accept(257), matcher.accept(258), matcher.isComplete]).toEqual([false, false, false]);
  expect(matcher.accept(256)).toBe(true);
  expect(listed(matcher)).toEqual([0x78, 257]);
  expect(matcher.accept(257)).toBe(true);
  expect([matcher.isComplete, listed(matcher), matcher.only]).toEqual([true, [258], 258]);
});

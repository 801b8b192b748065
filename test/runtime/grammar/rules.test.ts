/** Expressions against RegExp; grammars by hand. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { takes } from '../../../bench/grammar/reach.ts';
import { compileExpression, compileGbnf, compileSchema } from '../../../runtime/grammar/index.ts';

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

/** Schemas and grammars that grow without bound when they are taken at their word: each ends soon, and with an error of the table if with one. */
import { describe, expect, test } from 'vitest';
import { compileExpression, compileGbnf, compileSchema, createVocabulary, Masks, Matcher } from '../../../runtime/grammar/index.ts';
import { InwardError } from '../../../runtime/index.ts';

const nest = (depth: number, wrap: (inner: unknown) => unknown): unknown => Array.from({ length: depth }).reduce<unknown>((inner) => wrap(inner), true);
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const object = <T>(count: number, make: (i: number) => T): Record<string, T> => Object.fromEntries(many(count, (i) => [`k${i}`, make(i)]));
const either = (i: number): object => ({ anyOf: [{ required: [`a${i}`] }, { required: [`b${i}`] }] });

/** ms; generous, because other tests run beside it. What grows without bound takes hours. */
const longest = 20_000;

const cases: readonly (readonly [name: string, compile: () => unknown])[] = [
  ['deep properties', () => compileSchema(nest(20_000, (inner) => ({ properties: { a: inner } })))],
  ['deep anyOf', () => compileSchema(nest(150, (inner) => ({ anyOf: [inner, inner] })))],
  ['a reference to itself', () => compileSchema({ $ref: '#' })],
  ['a ring of references', () => compileSchema({ $ref: '#/$defs/k0', $defs: object(5000, (i) => ({ $ref: `#/$defs/k${(i + 1) % 5000}` })) })],
  ['a product of choices', () => compileSchema({ allOf: many(40, either) })],
  ['a product of choices, not', () => compileSchema({ not: { anyOf: many(40, (i) => ({ not: either(i) })) } })],
  ['one of many that overlap', () => compileSchema({ oneOf: many(300, (i) => ({ properties: { [`k${i}`]: { type: 'string' } } })) })],
  [
    'patterns that cut each other',
    () => compileSchema({ patternProperties: Object.fromEntries(many(24, (i) => [`[${'abcdefghijklmnopqrstuvwxyz'[i]}]`, { minimum: i }])) }),
  ],
  ['a long enum', () => compileSchema({ enum: many(200_000, (i) => `value ${i}`) })],
  ['many properties, all required', () => compileSchema({ properties: object(20_000, () => true), required: Object.keys(object(20_000, () => 0)) })],
  ['states that double', () => compileExpression('(.*a.{24})*')],
  ['states that double, and their complement', () => compileSchema({ allOf: [{ pattern: '^.*a.{24}$' }, { not: { pattern: 'b.{24}$' } }] })],
  ['counts of counts', () => compileExpression('((((a{1,999}){1,999}){1,999}){1,999}){1,999}b')],
  ['far bounds', () => compileSchema({ type: 'number', minimum: -1e308, maximum: 1e308, multipleOf: 0.00001 })],
  ['lengths that miss a pattern', () => compileSchema({ type: 'string', pattern: '^(aa)*$', minLength: 99_999, maxLength: 99_999 })],
  ['nested groups', () => compileExpression(`${'('.repeat(50_000)}a${')'.repeat(50_000)}`)],
  ['many rules', () => compileGbnf(`root ::= r0\n${many(20_000, (i) => `r${i} ::= "a" r${i + 1} | "b"`).join('\n')}\nr20000 ::= "c"`)],
  ['rules that double', () => compileGbnf(`root ::= r0\n${many(60, (i) => `r${i} ::= r${i + 1} r${i + 1}`).join('\n')}\nr60 ::= "a" r60 | "a"`)],
  ['ambiguous rules', () => compileGbnf('root ::= "a" root root root | "a" root | "a"')],
];

describe('compiles or refuses in bounded time', () => {
  test.each(cases)('%s', (_, compile) => {
    const started = performance.now();
    try {
      compile();
    } catch (error) {
      expect(error).toBeInstanceOf(InwardError);
      expect((error as InwardError).code).toMatch(/^grammar_/);
    }
    expect(performance.now() - started).toBeLessThan(longest);
  });
});

/** One token for each byte. */
const bytes = createVocabulary({ offsets: Uint32Array.from(many(257, (i) => i)), bytes: Uint8Array.from(many(256, (i) => i)), names: new Uint8Array(256) });

test.each<[string, () => ReturnType<typeof compileExpression>, string]>([
  ['doubling states', () => compileExpression('(.*a.{24})*'), 'a'],
  ['ambiguous rules', () => compileGbnf('root ::= "a" root root root | "a" root | "a"'), 'a'],
])('an answer under %s ends, or stops with an error of the table', (_, compile, letter) => {
  const started = performance.now();
  try {
    const matcher = new Matcher(compile(), new Masks(bytes, []));
    for (let i = 0; i < 300; i++) {
      expect(matcher.mask()).toBeDefined();
      expect(matcher.accept(letter.charCodeAt(0))).toBe(true);
    }
  } catch (error) {
    expect(error).toMatchObject({ code: 'grammar_too_large' });
  }
  expect(performance.now() - started).toBeLessThan(longest);
});

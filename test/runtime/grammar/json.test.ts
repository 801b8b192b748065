/** Texts that the automaton of a schema takes, by hand and by RFC 8259. */
import { describe, expect, test } from 'vitest';
import { takes } from '../../../bench/grammar/reach.ts';
import { advance, type Place, tokenBase } from '../../../runtime/grammar/frame.ts';
import { compileSchema } from '../../../runtime/grammar/index.ts';

describe.each<[name: string, schema: unknown, taken: readonly string[], refused: readonly string[]]>([
  ['a bounded integer', { type: 'integer', minimum: 3, maximum: 100 }, ['3', '100', '42'], ['2', '101', '5.0', '1e1', '-3', '03']],
  ['a number above', { type: 'number', exclusiveMinimum: -1.5 }, ['-1.49', '0', '-0', '12.5', '1000'], ['-1.5', '-1.50', '-2', '-1.51']],
  ['a multiple', { multipleOf: 0.25, type: 'number' }, ['0', '0.25', '1.5', '-2.75', '3', '0.50'], ['0.3', '1.26', '0.251']],
  ['a string with a pattern', { type: 'string', pattern: '^a[0-9]+$' }, ['"a1"', '"a12"'], ['"a"', '"\\u00611"', '"b1"', '"a1 "', 'a1']],
  [
    'one way to write each character, that of JSON.stringify',
    { enum: ['a/"é', '\n\u0001\\'] },
    ['"a/\\"é"', '"\\n\\u0001\\\\"'],
    ['"\\u0061/\\"é"', '"a\\/\\"é"', '"a/\\u0022é"', '"a/\\"\\u00e9"', '"\\u000a\\u0001\\\\"', '"\\n\u0001\\\\"'],
  ],
  [
    'controls',
    { maxLength: 1, type: 'string' },
    [...Array(128).keys()].map((code) => JSON.stringify(String.fromCharCode(code))),
    ['"\\u001F"', '"\\u0020"', '"\\u007f"', '"\\u0008"'],
  ],
  [
    'a string by length',
    { type: 'string', minLength: 1, maxLength: 2 },
    ['"é😀"', '"\\n\\u001f"'],
    ['""', '"abc"', '"\\ud83d\\ude00x"', '"\\ud83d"', '"\\n\\n\\n"'],
  ],
  [
    'keys in any order, each once',
    { type: 'object', properties: { a: { type: 'null' }, b: { type: 'boolean' } }, required: ['b'], additionalProperties: false },
    ['{"b":true}', '{"a":null,"b":false}', '{ "b": true, "a": null }'],
    ['{}', '{"a":null}', '{"b":true,"b":true}', '{"b":true,"c":1}', '{"b":1}', '{"b":true,}'],
  ],
  [
    'a tuple and more',
    { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'string' }], items: { type: 'boolean' }, minItems: 2, maxItems: 3 },
    ['[1,"a"]', '[1,"a",true]'],
    ['[1]', '["a",1]', '[1,"a",2]', '[1,"a",true,true]', '[1,"a",]'],
  ],
  [
    'items that differ',
    { type: 'array', items: { enum: ['a', 'A', 1, true, '1', null] }, uniqueItems: true, minItems: 2 },
    ['["a","A"]', '["1",1]', '[true, 1, null, "a", "A", "1"]'],
    ['["a"]', '["a","a"]', '[1,"a",1]', '[true,1,null,"a","A","1",1]', '["b","a"]', '["a",]'],
  ],
  [
    'numbers that differ',
    { type: 'array', items: { type: 'integer', minimum: 0, maximum: 3 }, uniqueItems: true, minItems: 4 },
    ['[0,3,2,1]', '[-0,1,2,3]'],
    ['[0,-0,1,2]', '[0,1,2]', '[0,1,2,3,3]'],
  ],
  ['contains', { type: 'array', contains: { const: 5 }, maxContains: 1 }, ['[5]', '[1,5]', '[5,"x"]'], ['[]', '[1]', '[5,5]']],
  [
    'one of overlapping ones',
    {
      oneOf: [
        { minimum: 2, type: 'integer' },
        { maximum: 5, type: 'integer' },
      ],
    },
    ['1', '6'],
    ['2', '5', '3', '"a"'],
  ],
  [
    'recursion',
    {
      $ref: '#/$defs/tree',
      $defs: { tree: { type: 'object', properties: { of: { type: 'array', items: { $ref: '#/$defs/tree' } } }, additionalProperties: false } },
    },
    ['{}', '{"of":[]}', '{"of":[{},{"of":[{}]}]}'],
    ['[]', '{"of":{}}', '{"of":[1]}'],
  ],
  [
    'a choice by a constant',
    {
      oneOf: [1, 2].map((kind) => ({
        type: 'object',
        properties: { kind: { const: kind }, of: { type: kind === 1 ? 'string' : 'number' } },
        required: ['kind', 'of'],
      })),
    },
    ['{"kind":1,"of":"a"}', '{"of":2.5,"kind":2}'],
    ['{"kind":1,"of":2}', '{"of":"a","kind":2}', '{"kind":3,"of":2}'],
  ],
])('%s', (_, schema, taken, refused) => {
  const start = compileSchema(schema);
  test.each(taken)('takes %s', (text) => expect(takes(start, text)).toBe(true));
  test.each(refused)('refuses %s', (text) => expect(takes(start, text)).toBe(false));
});

test('what no value meets is an error, and so is what cannot be enforced, by its name', () => {
  expect(() => compileSchema({ type: 'integer', minimum: 3, maximum: 2 })).toThrow(expect.objectContaining({ code: 'grammar_empty' }));
  expect(() => compileSchema({ properties: { secret: { items: { type: 'string' }, uniqueItems: true } } })).toThrow(
    expect.objectContaining({ code: 'grammar_unenforceable', fields: { keyword: 'uniqueItems (of more than 64 values)', path: '#/properties/0' } }),
  );
});

test('nowhere in a value is a token taken as such, whatever its number has in common with a byte', () => {
  const start: Place = { frame: compileSchema({ type: 'object', properties: { a: { enum: [1, '\u0001é😀'] } } }), stack: null };
  for (const text of ['{"a": 1}', '{ "a":"\\u0001é😀"}']) {
    let place: Place | undefined = start;
    for (const byte of Buffer.from(text)) {
      const taken = Array.from({ length: 256 }, (_, low) => [low + 2 ** 8, low + 2 ** 16]).flat();
      expect(taken.filter((step) => step >= tokenBase && place !== undefined && advance(place, step) !== undefined)).toEqual([]);
      place = place && advance(place, byte);
    }
    expect(place).toBeDefined();
  }
});

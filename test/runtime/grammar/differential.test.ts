/**
 * Random schemas and random values: the automaton takes a value's text exactly where ajv accepts the value, and whatever a random walk through
 * the automaton writes is JSON that ajv accepts. What the compiler refuses is left out, and may not be much.
 */
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { takes } from '../../../bench/grammar/reach.ts';
import type { Frame } from '../../../runtime/grammar/frame.ts';
import { compileSchema } from '../../../runtime/grammar/index.ts';
import { InwardError } from '../../../runtime/index.ts';
import { createRandom, walk } from './walk.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const names = fc.constantFrom('a', 'b', 'ab', 'c');
const texts = fc.string({ unit: fc.constantFrom('a', 'b', '1', '"', '\\', 'é', '😀'), maxLength: 4 });
const numbers = fc.oneof(
  fc.integer({ min: -12, max: 12 }),
  fc.integer({ min: -40, max: 40 }).map((n) => n / 4),
);
const scalars = fc.oneof(fc.constant(null), fc.boolean(), numbers, texts);
const values = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof({ maxDepth: 3, depthSize: 'small' }, scalars, fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(names, tie('value'), { maxKeys: 3, noNullPrototype: true })),
})).value; // biome-ignore format: one expression

const count = fc.integer({ min: 0, max: 3 });
const patterns = fc.constantFrom('^a', 'b$', '^[ab]*$', 'a.b|1', '\\d');
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 2 });

/** An object of some of the keywords. */
const some = (keywords: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> =>
  fc
    .record(Object.fromEntries(Object.entries(keywords).map(([key, value]) => [key, optional(value)])), { requiredKeys: [] })
    .map((found) => JSON.parse(JSON.stringify(found)));

const schemas = fc.letrec<{ schema: object | boolean; joined: object }>((tie) => {
  const schema = tie('schema');
  return {
    schema: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc.oneof(fc.boolean(), fc.record({ const: values }), fc.record({ enum: fc.array(values, { minLength: 1, maxLength: 3 }) })),
      some({ type: fc.constant('integer'), minimum: numbers, exclusiveMaximum: numbers }),
      some({ type: fc.constant('number'), maximum: numbers, exclusiveMinimum: numbers, multipleOf: fc.constantFrom(1, 2, 0.5, 0.25) }),
      some({ type: fc.constant('string'), minLength: count, maxLength: count, pattern: patterns }),
      some({ type: fc.constant('object'), properties: fc.dictionary(names, schema, { maxKeys: 3, noNullPrototype: true }), required: fc.uniqueArray(names, { maxLength: 2 }), additionalProperties: schema, maxProperties: count }),
      some({ properties: fc.dictionary(names, schema, { maxKeys: 2, noNullPrototype: true }), patternProperties: fc.dictionary(patterns, schema, { maxKeys: 2, noNullPrototype: true }), propertyNames: some({ pattern: patterns }), minProperties: fc.integer({ max: 1, min: 0 }) }),
      some({ type: fc.constant('array'), prefixItems: fc.array(schema, { maxLength: 2, minLength: 1 }), items: schema, minItems: count, maxItems: count }),
      some({ contains: schema, minContains: count, maxContains: count, maxItems: count, items: schema }),
      tie('joined'),
    ),
    joined: fc.oneof(
      fc.record({ anyOf: fc.array(schema, { minLength: 1, maxLength: 3 }) }),
      fc.record({ oneOf: fc.array(schema, { minLength: 1, maxLength: 3 }) }),
      fc.record({ allOf: fc.array(schema, { minLength: 1, maxLength: 3 }) }),
      fc.record({ not: schema }),
      // biome-ignore lint/suspicious/noThenProperty: a keyword
      fc.record({ if: schema, then: schema, else: schema }),
      fc.record({ dependentRequired: fc.dictionary(names, fc.uniqueArray(names, { maxLength: 2 }), { maxKeys: 2, noNullPrototype: true }) }),
      fc.record({ dependentSchemas: fc.dictionary(names, schema, { maxKeys: 1, noNullPrototype: true }) }),
    ),
  };
}).schema; // biome-ignore format: one expression

const ajv = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: true });

/** 'empty' where no value meets the schema, undefined where it is refused. */
function compile(schema: object | boolean): Frame | 'empty' | undefined {
  try {
    return compileSchema(schema);
  } catch (error) {
    if (!(error instanceof InwardError)) throw error;
    return error.code === 'grammar_empty' ? 'empty' : undefined;
  }
}

const isFull = process.env['INWARD_FULL'] !== undefined;

test('takes what ajv accepts, and nothing else', () => {
  let [all, refused] = [0, 0];
  fc.assert(
    fc.property(schemas, fc.array(values, { minLength: 10, maxLength: 20 }), (schema, instances) => {
      all++;
      const start = compile(schema);
      if (start === undefined) return void refused++;
      // ajv counts items of one `contains` within another one together.
      if (JSON.stringify(schema).split('"contains"').length > 2) return;
      const validate = ajv.compile(schema);
      // Keys that no schema names count once towards the least number (runtime/grammar/json/objects.ts).
      const isExact = !/"(min|max)Properties"/.test(JSON.stringify(schema));
      for (const value of instances) {
        const isTaken = start !== 'empty' && takes(start, JSON.stringify(value));
        if (isExact || isTaken) expect({ value, isTaken }).toEqual({ value, isTaken: validate(value) });
      }
    }),
    { numRuns: isFull ? 15_000 : 400 },
  );
  expect(refused / all).toBeLessThan(0.2);
});

test('what a random walk writes is JSON that ajv accepts', () => {
  let ended = 0;
  fc.assert(
    fc.property(schemas, fc.integer({ min: 1, max: 2 ** 31 - 2 }), (schema, seed) => {
      const start = compile(schema);
      if (start === undefined || start === 'empty') return;
      const text = walk(start, createRandom(seed));
      if (text === undefined) return;
      ended++;
      const value: unknown = JSON.parse(text);
      expect({ text, isValid: ajv.validate(schema, value) }).toEqual({ text, isValid: true });
    }),
    { numRuns: isFull ? 10_000 : 300 },
  );
  expect(ended).toBeGreaterThan(100);
});

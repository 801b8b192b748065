/** Owns random schemas of every kind of keyword, and random values that meet some of them. */
import fc from 'fast-check';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const names = fc.constantFrom('a', 'b', 'ab', 'c');
const texts = fc.string({ unit: fc.constantFrom('a', 'b', '1', '"', '\\', 'é', '😀'), maxLength: 4 });
const numbers = fc.oneof(
  fc.integer({ min: -12, max: 12 }),
  fc.integer({ min: -40, max: 40 }).map((n) => n / 4),
);
const scalars = fc.oneof(fc.constant(null), fc.boolean(), numbers, texts);
export const values: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
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

export const schemas: fc.Arbitrary<object | boolean> = fc.letrec<{ schema: object | boolean; joined: object }>((tie) => {
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
      some({ type: fc.constant('array'), items: fc.record({ enum: fc.array(values, { minLength: 1, maxLength: 4 }) }), uniqueItems: fc.constant(true), minItems: count, maxItems: count }),
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

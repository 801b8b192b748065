/** The second look at answers against ajv and the public suite: it says of a text what they say of its value. */
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { schemas, values } from '../../../bench/grammar/random.ts';
import type { SchemaCase } from '../../../bench/grammar/reach.ts';
import { InwardError } from '../../../runtime/errors.ts';
import { compileSchema } from '../../../runtime/grammar/index.ts';
import { isAnswer } from '../../../runtime/grammar/judge/judge.ts';
import { readFixture } from '../../test-data.ts';

const isFull = process.env['INWARD_FULL'] !== undefined;
const ajv = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: true });

/** Undefined where the schema has what no answer is held to. */
function judge(schema: unknown, text: string): boolean | undefined {
  try {
    return isAnswer(schema, text);
  } catch (error) {
    if (error instanceof InwardError && error.code.startsWith('grammar_')) return undefined;
    throw error;
  }
}

test('random schemas and values: what ajv says', () => {
  let [all, met] = [0, 0];
  fc.assert(
    fc.property(schemas, fc.array(values, { minLength: 10, maxLength: 20 }), (schema, instances) => {
      // ajv counts items of one `contains` within another one together.
      if (JSON.stringify(schema).split('"contains"').length > 2) return;
      const validate = ajv.compile(schema);
      for (const value of instances) {
        const said = judge(schema, JSON.stringify(value));
        if (said === undefined) continue;
        all++;
        if (said) met++;
        expect({ schema, value, said }).toEqual({ schema, value, said: validate(value) });
      }
    }),
    { numRuns: isFull ? 10_000 : 300 },
  );
  expect(Math.min(met, all - met)).toBeGreaterThan(all / 20);
});

// Draft 7 has nearly the same tests, so it is read by the long suite only.
test.each(['draft2020-12/', ...(isFull ? ['draft7/'] : [])])(
  'JSON-Schema-Test-Suite, %s: nothing is taken that is wrong, and nothing missed but what formats are narrower by',
  (draft) => {
    const suite: Readonly<Record<string, readonly SchemaCase[]>> = JSON.parse(readFixture('json-schema/json-schema-test-suite.json.gz').toString('utf8'));
    let count = 0;
    for (const [file, groups] of Object.entries(suite)) {
      // Elsewhere the suite holds that formats are annotations.
      if (!file.startsWith(draft) || /\/format\.json|format-assertion|optional\/format\/unknown|\/vocabulary\.json/.test(file)) continue;
      for (const { schema, tests } of groups) {
        const drafted = draft === 'draft7/' && typeof schema === 'object' ? { $schema: 'http://json-schema.org/draft-07/schema#', ...schema } : schema;
        if (!canBeHeld(drafted)) continue;
        for (const { data, valid } of tests) {
          const said = judge(drafted, JSON.stringify(data));
          count++;
          if (!(file.includes('/format/') && valid)) expect([file, schema, data, said]).toEqual([file, schema, data, valid]);
        }
      }
    }
    expect(count).toBeGreaterThan(1200);
  },
);

function canBeHeld(schema: unknown): boolean {
  try {
    return compileSchema(schema) !== undefined;
  } catch {
    return false;
  }
}

test('numbers count as they are written, whatever a float makes of them', () => {
  const cases: readonly [schema: object, text: string, expected: boolean][] = [
    [{ exclusiveMaximum: 1 }, '0.99999999999999999999', true],
    [{ minimum: 9007199254740992 }, '9007199254740991.9', false],
    [{ multipleOf: 0.1 }, '0.3', true],
    [{ multipleOf: 0.01 }, '1.005', false],
    [{ type: 'integer' }, '1.0', true],
    [{ type: 'integer' }, '1.00000000000000000001', false],
    [{ const: 100 }, '1e2', true],
    [{ enum: [0] }, '-0', true],
    [{ uniqueItems: true }, '[1,1.0]', false],
    [{ maximum: 5 }, '1e999999999999', false],
    [{ type: 'object' }, '{"a":1', false],
    [{}, '{"a":1} x', false],
    [{ required: ['__proto__'] }, '{"__proto__":1}', true],
    [{ properties: { a: { const: 1 } } }, '{"a":2,"a":1}', true],
  ];
  expect(cases.map(([schema, text]) => judge(schema, text))).toEqual(cases.map(([, , expected]) => expected));
});

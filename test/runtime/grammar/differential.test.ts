/**
 * Random schemas and random values: the automaton takes a value's text exactly where ajv accepts the value, and whatever a random walk through
 * the automaton writes is JSON that ajv accepts. What the compiler refuses is left out, and may not be much.
 */
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { schemas, values } from '../../../bench/grammar/random.ts';
import { takes } from '../../../bench/grammar/reach.ts';
import type { Frame } from '../../../runtime/grammar/frame.ts';
import { compileSchema } from '../../../runtime/grammar/index.ts';
import { isAnswer } from '../../../runtime/grammar/judge/judge.ts';
import { InwardError } from '../../../runtime/index.ts';
import { createRandom, walk } from './walk.ts';

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
      expect([text, isAnswer(schema, text)]).toEqual([text, true]);
      expect({ text, isValid: ajv.validate(schema, value) }).toEqual({ text, isValid: true });
    }),
    { numRuns: isFull ? 10_000 : 300 },
  );
  expect(ended).toBeGreaterThan(100);
});

/** The rules that refusals name, and that what a client invented is refused without being read. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { anthropicMessages } from '../../../server/anthropic/turns.ts';
import { responseInput } from '../../../server/openai/response-items.ts';
import { validate } from '../../../server/openai/validate.ts';

const refusal = (schema: z.ZodType, value: unknown) => {
  try {
    validate(schema, value, []);
  } catch (error) {
    return error;
  }
  throw new Error('it was taken');
};

/** The object with one field more, and how often its value was read. */
function watch<T extends object>(target: T): { readonly object: T; reads: number } {
  const watched = { object: target, reads: 0 };
  const get = () => watched.reads++;
  Object.defineProperty(target, 'a_name_of_a_client', { enumerable: true, get });
  return watched;
}

test.each<[name: string, schema: z.ZodType, item: object, wrap: (item: object) => unknown, path: string]>([
  ['an item', responseInput, { type: 'message', role: 'user', content: 'x' }, (item) => [item], '[0]'],
  ['a block', anthropicMessages, { type: 'text', text: 'x' }, (block) => [{ role: 'user', content: [block] }], '[0].content[0]'],
])('a field of %s that no schema has is not read', (_, schema, item, wrap, path) => {
  validate(schema, wrap({ ...item }), []);
  const watched = watch(item);
  expect(refusal(schema, wrap(watched.object))).toMatchObject({ code: 'unknown_parameter', message: expect.stringContaining(path) });
  expect(watched.reads).toBe(0);
});

test('an item without a type is a message, and what is no object is none', () => {
  expect(validate(responseInput, [{ role: 'user', content: 'x' }], [])).toEqual([{ type: 'message', role: 'user', content: 'x' }]);
  for (const value of [null, [], 'x', 1])
    expect(refusal(responseInput, [value])).toMatchObject({ code: 'invalid_value', message: expect.stringContaining('[0] must be an object') });
  expect(refusal(responseInput, [{ type: null, role: 'user', content: 'x' }])).toMatchObject({ message: expect.stringContaining('[0].type must be a string') });
});

test('a kind that none of several has: the kinds that there are', () => {
  const schema = z.strictObject({ format: z.discriminatedUnion('type', [z.strictObject({ type: z.literal('a') }), z.strictObject({ type: z.literal('b') })]) });
  for (const format of [{ type: 'c' }, {}])
    expect(refusal(schema, { format })).toMatchObject({ code: 'invalid_value', message: expect.stringContaining('format.type must be one of a, b') });
});

/** The reader of safetensors files: the cases that the reference library was asked, each as it answered but where noted; and its own rules. */
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import type { InwardError } from '../../../runtime/errors.ts';
import { checkMalformed, openingError } from '../../malformed-case.ts';
import { createFolders, safetensorsBytes, tinyConfig } from '../../safetensors-file.ts';
import { malformedCases } from '../../test-data.ts';

const folders = createFolders();
afterAll(folders.remove);

const config = JSON.stringify(tinyConfig);

const write = (bytes: Uint8Array): string => folders.write({ 'config.json': config, 'model.safetensors': bytes });
const open = (bytes: Uint8Array): unknown => openingError(write(bytes));

const cases = malformedCases('safetensors');
test('all 59 cases are here', () => expect(cases.length).toBe(59));

test.each(cases)('$id: $condition', ({ expect: expected, bytes }) => {
  checkMalformed(write(bytes), expected, 'checkpoint_invalid');
});

const two = { dtype: 'U8', shape: [2], data_offsets: [0, 2] };
const bytes = Uint8Array.of(1, 2, 3, 4);

test('tensors in any order of the header, with bytes where they say', () => {
  const header = { b: { ...two, data_offsets: [2, 4] }, a: two };
  using checkpoint = openCheckpoint(write(safetensorsBytes(header, bytes)));
  const into = new Uint8Array(2);
  checkpoint.read(checkpoint.tensors.get('b')?.offset ?? 0, into);
  expect([...into]).toEqual([3, 4]);
  expect(() => checkpoint.read(checkpoint.fileSize - 1, into)).toThrow(expect.objectContaining({ code: 'checkpoint_invalid' }));
});

test.each([
  ['a key twice', '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', 'one value'],
  [
    'a key twice, once in other letters',
    '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"\\u0061":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
    'one value',
  ],
  ['a key of an entry twice', '{"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}}', 'one value'],
  ['an offset of 2^53', '{"a":{"dtype":"U8","shape":[2],"data_offsets":[9007199254740992,9007199254740994]}}', 'below 2^53'],
  ['a number with an exponent', '{"a":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}}', 'whole ones'],
  ['a number minus zero', '{"a":{"dtype":"U8","shape":[2],"data_offsets":[-0,2]}}', 'whole ones'],
  ['an odd count of half bytes', '{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}', 'whole bytes'],
  ['a hole', '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}', '1'],
  ['an overlap', '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}', '2'],
  ['no entry but a list', '{"a":[]}', 'an object'],
])('%s is refused', (_, header, expected) => {
  const error = open(safetensorsBytes(header, bytes.subarray(0, 2)));
  expect(error).toMatchObject({ code: 'checkpoint_invalid' });
  expect(String((error as InwardError).fields['expected'])).toContain(expected);
});

test.each([
  ['10,000 offsets', { shape: [2], data_offsets: Array(10_000).fill(2 ** 52) }, '10000 numbers'],
  ['no offsets', { shape: [2], data_offsets: [] }, '0 numbers'],
  ['an end before its begin', { shape: [2], data_offsets: [2, 1] }, 1],
  ['10,000 dimensions with too many elements', { shape: Array(10_000).fill(2), data_offsets: [0, 1] }, '10000 dimensions'],
])('%s are refused by their number, in a short sentence', (_, entry, found) => {
  const error = open(safetensorsBytes({ a: { dtype: 'U8', ...entry } }, bytes.subarray(0, 1)));
  expect(error).toMatchObject({ code: 'checkpoint_invalid', fields: { found } });
  expect((error as InwardError).message.length).toBeLessThan(250);
});

test('numbers, points and keys inside of strings are no numbers, points and keys', () => {
  const header = { __metadata__: { a: '-1.5e3 {"a":1,"a":2}', 'b"}': '\\' }, a: two };
  expect(open(safetensorsBytes(header, bytes.subarray(0, 2)))).toBeUndefined();
});

test('a name of the prototype is a name', () => {
  using checkpoint = openCheckpoint(
    folders.write({
      'config.json': config,
      'model.safetensors': safetensorsBytes('{"__proto__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', bytes.subarray(0, 2)),
    }),
  );
  expect(checkpoint.tensors.get('__proto__')?.size).toBe(2);
});

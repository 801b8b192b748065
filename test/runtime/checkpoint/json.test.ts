/** JSON in files of others: what is refused, and that no text takes more than linear time or a deep stack. */
import { expect, test } from 'vitest';
import { readJsonObject } from '../../../runtime/checkpoint/json.ts';

const read = (text: string, numbers: 'any' | 'whole' = 'any') => readJsonObject(Buffer.from(text), 'a file', numbers);
const invalid = expect.objectContaining({ code: 'checkpoint_invalid' });

/** `count` times the same. */
const many = (count: number, text: string): string => text.repeat(count);

// In time that grows with the square of the length the smaller ones take half a minute and more. Here all take less than 0.5 s.
test.each([
  ['a string of escaped quotes that does not end, 200 KB', `{"a":"${many(100_000, '\\"')}`],
  ['the same, 4 MB', `{"a":"${many(2_000_000, '\\"')}`],
  ['escaped quotes outside of strings, 4 MB', `{${many(2_000_000, '\\"')}`],
  ['a key of 2 MB before 100,000 colons', `{"${many(2_000_000, 'a')}":${many(100_000, '{:},')}`],
  ['the same in an array', `["${many(2_000_000, 'a')}"${many(100_000, ':')}`],
  ['4 million brackets', many(4_000_000, '[]')],
])('%s is refused in linear time', { timeout: 120_000 }, (_, text) => {
  const started = performance.now();
  expect(() => read(text, 'whole')).toThrow(invalid);
  expect(performance.now() - started).toBeLessThan(5000);
});

test('a string of 16 MB, plain or all escapes, is a string', () => {
  const plain = many(2 ** 24, 'x');
  expect(read(`{"a":"${plain}"}`)['a'] === plain).toBe(true);
  expect(read(`{"${plain}":1}`)[plain]).toBe(1);
  expect(read(`{"a":"${many(2 ** 23, '\\"')}"}`)['a'] === many(2 ** 23, '"')).toBe(true);
});

test('strings end where they end: escapes, line breaks as escapes, all that separates inside of them', () => {
  const value = { a: '"', 'b\\': '\\', 'c"}': '\\"', d: '{[:,]}"a":1', e: ['\n', '\u2028', '-1.5'], 'f:': {} };
  expect(read(JSON.stringify(value), 'whole')).toEqual(value);
  expect(read(` { "a" :\n{ "b" : [ ] } , "b"\t: { } } `)).toEqual({ a: { b: [] }, b: {} });
});

test.each([
  ['{"a":1,"b":{"a":1,"\\u0061":2}}', 'key a of a file'],
  ['{"a\\\\":1,"a\\\\":2}', 'key a\\ of a file'],
  ['{"":1 , "" :2}', 'key of an object of a file'],
  ['{"b":[{"a":"\\"","a":1}]}', 'key a of a file'],
])('%s has a key twice', (text, part) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 'checkpoint_invalid', fields: { part, expected: 'one value', found: 'a second one' } }));
});

test.each(['{"a":1.0}', '{"a":[1,2e1]}', '{"a":{"b":-1}}', '{"a":"1","b":0E0}'])('%s has other numbers than whole ones', (text) => {
  expect(() => read(text, 'whole')).toThrow(expect.objectContaining({ fields: expect.objectContaining({ part: 'numbers of a file' }) }));
  expect(read(text)).toEqual(JSON.parse(text));
});

test('32 levels are read, 33 are not', () => {
  const nested = (levels: number): string => `{"a":${many(levels - 1, '[')}${many(levels - 1, ']')}}`;
  expect(read(nested(32))).toEqual(JSON.parse(nested(32)));
  expect(() => read(nested(33))).toThrow(expect.objectContaining({ fields: { part: 'a file', expected: 'at most 32 levels', found: 'more' } }));
});

test.each(['{"a":1:2}', '{:1}', '{"a"}', '{"a":"b', '{"a":"b\\"}', '{"a":1}}', '{"a":1} 2', "{'a':1}", '{"a":1,}'])('%s is no JSON', (text) => {
  expect(() => read(text)).toThrow(invalid);
});

/** The form of messages between processes: what goes in comes out, wherever the stream is cut, and no byte of it stays where it was read. */
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame, FrameReader, frameLimit, headSize } from '../../../runtime/link/frames.ts';

const scratch = Buffer.alloc(2 ** 10);
const none = Buffer.alloc(0);
const arrays = fc.oneof(fc.uint8Array(), fc.uint32Array(), fc.float32Array(), fc.float64Array());
/** JSON knows no sign of zero. */
const numbers = fc.double().map((value) => (value === 0 ? 0 : value));
const leaves = fc.oneof(fc.string({ unit: 'grapheme' }), numbers, fc.boolean(), fc.constant(null), arrays);
/** No message of ours has these fields. */
const names = fc.string({ maxLength: 8 }).filter((name) => name !== '#' && name !== '__proto__');
const fields = (values: fc.Arbitrary<unknown>): fc.Arbitrary<object> => fc.dictionary(names, values, { maxKeys: 5, noNullPrototype: true });
const messages = fields(fc.oneof(leaves, fc.array(leaves, { maxLength: 4 }), fields(leaves)));

/** As Node carries them between processes. */
const clone = (message: object): unknown => deserialize(serialize(message));

test('what is encoded comes back, by the buffer that is there or by a new one', () => {
  fc.assert(
    fc.property(messages, fc.constantFrom(scratch, none), (message, buffer) => {
      const frame = encodeFrame(message, buffer);
      // Three bytes for each 16 bits are allowed for, so that a frame of a third has room there in any case.
      if (buffer !== scratch || 3 * frame.length <= scratch.length) expect(frame.buffer === scratch.buffer).toBe(buffer === scratch);
      expect(decodeFrame(frame.subarray(headSize))).toEqual(clone(message));
    }),
  );
});

test('wherever the stream is cut, frames come whole and in order, and nothing of them is left', () => {
  fc.assert(
    fc.property(fc.array(messages, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(60), { minLength: 1 }), (sent, cuts) => {
      const stream = Buffer.concat(sent.map((message) => Buffer.from(encodeFrame(message, scratch))));
      const [got, frames]: [unknown[], Buffer[]] = [[], []];
      const reader = new FrameReader((frame) => {
        frames.push(frame);
        got.push(decodeFrame(frame));
      });
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = 1 + (cuts[turn % cuts.length] ?? 0);
        expect(reader.push(stream.subarray(at, at + size))).toBe(true);
        at += size;
      }
      expect(got).toEqual(sent.map(clone));
      for (const bytes of [stream, ...frames]) expect(bytes.every((byte) => byte === 0)).toBe(true);
    }),
  );
});

test('arrays lie in memory of their own, outside of the frame', () => {
  const frame = encodeFrame({ ids: Uint32Array.of(1, 2, 3) }, scratch).subarray(headSize);
  const { ids } = decodeFrame(frame) as { ids: Uint32Array };
  frame.fill(0);
  expect([ids, ids.byteOffset, ids.buffer.byteLength]).toEqual([Uint32Array.of(1, 2, 3), 0, 12]);
});

/** Head and JSON, and what is behind it. */
function frameOf(json: string, tail: readonly number[] = []): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(json.length);
  return Buffer.concat([head, Buffer.from(json), Buffer.from(tail)]);
}

test('the form, by hand: kind, offset and length of an array stand in its place, low bytes first', () => {
  const json = '{"type":"ids","ids":{"#":[1,0,2]},"limit":{"#":"Infinity"}}';
  expect(decodeFrame(frameOf(json, [1, 0, 0, 0, 0, 1, 0, 0]))).toEqual({ type: 'ids', ids: Uint32Array.of(1, 256), limit: Number.POSITIVE_INFINITY });
});

test.each([
  '{"a":',
  'a',
  '{"a":{"#":[1,0,3]}}',
  '{"a":{"#":[1,-4,2]}}',
  '{"a":{"#":[4,0,1]}}',
  '{"a":{"#":[1,1e9,1]}}',
  '{"a":{"#":[0,0,-1]}}',
  '{"a":{"#":7}}',
])('what is no message is none: %s', (json) => expect(decodeFrame(frameOf(json, [1, 0, 0, 0, 0, 1, 0, 0]))).toBeUndefined());

test('JSON that is longer than its frame is none', () => {
  const frame = frameOf('{}');
  frame.writeUInt32LE(3, 0);
  expect(decodeFrame(frame)).toBeUndefined();
});

test.each([3, frameLimit + 1])('a frame of %i bytes ends the reading', (size) => {
  const got: Buffer[] = [];
  const reader = new FrameReader((frame) => got.push(Buffer.from(frame)));
  const head = Buffer.alloc(headSize);
  head.writeUInt32LE(size);
  const good = encodeFrame({ a: 1 }, none);
  expect(reader.push(Buffer.concat([good, head, good]))).toBe(false);
  expect(reader.push(Buffer.from(good))).toBe(false);
  expect(got.length).toBe(1);
});

test.each([new Int16Array(2), new DataView(new ArrayBuffer(2)), 1n])('what has no form here is refused: %o', (value) =>
  expect(() => encodeFrame({ value }, none)).toThrow(TypeError),
);

/** The reader on good files: values, tensors, reading; and on random damage. */
import { ftruncateSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { hashModel } from '../../../runtime/checkpoint/fingerprint.ts';
import { describeCheckpoint, elementCount, metadataStrings, openCheckpoint, optionalString, tensorSize } from '../../../runtime/checkpoint/index.ts';
import { InwardError } from '../../../runtime/errors.ts';
import { createFolder, createParts, ggufBytes, type Pair, tokenizerPairs } from '../../gguf-file.ts';

const folder = createFolder();
afterAll(folder.remove);

const tensors = [
  { name: 'a', dimensions: [32, 2], typeId: 2, offset: 0 },
  { name: 'b', dimensions: [3], typeId: 0, offset: 64 },
];
const data = Uint8Array.from({ length: 96 }, (_, i) => i);
const code = (value: string) => expect.objectContaining({ code: value });

test('every type of value comes back', () => {
  const path = folder.write(
    ggufBytes([
      ['u8', 'u8', 255],
      ['i8', 'i8', -128],
      ['u16', 'u16', 65535],
      ['i16', 'i16', -32768],
      ['u32', 'u32', 2 ** 32 - 1],
      ['i32', 'i32', -(2 ** 31)],
      ['f32', 'f32', 0.5],
      ['f64', 'f64', 0.1],
      ['bool', 'bool', 1],
      ['string', 'string', 'grün 🦙'],
      ['small', 'u64', 7],
      ['large', 'u64', 2n ** 63n],
      ['negative', 'i64', -(2n ** 63n)],
      ['bytes', 'array', [1, 2], 'u8'],
      ['integers', 'array', [-1, 2], 'i8'],
      ['floats', 'array', [0.5, 1], 'f32'],
      ['longs', 'array', [1, 2n ** 60n], 'u64'],
      ['booleans', 'array', [0, 1], 'bool'],
      ['empty', 'array', [], 'string'],
    ]),
  );
  using checkpoint = openCheckpoint(path);
  expect(Object.fromEntries(checkpoint.metadata)).toEqual({
    u8: 255,
    i8: -128,
    u16: 65535,
    i16: -32768,
    u32: 2 ** 32 - 1,
    i32: -(2 ** 31),
    f32: 0.5,
    f64: 0.1,
    bool: true,
    string: 'grün 🦙',
    small: 7,
    large: 2n ** 63n,
    negative: -(2n ** 63n),
    bytes: Uint8Array.of(1, 2),
    integers: Int32Array.of(-1, 2),
    floats: Float32Array.of(0.5, 1),
    longs: [1, 2n ** 60n],
    booleans: [false, true],
    empty: [],
  });
});

test('tensors have shape, place and size, and are read from there', () => {
  using checkpoint = openCheckpoint(folder.write(ggufBytes([['general.architecture', 'string', 'llama']], tensors, data)));
  const [a, b] = [...checkpoint.tensors.values()];
  expect(a).toMatchObject({ name: 'a', storage: 'Q4_0', shape: [2, 32], size: 36 });
  expect(b).toMatchObject({ name: 'b', storage: 'F32', shape: [3], size: 12, offset: a!.offset + 64 });
  const into = new Uint8Array(b!.size);
  checkpoint.read(b!.offset, into);
  expect(into).toEqual(data.slice(64, 76));
  expect(describeCheckpoint(checkpoint)).toMatchObject({ family: 'llama', parameterCount: 67, weightSize: 48, tensorCount: 2 });
  expect(() => checkpoint.read(checkpoint.fileSize - 1, new Uint8Array(2))).toThrow(code('gguf_invalid'));
  expect(() => checkpoint.read(-1, new Uint8Array(2))).toThrow(code('gguf_invalid'));
});

test('the error of a cut file names tensor, expected and found bytes', () => {
  const bytes = ggufBytes([], tensors, data);
  const dataStart = bytes.length - data.length;
  expect(() => openCheckpoint(folder.write(bytes.subarray(0, dataStart + 70)))).toThrow(
    expect.objectContaining({
      fields: { part: expect.stringMatching(/^tensor b in \d+\.gguf$/), expected: '12 bytes', found: '6 bytes before the end of the file' },
    }),
  );
});

test('names that are not short printable ASCII never reach an error', () => {
  const tensor = { name: 'Søren\n', dimensions: [33], typeId: 2, offset: 0 };
  expect(() => openCheckpoint(folder.write(ggufBytes([], [tensor])))).toThrow(/tensor number 0/);
});

test('a file that shrinks while open is an error', () => {
  const path = folder.write(ggufBytes(tokenizerPairs({}), tensors, data));
  using checkpoint = openCheckpoint(path);
  ftruncateSync(openSync(path, 'r+'), 40);
  expect(() => checkpoint.read(checkpoint.tensors.get('b')!.offset, new Uint8Array(12))).toThrow(code('gguf_invalid'));
  expect(() => checkpoint.metadata.get('tokenizer.ggml.tokens')).toThrow(code('gguf_invalid'));
});

test('what is no readable file is file_missing', () => {
  const path = folder.write(new Uint8Array());
  mkdirSync(`${path}.folder`);
  for (const missing of [`${path}.missing`, `${path}.folder`, '/dev/null', 'a\0b']) expect(() => openCheckpoint(missing)).toThrow(code('file_missing'));
  expect(() => openCheckpoint(path)).toThrow(code('gguf_invalid'));
});

test('long string arrays stay in the file and are decoded when asked', () => {
  const strings = Array.from({ length: 5000 }, (_, i) => `täken ${i}`);
  using checkpoint = openCheckpoint(folder.write(ggufBytes([['strings', 'array', strings, 'string']])));
  expect(metadataStrings(checkpoint, 'strings')).toEqual(strings);
  expect(checkpoint.metadata.get('strings')).not.toBe(checkpoint.metadata.get('strings'));
  expect(() => optionalString(checkpoint, 'strings')).toThrow(code('gguf_invalid'));
});

test('a header of a real size opens in time in proportion', () => {
  const tokens = Array.from({ length: 152_000 }, (_, i) => `piece number ${i}`);
  const path = folder.write(
    ggufBytes([
      ['tokens', 'array', tokens, 'string'],
      ['merges', 'array', tokens, 'string'],
      ['types', 'array', tokens.map(() => 1), 'i32'],
    ]),
  );
  // Of the processor, not of the clock: other processes may have it meanwhile. What grows with the square takes minutes.
  const started = process.cpuUsage();
  using checkpoint = openCheckpoint(path);
  expect(process.cpuUsage(started).user / 1e6).toBeLessThan(3);
  expect(checkpoint.metadata.size).toBe(3);
});

describe('a model in parts', () => {
  const parts = createParts();
  afterAll(parts.remove);
  const first: readonly Pair[] = [
    ['general.architecture', 'string', 'llama'],
    ['split.count', 'u16', 3],
    ['split.no', 'u16', 0],
    ['split.tensors.count', 'i32', 2],
  ];
  const later = (number: number, count = 3): Pair[] => [
    ['split.count', 'u16', count],
    ['split.no', 'u16', number],
    ['split.tensors.count', 'i32', 2],
  ];
  /** A part with a tensor of eight numbers, or without one. */
  const part = (pairs: readonly Pair[], name?: string, value = 0): Buffer =>
    name === undefined
      ? ggufBytes(pairs)
      : ggufBytes(pairs, [{ name, dimensions: [8], typeId: 0, offset: 0 }], Buffer.from(new Float32Array(8).fill(value).buffer));
  const good = { 1: part(first), 2: part(later(1), 'a', 1.5), 3: part(later(2), 'b', -2) };

  test('is one checkpoint: metadata of the first part, tensors of all, bytes from the right file', () => {
    using checkpoint = openCheckpoint(parts.write(good));
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
    expect(checkpoint.metadata.get('general.architecture')).toBe('llama');
    expect(checkpoint.fileSize).toBe(good[1].length + good[2].length + good[3].length);
    for (const [name, value] of [
      ['a', 1.5],
      ['b', -2],
    ] as const) {
      const bytes = new Uint8Array(32);
      checkpoint.read(checkpoint.tensors.get(name)?.offset ?? 0, bytes);
      expect(new Float32Array(bytes.buffer)).toEqual(new Float32Array(8).fill(value));
    }
    // Over the border of two files, as the hash of all that lies before the first tensor needs it.
    const border = new Uint8Array(8);
    checkpoint.read(good[1].length - 4, border);
    expect(Buffer.from(border)).toEqual(Buffer.concat([good[1].subarray(-4), good[2].subarray(0, 4)]));
    expect(hashModel(checkpoint)).toMatch(/^[0-9a-f]{64}$/);
    expect(() => checkpoint.read(checkpoint.fileSize - 4, new Uint8Array(8))).toThrow(code('gguf_invalid'));
  });

  test.each([
    ['a part that is missing', { ...good, 3: undefined }, 'gguf_invalid'],
    ['a part of another model', { ...good, 2: part(later(1, 4), 'a') }, 'gguf_invalid'],
    ['a part with another number', { ...good, 2: part(later(2), 'a') }, 'gguf_invalid'],
    ['a tensor in two parts', { ...good, 3: part(later(2), 'a') }, 'gguf_invalid'],
    ['fewer tensors than the first part counts', { ...good, 3: part(later(2)) }, 'gguf_invalid'],
    ['a part that is no GGUF file', { ...good, 2: Buffer.from('nothing of the kind') }, 'gguf_invalid'],
    ['only the first part', { 1: good[1] }, 'gguf_invalid'],
  ])('with %s is refused', (_, files, expected) => {
    expect(() => openCheckpoint(parts.write(files))).toThrow(code(expected));
  });

  test('is opened by its first part, under the names that gguf-split gives', () => {
    const path = parts.write(good);
    expect(() => openCheckpoint(path.replace('-00001-', '-00002-'))).toThrow(/part 1 of 3/);
    expect(() => openCheckpoint(folder.write(good[1]))).toThrow(/-00001-of-00003\.gguf/);
  });
});

test('sizes of storages', () => {
  expect(tensorSize('Q4_K', [2, 512])).toBe(576);
  expect(tensorSize('F16', [5, 7])).toBe(70);
  expect(elementCount([5, 7])).toBe(35);
  expect(() => tensorSize('Q4_K', [2, 100])).toThrow(code('model_unsupported'));
  expect(() => tensorSize('Q9_9', [2, 100])).toThrow(code('model_unsupported'));
});

test('random damage: success or InwardError, never a crash, and soon', () => {
  const original = ggufBytes([...tokenizerPairs({ control: ['<|end|>'] }), ['general.alignment', 'u32', 32]], tensors, data);
  const cut = fc.record({
    length: fc.nat(original.length),
    flips: fc.array(fc.record({ at: fc.nat(original.length - 1), to: fc.nat(255) }), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(cut, ({ length, flips }) => {
      const bytes = Buffer.from(original.subarray(0, length));
      for (const { at, to } of flips) if (at < length) bytes[at] = to;
      const started = performance.now();
      try {
        using checkpoint = openCheckpoint(folder.write(bytes));
        for (const [, value] of checkpoint.metadata) if (value === undefined) throw new Error('no value');
        for (const { offset, size } of checkpoint.tensors.values()) if (offset + size > length) throw new Error('a tensor outside the file');
      } catch (error) {
        if (!(error instanceof InwardError)) throw error;
      }
      if (performance.now() - started > 1000) throw new Error('slow');
    }),
    { numRuns: 2000 },
  );
});

test('flips in the first hundred bytes, where counts and lengths are', () => {
  const original = ggufBytes([['general.architecture', 'string', 'llama']], tensors, data);
  for (let at = 0; at < Math.min(original.length, 160); at++) {
    for (const to of [0, 1, 0x7f, 0x80, 0xff]) {
      const bytes = Buffer.from(original);
      bytes[at] = to;
      try {
        openCheckpoint(folder.write(bytes))[Symbol.dispose]();
      } catch (error) {
        expect(error, `byte ${at} = ${to}`).toBeInstanceOf(InwardError);
      }
    }
  }
});

test.skipIf(process.platform !== 'linux')('file handles are closed after a refusal and after dispose', () => {
  const broken = folder.write(Buffer.from('GGUF'));
  const good = folder.write(ggufBytes([], tensors, data));
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 20; i++) {
    expect(() => openCheckpoint(broken)).toThrow(InwardError);
    const checkpoint = openCheckpoint(good);
    checkpoint[Symbol.dispose]();
    checkpoint[Symbol.dispose]();
    expect(() => checkpoint.read(0, new Uint8Array(1))).toThrow(code('internal'));
  }
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});

import { expect, test } from 'vitest';
import { type Chain, chainPlans, createChain, createInput, multiplyChain, rateOf } from '../../../bench/kernels/chain.ts';
import { chainStorages, encodeBlocks } from '../../../bench/kernels/encode.ts';
import { encodeModel } from '../../../bench/kernels/onnx.ts';
import { relativeError } from '../../../bench/kernels/serve.ts';
import { dequantizeRow } from '../../../kernels/formats.ref.ts';
import { fileRowSize } from '../../../kernels/repack.ts';
import { matvecReference } from '../../../kernels/weights.ref.ts';

const small: Chain = createChain({
  name: 'small',
  shapes: [
    { rows: 64, columns: 96 },
    { rows: 96, columns: 64 },
  ],
  turns: 2,
});

/** Values by the definition of the weights. */
function valuesOf({ rows, columns, codes, scales }: Chain['matrices'][number]): Float64Array[] {
  return Array.from({ length: rows }, (_, row) =>
    Float64Array.from(
      { length: columns },
      (_, column) => ((codes[row * columns + column] ?? 0) - 8) * (scales[Math.floor((row * columns + column) / 32)] ?? 0),
    ),
  );
}

test('a chain fits together, is the same every time, and keeps the size of what goes through it', () => {
  for (const each of chainPlans) {
    const lengths = Array.from({ length: each.turns }, () => each.shapes).flat();
    lengths.forEach(({ rows }, i) => {
      expect(lengths[(i + 1) % lengths.length]?.columns).toBe(rows);
    });
  }
  const again = createChain(small.plan);
  expect(again.matrices).toEqual(small.matrices);
  expect(small.matrices.map(({ rows }) => rows)).toEqual([64, 96, 64, 96]);
  for (const { codes } of small.matrices) expect(codes.every((code) => code >= 1 && code <= 15)).toBe(true);
  const size = (vector: ArrayLike<number>): number => Math.sqrt(Array.from(vector).reduce((sum, value) => sum + value ** 2, 0) / vector.length);
  const x = createInput(96, 1);
  expect(size(multiplyChain(small, x)) / size(x)).toBeGreaterThan(0.3);
  expect(size(multiplyChain(small, x)) / size(x)).toBeLessThan(3);
});

test('the first input vector is the same for every count of vectors', () => {
  expect(createInput(96, 5).subarray(0, 96)).toEqual(createInput(96, 1));
});

test.for(chainStorages)('blocks of %s hold exactly these weights', (storage) => {
  const { matrices } = createChain({ name: 's', shapes: [{ rows: 5, columns: 512, storage }], turns: 1 });
  for (const matrix of matrices) {
    const bytes = encodeBlocks(matrix, storage);
    const size = fileRowSize(storage, 512);
    expect(bytes.length).toBe(5 * size);
    expect(Array.from({ length: 5 }, (_, row) => dequantizeRow(storage, bytes.subarray(row * size, (row + 1) * size), 512))).toEqual(valuesOf(matrix));
  }
});

test('a storage that holds the numbers of no chain is refused', () => {
  expect(() => encodeBlocks(small.matrices[0] as Chain['matrices'][number], 'TQ1_0')).toThrow(/^Expected one of F16, .*, found TQ1_0\.$/);
});

test('blocks of Q4_0 hold exactly these weights, and the truth is their product', () => {
  let vector = Float64Array.from(createInput(96, 1));
  const x = vector;
  for (const matrix of small.matrices) {
    const bytes = encodeBlocks(matrix);
    const size = bytes.length / matrix.rows;
    const rows = Array.from({ length: matrix.rows }, (_, row) => dequantizeRow('Q4_0', bytes.subarray(row * size, (row + 1) * size), matrix.columns));
    expect(rows).toEqual(valuesOf(matrix));
    vector = Float64Array.from(matvecReference(rows, vector));
  }
  expect(relativeError(multiplyChain(small, x), vector)).toBeLessThan(1e-14);
});

test('the error of a row: relative, infinite for another length, NaN for a NaN', () => {
  expect(relativeError([3, 4.5], Float64Array.of(3, 4))).toBeCloseTo(0.1, 12);
  expect(relativeError([3], Float64Array.of(3, 4))).toBe(Number.POSITIVE_INFINITY);
  expect(relativeError([3, Number.NaN], Float64Array.of(3, 4))).toBeNaN();
});

test('rates: bytes of the weights for one vector, operations for more', () => {
  const square = { name: 's', shapes: [{ rows: 32, columns: 64 }], turns: 3 };
  // Three matrices of 64 blocks of 18 bytes; 2 operations a weight and vector; in 2 ms.
  expect(rateOf(square, 1, 2)).toBeCloseTo((3 * 64 * 18) / 2e6, 12);
  expect(rateOf(square, 10, 2)).toBeCloseTo((3 * 2 * 32 * 64 * 10) / 2e6, 12);
});

type Field = readonly [field: number, value: number | Buffer];

/** Protobuf's wire format, types 0 and 2. */
function decode(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? Number.NaN;
      value += (byte & 127) * 2 ** shift;
      if (!(byte & 128)) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag % 8 === 0) fields.push([Math.floor(tag / 8), varint()]);
    else {
      expect(tag % 8).toBe(2);
      const length = varint();
      fields.push([Math.floor(tag / 8), bytes.subarray(at, at + length)]);
      expect(at + length).toBeLessThanOrEqual(bytes.length);
      at += length;
    }
  }
  return fields;
}

const all = (message: readonly Field[], field: number): (number | Buffer)[] => message.filter(([key]) => key === field).map(([, value]) => value);
const inner = (message: readonly Field[], field: number): Field[][] => all(message, field).map((value) => decode(value as Buffer));
const words = (message: readonly Field[], field: number): string[] => all(message, field).map(String);

// Field numbers of onnx.proto; what a node needs is in onnxruntime's description of MatMulNBits.
test('the ONNX model: a chain of nodes, its weights, one input and one output', () => {
  const model = decode(Buffer.from(encodeModel(small, 4)));
  expect(inner(model, 8).map((operators) => [words(operators, 1)[0], all(operators, 2)[0]])).toContainEqual(['com.microsoft', 1]);
  const [graph = []] = inner(model, 7);
  const nodes = inner(graph, 1);
  expect(nodes.map((node) => [words(node, 1), words(node, 2), words(node, 4), words(node, 7)])).toEqual([
    [['x', 'm0 codes', 'm0 scales'], ['y0'], ['MatMulNBits'], ['com.microsoft']],
    [['y0', 'm1 codes', 'm1 scales'], ['y1'], ['MatMulNBits'], ['com.microsoft']],
    [['y1', 'm2 codes', 'm2 scales'], ['y2'], ['MatMulNBits'], ['com.microsoft']],
    [['y2', 'm3 codes', 'm3 scales'], ['y'], ['MatMulNBits'], ['com.microsoft']],
  ]);
  const attributes = inner(nodes[0] ?? [], 5).map((attribute) => [words(attribute, 1)[0], all(attribute, 3)[0], all(attribute, 20)[0]]);
  expect(attributes).toEqual([
    ['K', 96, 2],
    ['N', 64, 2],
    ['bits', 4, 2],
    ['block_size', 32, 2],
    ['accuracy_level', 4, 2],
  ]);
  expect([...inner(graph, 11), ...inner(graph, 12)].map((value) => words(value, 1)[0])).toEqual(['x', 'y']);

  const tensors = new Map(inner(graph, 5).map((tensor) => [words(tensor, 8)[0], tensor]));
  small.matrices.forEach((matrix, index) => {
    const codes = tensors.get(`m${index} codes`) ?? [];
    expect([all(codes, 1), all(codes, 2)]).toEqual([[matrix.rows, matrix.columns / 32, 16], [2]]);
    const packed = all(codes, 9)[0] as Buffer;
    const unpacked = Array.from(packed).flatMap((byte) => [byte & 15, byte >> 4]);
    expect(unpacked).toEqual(Array.from(matrix.codes));
    const scales = tensors.get(`m${index} scales`) ?? [];
    expect([all(scales, 1), all(scales, 2)]).toEqual([[matrix.rows, matrix.columns / 32], [1]]);
    expect(new Float32Array(Uint8Array.from(all(scales, 9)[0] as Buffer).buffer)).toEqual(matrix.scales);
  });
});

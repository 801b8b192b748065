/**
 * Matmul on units that multiply matrices, in its emulated form, which runs here: exact but for f16 where numbers are rounded to it.
 * The native form compiles and binds on the null backend (validate.test.ts) and has been run on no device.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { elementwiseBound, rmsNormReference } from '../../kernels/activations.ref.ts';
import { gatedReference } from '../../kernels/gated.ref.ts';
import { gates } from '../../kernels/gated.ts';
import type { StepCounts } from '../../kernels/kernel.ts';
import { type Finish, matmul } from '../../kernels/matmul.ts';
import type { MatrixUnit } from '../../kernels/matrix_unit.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { matmulF32Bound, matvecReference } from '../../kernels/weights.ref.ts';
import { packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { findDrivers } from '../../runtime/drivers.ts';
import { compare, Gpu, joined, testDevice } from '../gpu.ts';
import { prepareMatmul, widthOf } from '../matmul-case.ts';

const isFull = process.env['INWARD_FULL'] === '1';
const side = (length: 8 | 16, element: MatrixUnit['element']): MatrixUnit => ({ m: length, n: length, k: length, element, form: 'emulated' });
const hasF16 = testDevice() !== 'swiftshader' && findDrivers().some(({ name }) => name === 'lavapipe');
const units: readonly MatrixUnit[] = [side(16, 'f16'), side(8, 'f16'), side(16, 'f32'), side(8, 'f32')];
const layout = { BATCH_LOGIT_TOKENS: 4 };
const counts = (tokens: number, logitRows = 0): StepCounts => ({ tokens, logitRows, items: tokens, clears: 0 });

describe.each(units)('$m x $n x $k of $element', (unit) => {
  const isUnfit = unit.element === 'f16' && !hasF16;
  let gpu: Gpu;
  beforeAll(async () => {
    if (!isUnfit) gpu = await Gpu.create(testDevice(), { family: 'matrix', matrixUnit: unit });
  });
  beforeEach(({ skip }) => skip(isUnfit, 'SwiftShader has no f16'));
  afterAll(() => gpu?.open[Symbol.dispose]());

  const common = (tokens: number) => ({
    offset: 0,
    over: 'tokens' as const,
    batch: gpu.buffer(Uint32Array.of(tokens, 0, 0, 0)),
    lanes: gpu.lanes,
    family: 'matrix' as const,
    matrixUnit: unit,
    layout,
  });
  const round = (value: number): number => (unit.element === 'f16' ? Math.f16round(value) : value);
  /** A row as the kernel rounds it: divided by the power of two below its largest number, which is exact. */
  const rounded = (row: ArrayLike<number>): Float64Array => {
    const scale = 2 ** Math.floor(Math.log2(Math.max(...Array.from(row, Math.abs), 2 ** -100)));
    return Float64Array.from(row, (value) => round(Math.fround(value) / scale) * scale);
  };

  const storages: readonly StorageWithKernels[] = isFull ? (Object.keys(packedStorages) as StorageWithKernels[]) : ['F32', 'Q4_K', 'Q8_0'];
  it.each(
    storages.flatMap((storage, i) =>
      [
        { rows: 1, columns: 32, tokens: 1 },
        { rows: 65, columns: 96, tokens: 33 },
        { rows: 31, columns: 256, tokens: 32 },
      ]
        .filter((_, k) => isFull || k === (i + 1) % 3)
        .map((shape) => ({ storage, ...shape, place: 'buffer' as const })),
    ),
  )('$storage: $rows rows, $columns columns, $tokens tokens, added, twice the same', async (shape) => {
    const { matrix, weights, x } = await prepareMatmul(gpu, shape);
    const { rows, tokens } = shape;
    const stride = Math.ceil((rows + 5) / 4) * 4;
    const to = randomFloats(tokens * stride, 99);
    const results: Float32Array[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const y = gpu.buffer(new Float32Array(to.length));
      const finish: Finish = { kind: 'add', y, to: gpu.buffer(to), stride };
      const operations = matmul(matrix, { ...common(tokens), x: { format: 'f32', vectors: gpu.buffer(joined(x)) }, finish, offset: 4 });
      expect(operations[0]?.variants[4]?.label).toContain('/matrix/');
      await gpu.run(operations, counts(tokens), 4);
      results.push(await gpu.readFloats(y));
    }
    const halves = weights.map((row) => row.map(round));
    const products = x.map((row) => matvecReference(halves, rounded(row)));
    const [first = new Float32Array(), second] = results;
    const expected = Float64Array.from(first, (value, i) => {
      const row = (i % stride) - 4;
      if (row < 0 || row >= Math.ceil(rows / 4) * 4) return 0;
      return row < rows ? (to[i] ?? 0) + (products[Math.floor(i / stride)]?.[row] ?? Number.NaN) : value;
    });
    const { error, message } = compare(first, expected);
    // A weight that f32 and f64 round to different halves is off by 2^-11 of itself, a few in a thousand.
    expect(error, message).toBeLessThan(unit.element === 'f16' ? 1e-8 : matmulF32Bound);
    expect(first.findIndex((value, i) => !Object.is(value, second?.[i]))).toBe(-1);
  });

  it('normed, of rows whose numbers are past f16; zeros stay zero', async () => {
    const { matrix, weights, x } = await prepareMatmul(gpu, { storage: 'Q8_0', place: 'buffer', rows: 41, columns: 128, tokens: 11 });
    const width = widthOf('Q8_0', 128);
    const norm = randomFloats(width, 7);
    const large = x.map((row, token) => row.map((value) => (token === 3 ? 0 : value * 10 ** token)));
    const y = gpu.buffer(new Float32Array(11 * 44));
    const args = { ...common(11), x: { format: 'f32' as const, vectors: gpu.buffer(joined(large)) }, norm: { weight: gpu.uniform(norm), epsilon: 1e-5 } };
    await gpu.run(matmul(matrix, { ...args, finish: { kind: 'store', y, stride: 44 } }), counts(11), 4);
    const got = (await gpu.readFloats(y)).filter((_, i) => i % 44 < 41);
    expect(got.subarray(3 * 41, 4 * 41).every((value) => value === 0)).toBe(true);
    const expected = joined(large.map((row) => matvecReference(weights, rmsNormReference(row, norm, 1e-5))));
    const { error, message } = compare(got, expected);
    expect(error, message).toBeLessThan(unit.element === 'f16' ? 1e-6 : matmulF32Bound);
  });

  it('SwiGLU of gate and up', async () => {
    const { matrix, weights, x } = await prepareMatmul(gpu, { storage: 'Q4_K', place: 'buffer', rows: 2 * 44, columns: 64, tokens: 9, isInterleaved: true });
    const y = gpu.buffer(new Float32Array(9 * 44));
    const quarters = x.map((row) => row.map((value) => value / 4));
    const args = { ...common(9), x: { format: 'f32' as const, vectors: gpu.buffer(joined(quarters)) } };
    await gpu.run(matmul(matrix, { ...args, finish: { kind: 'gated', y, gate: gates.swiglu } }), counts(9), 4);
    const expected = joined(
      quarters.map((row) => {
        const sums = matvecReference(weights, row);
        return gatedReference(sums.subarray(0, 44), sums.subarray(44), gates.swiglu);
      }),
    );
    const { error, message } = compare(await gpu.readFloats(y), expected);
    expect(error, message).toBeLessThan(unit.element === 'f16' ? 1e-5 : elementwiseBound);
  });
});

/**
 * Matmul on units that multiply matrices: in its emulated form, which runs on every device, and on the device's own units where it has
 * such. Exact but for the rounding of numbers to f16 or int8.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { elementwiseBound, int8Reference } from '../../kernels/activations.ref.ts';
import { expertMatmul } from '../../kernels/experts.ts';
import { gatedReference } from '../../kernels/gated.ref.ts';
import { gates } from '../../kernels/gated.ts';
import type { StepCounts } from '../../kernels/kernel.ts';
import { type Finish, matmul } from '../../kernels/matmul.ts';
import type { MatrixUnit } from '../../kernels/matrix_unit.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { type RouterShape, routesLength } from '../../kernels/router.ts';
import { matmulF32Bound, matvecReference } from '../../kernels/weights.ref.ts';
import { type Activations, packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { compare, findUnits, Gpu, joined, testDevice } from '../gpu.ts';
import { prepareMatmul } from '../matmul-case.ts';
import { sampleCases } from '../sample.ts';

const isFull = process.env['INWARD_FULL'] === '1';
const side = (length: 8 | 16, element: MatrixUnit['element']): MatrixUnit => ({ m: length, n: length, k: length, element, form: 'emulated' });
const { hasF16, own: ownUnits } = await findUnits();
const units: readonly MatrixUnit[] = [
  ...[side(16, 'f16'), side(8, 'f16'), side(16, 'f32'), side(8, 'f32')],
  // As NVIDIA, AMD and Intel have them, and the smallest.
  { ...side(16, 'i8'), k: 32 },
  side(16, 'i8'),
  { ...side(8, 'i8'), n: 16, k: 32 },
  { ...side(8, 'i8'), k: 16 },
  ...ownUnits,
];
const storages = Object.keys(packedStorages) as StorageWithKernels[];
const int8Storages = storages.filter((storage) => packedStorages[storage].hasInt8);
const layout = { BATCH_LOGIT_TOKENS: 4 };
const counts = (tokens: number, logitRows = 0): StepCounts => ({ tokens, logitRows, items: tokens, clears: 0, copies: 0 });

describe.each(sampleCases('matrix units', units, 2))('$m x $n x $k of $element, $form', (unit) => {
  const isUnfit = unit.element === 'f16' && !hasF16;
  const isInt8 = unit.element === 'i8';
  const own = isInt8 ? { int8Unit: unit } : { matrixUnit: unit };
  let gpu: Gpu;
  beforeAll(async () => {
    if (!isUnfit) gpu = await Gpu.create(testDevice(), { family: 'matrix', ...own });
  });
  beforeEach(({ skip }) => skip(isUnfit, 'the device has no f16'));
  afterAll(() => gpu?.open[Symbol.dispose]());

  const common = (tokens: number) => ({
    offset: 0,
    over: 'tokens' as const,
    batch: gpu.buffer(Uint32Array.of(tokens, 0, 0, 0)),
    lanes: gpu.lanes,
    family: 'matrix' as const,
    ...own,
    layout,
  });
  const input = (rows: readonly Float32Array[]): Activations => ({ format: isInt8 ? 'int8' : 'f32', vectors: gpu.buffer(joined(rows)) });
  const round = (value: number): number => (unit.element === 'f16' ? Math.f16round(value) : value);
  /** A row as the kernel rounds it: to int8, or divided by the power of two below its largest number, which is exact. */
  const rounded = (row: ArrayLike<number>): Float64Array => {
    if (isInt8) return int8Reference(row);
    const scale = 2 ** Math.floor(Math.log2(Math.max(...Array.from(row, Math.abs), 2 ** -100)));
    return Float64Array.from(row, (value) => round(Math.fround(value) / scale) * scale);
  };

  // Units see no formats: one has them all.
  const some: readonly StorageWithKernels[] = !isInt8 ? ['F32', 'Q4_K', 'Q8_0'] : unit === units[4] ? int8Storages : ['Q5_K', 'Q4_0', 'Q5_1', 'AWQ'];
  it.each(
    (isFull ? (isInt8 ? int8Storages : storages) : some).flatMap((storage, i) =>
      [
        { rows: 1, columns: 32, tokens: 1 },
        { rows: 65, columns: 96, tokens: 33 },
        { rows: 31, columns: 256, tokens: 32 },
        ...(isInt8 ? [{ rows: 64, columns: 64, tokens: 31 }] : []),
      ]
        .filter((_, k, { length }) => isFull || k === (i + 1) % length)
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
      const operations = matmul(matrix, { ...common(tokens), x: input(x), finish, offset: 4 });
      expect(operations[0]?.variants[4]?.label).toContain('/matrix/');
      expect(operations[0]?.variants.map(({ label }) => label.split('/')[2])).toEqual(['f32', 'f32', 'f32', 'f32', isInt8 ? 'int8' : 'f32']);
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

  it('normed, of gathered rows whose numbers are past f16; zeros stay zero', async () => {
    const { matrix, weights, x } = await prepareMatmul(gpu, { storage: isInt8 ? 'Q5_1' : 'Q8_0', place: 'buffer', rows: 41, columns: 128, tokens: 11 });
    const norm = randomFloats(128, 7);
    const large = x.map((row, token) => row.map((value) => (token === 3 ? 0 : value * 10 ** token)));
    const gathered = [10, 3, 0, 5, 6, 7, 1, 9, 4];
    const y = gpu.buffer(new Float32Array(9 * 44));
    const batch = gpu.buffer(Uint32Array.of(11, 9, 0, 0, ...gathered));
    const args = { ...common(11), batch, over: 'logitRows' as const, x: input(large), norm: { weight: gpu.uniform(norm), epsilon: 1e-5 } };
    await gpu.run(matmul(matrix, { ...args, finish: { kind: 'store', y, stride: 44 } }), counts(11, 9), 4);
    const got = (await gpu.readFloats(y)).filter((_, i) => i % 44 < 41);
    expect(got.subarray(41, 2 * 41).every((value) => value === 0)).toBe(true);
    const expected = gathered.map((token) => {
      const row = large[token] ?? new Float32Array();
      const rms = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / 128 + 1e-5);
      const products = matvecReference(
        weights.map((one) => one.map(round)),
        rounded(row.map((value, i) => value * (norm[i] ?? 0))),
      );
      return products.map((value) => value / rms);
    });
    for (const [i, row] of expected.entries()) {
      const { error, message } = compare(got.subarray(i * 41, (i + 1) * 41), row);
      expect(error, message).toBeLessThan(unit.element === 'f16' ? 1e-6 : matmulF32Bound);
    }
  });

  it('SwiGLU of gate and up', async () => {
    const { matrix, weights, x } = await prepareMatmul(gpu, { storage: 'Q4_K', place: 'buffer', rows: 2 * 44, columns: 64, tokens: 9, isInterleaved: true });
    const y = gpu.buffer(new Float32Array(9 * 44));
    const quarters = x.map((row) => row.map((value) => value / 4));
    await gpu.run(matmul(matrix, { ...common(9), x: input(quarters), finish: { kind: 'gated', y, gate: gates.swiglu } }), counts(9), 4);
    const expected = joined(
      quarters.map((row) => {
        const sums = matvecReference(weights, isInt8 ? rounded(row) : row);
        return gatedReference(sums.subarray(0, 44), sums.subarray(44), gates.swiglu);
      }),
    );
    const { error, message } = compare(await gpu.readFloats(y), expected);
    expect(error, message).toBeLessThan(unit.element === 'f16' ? 1e-5 : elementwiseBound);
  });

  if (!isInt8) return;

  it('rows of zeros, of equal numbers, of denormals, of halves, with one huge number', async () => {
    const { matrix, weights } = await prepareMatmul(gpu, { storage: 'Q4_1', place: 'buffer', rows: 40, columns: 96, tokens: 1 });
    const huge = new Float32Array(96).fill(1e-3);
    huge[40] = -3e4;
    const equal = [0, 0.7, 1e-39, -1e-30].map((value) => new Float32Array(96).fill(value));
    const halves = new Float32Array(96).map((_, i) => (i % 32 === 0 ? 127 : (i % 32) - 15.5));
    const crafted = [...equal, huge, halves, new Float32Array(96).map((_, i) => (i < 64 ? 0 : i - 80))];
    const y = gpu.buffer(new Float32Array(crafted.length * 40));
    await gpu.run(matmul(matrix, { ...common(crafted.length), x: input(crafted), finish: { kind: 'store', y, stride: 40 } }), counts(crafted.length), 4);
    const got = await gpu.readFloats(y);
    for (const [token, row] of crafted.entries()) {
      const sums = got.subarray(token * 40, (token + 1) * 40);
      const { error, message } = compare(sums, matvecReference(weights, int8Reference(row)));
      if (token === 0 || token === 2) expect(sums.every((value) => value === 0)).toBe(true);
      else expect(error, message).toBeLessThan(matmulF32Bound);
    }
  });

  it('biased rows of experts: of more tokens than a tile has, of one, of none', async () => {
    const [experts, rows, columns, tokens] = [3, 44, 64, 40];
    const { matrix, weights, x } = await prepareMatmul(gpu, { storage: 'Q5_0', place: 'buffer', rows: experts * rows, columns, tokens });
    const shape: RouterShape = { experts, topK: 1, score: 'softmax', isBiased: false, renormalizes: true, scale: 1 };
    const expertOf = (token: number): number => (token === 17 ? 2 : 0);
    // Ids and weights of choices, where each expert's begin, choices by expert.
    const order = Array.from({ length: tokens }, (_, token) => token).sort((a, b) => expertOf(a) - expertOf(b));
    const routes = new Uint32Array(routesLength(shape, tokens));
    routes.set(Array.from({ length: tokens }, (_, token) => expertOf(token)));
    routes.set([0, tokens - 1, tokens - 1, tokens, ...order], 2 * tokens);
    const y = gpu.buffer(new Float32Array(tokens * rows));
    const bias = randomFloats(experts * rows, 5);
    const operations = expertMatmul(
      { storage: 'Q5_0', rows, columns, shards: matrix.shards.map(({ packed }) => ({ firstExpert: 0, experts, packed })) },
      {
        ...common(tokens),
        ...{ router: shape, routes: gpu.buffer(routes), x: gpu.buffer(joined(x)), rowsAre: 'tokens', bias: gpu.buffer(bias), maxTokens: tokens },
        // The graph multiplies experts by f32; the kernel can do both.
        ...{ matrixUnit: unit, finish: { kind: 'store', y, stride: rows } },
      },
    );
    expect(operations.map(({ variants }) => variants[4]?.file)).toEqual(['matmul_matrix_int8.wgsl']);
    await gpu.run(operations, counts(tokens), 4);
    const expected = x.map((row, token) => {
      const first = expertOf(token) * rows;
      return matvecReference(weights.slice(first, first + rows), int8Reference(row)).map((sum, i) => sum + (bias[first + i] ?? 0));
    });
    const { error, message } = compare(await gpu.readFloats(y), joined(expected));
    expect(error, message).toBeLessThan(matmulF32Bound);
  });
});

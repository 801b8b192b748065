/** The choice of experts, its order, the grouped matmul with every tile, and the weighted sum, against double precision. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rmsNormReference } from '../../kernels/activations.ref.ts';
import { type ExpertMatrix, expertMatmul, expertsSum, needsSort } from '../../kernels/experts.ts';
import { dequantizeRow } from '../../kernels/formats.ref.ts';
import { gatedBound, gatedReference } from '../../kernels/gated.ref.ts';
import { type Gate, gates } from '../../kernels/gated.ts';
import type { Operation, Place, Slice, StepCounts } from '../../kernels/kernel.ts';
import { randomFileRows, randomFloats } from '../../kernels/random.ref.ts';
import { type RouteReference, routerBound, routerReference, routerTableReference } from '../../kernels/router.ref.ts';
import { expertsSort, type RouterShape, router, routerTable, routesLength } from '../../kernels/router.ts';
import { matvecReference } from '../../kernels/weights.ref.ts';
import { isBlockStorage, packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { compare, Gpu, joined } from '../gpu.ts';
import { widthOf } from '../matmul-case.ts';
import { packMatrix } from '../packed.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const isFull = process.env['INWARD_FULL'] === '1';
const layout = { BATCH_LOGIT_TOKENS: 4 };

function counts(tokens: number): StepCounts {
  return { tokens, logitRows: 0, items: 0, clears: 0, copies: 0 };
}

const plain: RouterShape = { experts: 8, topK: 2, score: 'softmax', isBiased: false, renormalizes: true, scale: 1 };
/** As the families have them: Qwen3-MoE, gpt-oss, DeepSeek-V3 with groups, DeepSeek-V2's groups, GLM-5, DeepSeek-V4, and edges. */
const shapes: [string, RouterShape][] = [
  ['softmax of 128, top 8', { ...plain, experts: 128, topK: 8 }],
  ['softmax of 60, top 4, not renormalized', { ...plain, experts: 60, topK: 4, renormalizes: false }],
  ['softmax of 32, top 4', { ...plain, experts: 32, topK: 4 }],
  [
    'sigmoid of 256, top 8, biased, groups',
    { ...plain, experts: 256, topK: 8, score: 'sigmoid', isBiased: true, scale: 2.5, groups: { count: 8, choices: 4, top: 2 } },
  ],
  ['softmax of 160, top 6, groups', { ...plain, experts: 160, topK: 6, renormalizes: false, scale: 16, groups: { count: 8, choices: 3, top: 1 } }],
  ['softmax of 64, top 6, biased', { ...plain, experts: 64, topK: 6, isBiased: true }],
  ['sigmoid of 256, top 8, biased', { ...plain, experts: 256, topK: 8, score: 'sigmoid', isBiased: true, scale: 2.5 }],
  ['sqrtsoftplus of 256, top 6, biased', { ...plain, experts: 256, topK: 6, score: 'sqrtsoftplus', isBiased: true, scale: 1.5 }],
  ['sigmoid of 4, top 1, not renormalized', { ...plain, experts: 4, topK: 1, score: 'sigmoid', renormalizes: false }],
  ['softmax of 4, top 4', { ...plain, experts: 4, topK: 4 }],
  ['softmax of 6, top 2', { ...plain, experts: 6 }],
  ['sigmoid of 7, top 3, biased', { ...plain, experts: 7, topK: 3, score: 'sigmoid', isBiased: true }],
  ['sigmoid of 12, top 3, groups of 4', { ...plain, experts: 12, topK: 3, score: 'sigmoid', isBiased: true, groups: { count: 3, choices: 2, top: 2 } }],
  ['sqrtsoftplus of 36, top 7', { ...plain, experts: 36, topK: 7, score: 'sqrtsoftplus' }],
];

/** Random rows, all equal, all zero, one far above, one far below, denormals, pairs of equal ones. */
function logitRows(experts: number): Float32Array<ArrayBuffer>[] {
  const [above, below] = [randomFloats(experts, 5), randomFloats(experts, 6)];
  above[experts - 1] = 60;
  below[0] = -80;
  return [
    randomFloats(experts, 1, 2),
    randomFloats(experts, 2, 2),
    new Float32Array(experts).fill(1.5),
    new Float32Array(experts),
    above,
    below,
    randomFloats(experts, 7, 1e-40),
    Float32Array.from({ length: experts }, (_, i) => Math.floor(i / 2) % 5),
  ];
}

interface Chosen {
  readonly operations: Operation[];
  readonly routes: Slice;
  readonly expected: RouteReference[][];
}

/** The router's operation for these logits, and what it has to give. */
function choose(shape: RouterShape, logits: readonly Float32Array[], maxTokens: number, place: Place): Chosen {
  const biases = shape.isBiased ? randomFloats(shape.experts, 8, 0.2) : new Float32Array(shape.experts);
  const factors = randomFloats(shape.experts, 9).map((value) => 1 + value / 4);
  const routes = gpu.buffer(new Uint32Array(routesLength(shape, maxTokens)).fill(77));
  // Whole vectors of four; what fills them would be chosen.
  const width = Math.ceil(shape.experts / 4) * 4;
  const filled = (row: Float32Array): Float32Array<ArrayBuffer> => Float32Array.from({ length: width }, (_, i) => row[i] ?? 1000);
  const rows = gpu.vectors(joined(logits.map(filled)), width, place);
  const buffers = { logits: rows, routes, biases: gpu.uniform(filled(biases)), factors: gpu.uniform(filled(factors)) };
  return {
    operations: [router(shape, buffers, maxTokens, gpu.lanes)],
    routes,
    expected: logits.map((row) => routerReference(row, shape, biases, factors)),
  };
}

describe.each(['buffer', 'texture'] as const)('logits in a %s', (place) => {
  it.each(shapes)('%s', async (_, shape) => {
    const logits = logitRows(shape.experts);
    const maxTokens = logits.length + 2;
    const { operations, routes, expected } = choose(shape, logits, maxTokens, place);
    await gpu.run(operations, counts(logits.length));
    const words = await gpu.readWords(routes);
    await gpu.run(operations, counts(logits.length));
    expect(await gpu.readWords(routes)).toEqual(words);
    const weights = new Float32Array(words.buffer, maxTokens * shape.topK * 4);
    for (const [token, choices] of expected.entries()) {
      const own = [token * shape.topK, (token + 1) * shape.topK] as const;
      const ids = [...words.subarray(...own)];
      const got = weights.subarray(...own);
      expect(new Set(ids).size).toBe(shape.topK);
      // Denormals may be flushed to zero, and then are equal: any choice is right.
      if (token === 6) {
        expect(Math.max(...ids)).toBeLessThan(shape.experts);
        expect(got.every(Number.isFinite), `token ${token}: ${got}`).toBe(true);
        continue;
      }
      expect(ids, `token ${token}`).toEqual(choices.map(({ id }) => id));
      const { error, message } = compare(
        got,
        choices.map(({ weight }) => weight),
      );
      expect(error, `token ${token}: ${message}`).toBeLessThan(routerBound);
    }
    expect([...words.subarray(logits.length * shape.topK, maxTokens * shape.topK)].every((word) => word === 77)).toBe(true);
  });
});

/** DeepSeek-V4's, one whose rows end within a vector of four, one choice, and more choices than a workgroup has lanes. */
describe.each(['buffer', 'texture'] as const)('experts by a table, logits in a %s', (place) => {
  it.each([
    ['sqrtsoftplus of 256, top 6', { ...plain, experts: 256, topK: 6, score: 'sqrtsoftplus', isBiased: true, scale: 1.5 }],
    ['sigmoid of 7, top 3', { ...plain, experts: 7, topK: 3, score: 'sigmoid', scale: 2.5 }],
    ['sqrtsoftplus of 4, top 1', { ...plain, experts: 4, topK: 1, score: 'sqrtsoftplus' }],
    ['sqrtsoftplus of 70, top 70', { ...plain, experts: 70, topK: 70, score: 'sqrtsoftplus' }],
  ] as const)('%s', async (_, shape) => {
    const { experts, topK } = shape;
    const logits = logitRows(experts);
    const [tokens, vocabulary] = [logits.length, 5];
    const maxTokens = tokens + 2;
    // Each id has experts in an order of its own; tokens share ids, the last of which is among them.
    const table = Array.from({ length: vocabulary }, (_, id) => Array.from({ length: topK }, (_, choice) => (choice * (experts - 1) + id * 3) % experts));
    const ids = logits.map((_, token) => (token * 4) % vocabulary);
    const routes = gpu.buffer(new Uint32Array(routesLength(shape, maxTokens)).fill(77));
    const width = Math.ceil(experts / 4) * 4;
    const rows = joined(logits.map((row) => Float32Array.from({ length: width }, (_, i) => row[i] ?? 1000)));
    const buffers = {
      logits: gpu.vectors(rows, width, place),
      routes,
      table: gpu.buffer(Uint32Array.from(table.flat())),
      batch: gpu.buffer(Uint32Array.of(tokens, 0, 0, 0, ...ids)),
    };
    await gpu.run([routerTable(shape, buffers, maxTokens, gpu.lanes, { BATCH_IDS: 4 })], counts(tokens));
    const words = await gpu.readWords(routes);
    const weights = new Float32Array(words.buffer, maxTokens * topK * 4);
    for (const [token, row] of logits.entries()) {
      const choices = routerTableReference(row, table[ids[token] ?? 0] ?? [], shape);
      const own = [token * topK, (token + 1) * topK] as const;
      expect([...words.subarray(...own)], `token ${token}`).toEqual(choices.map(({ id }) => id));
      const { error, message } = compare(
        weights.subarray(...own),
        choices.map(({ weight }) => weight),
      );
      expect(error, `token ${token}: ${message}`).toBeLessThan(routerBound);
    }
    // Nothing but choices and weights of these tokens.
    const written = (i: number): boolean => i < tokens * topK || (i >= maxTokens * topK && i < (maxTokens + tokens) * topK);
    expect(words.findIndex((word, i) => word !== 77 && !written(i))).toBe(-1);
  });
});

it.each([
  [4, 1, 1],
  [8, 2, 2],
  [36, 3, 13],
  [256, 8, 65],
])('%i experts, %i of them a token, %i tokens: choices in the order of experts, then of tokens', async (experts, topK, tokens) => {
  const shape = { ...plain, experts, topK };
  const maxTokens = tokens + 3;
  const logits = Array.from({ length: tokens }, (_, token) => randomFloats(experts, token + 1, 2));
  const { operations, routes, expected } = choose(shape, logits, maxTokens, 'buffer');
  const batch = gpu.buffer(Uint32Array.of(tokens, 0, 0, 0));
  await gpu.run([...operations, expertsSort(shape, routes, batch, maxTokens, gpu.lanes, () => true)], counts(tokens));
  const words = await gpu.readWords(routes);
  const ids = expected.flat().map(({ id }) => id);
  const order = Array.from(ids.keys()).sort((a, b) => (ids[a] ?? 0) - (ids[b] ?? 0) || a - b);
  const offsets = Array.from({ length: experts + 1 }, (_, expert) => ids.filter((id) => id < expert).length);
  const first = 2 * maxTokens * topK;
  expect([...words.subarray(first, first + experts + 1)]).toEqual(offsets);
  expect([...words.subarray(first + experts + 1, first + experts + 1 + ids.length)]).toEqual(order);
  expect([...words.subarray(first + experts + 1 + ids.length)].every((word) => word === 77)).toBe(true);
});

interface Experts {
  readonly matrix: ExpertMatrix;
  /** [expert][row] */
  readonly weights: readonly Float64Array[][];
}

/** Experts in shards of these many. */
async function makeExperts(storage: StorageWithKernels, rows: number, columns: number, shards: readonly number[], place: Place): Promise<Experts> {
  const experts = shards.reduce((sum, count) => sum + count, 0);
  const file = randomFileRows(storage, experts * rows, columns, rows * columns);
  const rowSize = file.byteLength / experts / rows;
  const made = [];
  let firstExpert = 0;
  for (const count of shards) {
    const part = file.subarray(firstExpert * rows * rowSize, (firstExpert + count) * rows * rowSize);
    const { shards: planes } = await packMatrix(gpu, storage, part, count * rows, columns, { isWhole: true, place });
    const packed = planes[0]?.packed;
    if (packed === undefined) throw new Error('no plane');
    made.push({ firstExpert, experts: count, packed });
    firstExpert += count;
  }
  const row = (i: number): Float64Array => dequantizeRow(storage, file.subarray(i * rowSize, (i + 1) * rowSize), columns);
  return {
    matrix: { storage, rows, columns, shards: made },
    weights: Array.from({ length: experts }, (_, expert) => Array.from({ length: rows }, (__, i) => row(expert * rows + i))),
  };
}

interface Case {
  readonly storage: StorageWithKernels;
  readonly shards: readonly number[];
  readonly topK: number;
  readonly tokens: number;
  readonly place: Place;
  readonly gate?: Gate;
  readonly isBiased?: boolean;
  readonly isNormed?: boolean;
  /** Logits of every token are these; else random. */
  readonly logits?: readonly number[];
}

/** Gate and up, then down, then the sum, of every token; on the device (twice) and in double precision. */
async function runExperts({ storage, shards, topK, tokens, place, gate = gates.swiglu, isBiased, isNormed, logits }: Case): Promise<void> {
  const columns = widthOf(storage, 32);
  const hiddenLength = columns;
  const width = 44;
  const gateAndUp = await makeExperts(storage, 2 * hiddenLength, columns, shards, place);
  const down = await makeExperts(storage, width, hiddenLength, shards, place);
  const experts = gateAndUp.weights.length;
  const shape: RouterShape = { ...plain, experts, topK };
  const maxTokens = tokens + 1;
  const rows = Array.from({ length: tokens }, (_, token) => Float32Array.from(logits ?? randomFloats(experts, token + 40, 2)));
  const { operations, routes, expected } = choose(shape, rows, maxTokens, place);
  const x = Array.from({ length: tokens }, (_, token) => randomFloats(columns, token + 1, 0.25));
  const normWeight = randomFloats(columns, 21);
  const [firstBias, secondBias] = [randomFloats(experts * 2 * hiddenLength, 22), randomFloats(experts * width, 23)];
  const residual = Array.from({ length: tokens }, (_, token) => randomFloats(width, token + 60));

  const vectors = (length: number, count: number): ReturnType<typeof gpu.vectors> => gpu.vectors(new Float32Array(length * count).fill(5), length, place);
  const [hidden, outputs, y, again] = [
    vectors(hiddenLength, maxTokens * topK),
    vectors(width, maxTokens * topK),
    vectors(width, maxTokens),
    vectors(width, maxTokens),
  ];
  const batch = gpu.buffer(Uint32Array.of(tokens, 0, 0, 0, 0, 0, 0, 0));
  const common = { router: shape, routes, batch, maxTokens, lanes: gpu.lanes, layout };
  const norm = isNormed ? { weight: gpu.uniform(normWeight), epsilon: 1e-5 } : undefined;
  const bias = (values: Float32Array): Slice | undefined => (isBiased ? gpu.buffer(values) : undefined);
  const input = gpu.vectors(joined(x), columns, place);
  const steps = [
    ...operations,
    expertsSort(shape, routes, batch, maxTokens, gpu.lanes, needsSort(shape, { lanes: gpu.lanes })),
    ...expertMatmul(gateAndUp.matrix, { ...common, x: input, rowsAre: 'tokens', norm, finish: { kind: 'gated', y: hidden, gate }, bias: bias(firstBias) }),
    ...expertMatmul(down.matrix, { ...common, x: hidden, rowsAre: 'choices', finish: { kind: 'store', y: outputs, stride: width }, bias: bias(secondBias) }),
  ];
  const to = gpu.vectors(joined(residual), width, place);
  for (const target of [y, again]) await gpu.run([...steps, expertsSum({ ...common, x: outputs, y: target, to, columns: width })], counts(tokens));

  const isUp = (row: number): boolean => Math.floor(row / 4) % 2 === 1;
  const sums = (weights: readonly Float64Array[], row: ArrayLike<number>, added: Float32Array, expert: number): Float64Array =>
    matvecReference(weights, row).map((sum, i) => sum + (isBiased ? (added[expert * weights.length + i] ?? 0) : 0));
  const wanted = x.map((row, token) => {
    const normed = isNormed ? rmsNormReference(row, normWeight, 1e-5) : row;
    const total = Float64Array.from(residual[token] ?? []);
    for (const { id, weight } of expected[token] ?? []) {
      const both = sums(gateAndUp.weights[id] ?? [], normed, firstBias, id);
      const inner = gatedReference(
        both.filter((_, i) => !isUp(i)),
        both.filter((_, i) => isUp(i)),
        gate,
      );
      const outer = sums(down.weights[id] ?? [], inner, secondBias, id);
      for (const [i, value] of outer.entries()) total[i] = (total[i] ?? 0) + weight * value;
    }
    return total;
  });
  const got = await gpu.readVectors(y);
  expect(await gpu.readVectors(again)).toEqual(got);
  const { error, message } = compare(got.subarray(0, tokens * width), joined(wanted));
  expect(error, message).toBeLessThan(gatedBound);
  for (const [rest, used] of [
    [got, tokens * width],
    [await gpu.readVectors(hidden), tokens * topK * hiddenLength],
    [await gpu.readVectors(outputs), tokens * topK * width],
  ] as const)
    expect([...rest.subarray(used)].every((value) => value === 5)).toBe(true);
}

const base: Omit<Case, 'place'> = { storage: 'Q4_1', shards: [4], topK: 2, tokens: 1 };

describe('experts', () => {
  // Tiles of 1, 2, 4 and 8 choices, below, at and above where each begins.
  it.each([1, 2, 7, 8, 16, 31, 32, 45])('%i tokens', async (tokens) => {
    await runExperts({ ...base, tokens, place: gpu.open.place });
  });

  it.each([1, 9])('%i tokens, where the device reads slower', async (tokens) => {
    await runExperts({ ...base, tokens, place: gpu.open.place === 'buffer' ? 'texture' : 'buffer' });
  });

  it.each([1, 40])('one that all of %i tokens chose, two that none did', async (tokens) => {
    await runExperts({ ...base, tokens, place: gpu.open.place, logits: [-50, 3, 1, -50] });
  });

  it.each([1, 40])('normed, with biases, the gate of gpt-oss, in three shards, %i tokens', async (tokens) => {
    await runExperts({ ...base, shards: [3, 4, 1], tokens, place: gpu.open.place, gate: gates.gptOss, isBiased: true, isNormed: true });
  });

  // Those of several tensors become planes of the same kinds (stored.gpu.test.ts), and no family has experts in them yet.
  const storages = (Object.keys(packedStorages) as StorageWithKernels[]).filter(isBlockStorage);
  it.each(isFull ? storages : (['MXFP4', 'Q6_K'] as const))('%s', async (storage) => {
    await runExperts({ ...base, storage, tokens: 2, topK: 3, place: gpu.open.place });
    if (isFull) await runExperts({ ...base, storage, tokens: 40, topK: 3, place: gpu.open.place });
  });
});

it('the sum of choices that is added to nothing', async () => {
  const shape = { ...plain, experts: 4, topK: 3 };
  const words = new Uint32Array(routesLength(shape, 3));
  const weights = new Float32Array(words.buffer);
  weights.set([0.5, 0.25, -1, 2, 0, 1], 9);
  const x = randomFloats(9 * 100, 3);
  const y = gpu.vectors(new Float32Array(300).fill(4), 100, 'texture');
  const args = { router: shape, routes: gpu.buffer(words), x: gpu.vectors(x, 100, 'texture'), y, columns: 100, maxTokens: 3, lanes: gpu.lanes };
  await gpu.run([expertsSum(args)], counts(2));
  const at = (choice: number, i: number): number => (weights[9 + choice] ?? 0) * (x[choice * 100 + i] ?? 0);
  const expected = Float64Array.from({ length: 200 }, (_, i) => [0, 1, 2].reduce((sum, c) => sum + at(3 * Math.floor(i / 100) + c, i % 100), 0));
  const got = await gpu.readVectors(y);
  const { error, message } = compare(got.subarray(0, 200), expected);
  expect(error, message).toBeLessThan(1e-13);
  expect([...got.subarray(200)].every((value) => value === 4)).toBe(true);
});

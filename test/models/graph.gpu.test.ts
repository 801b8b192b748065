/** The methods of the graph that no family uses yet, as one forward pass against double precision: what each passes on, and which rows it gives back. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rmsNormReference } from '../../kernels/activations.ref.ts';
import type { ExpertMatrix } from '../../kernels/experts.ts';
import { dequantizeRow } from '../../kernels/formats.ref.ts';
import { activationReference, gatedReference } from '../../kernels/gated.ref.ts';
import { gates } from '../../kernels/gated.ts';
import type { Place, Slice } from '../../kernels/kernel.ts';
import { layerNormReference } from '../../kernels/norms.ref.ts';
import { randomFileRows, randomFloats } from '../../kernels/random.ref.ts';
import { routerReference } from '../../kernels/router.ref.ts';
import type { RouterShape } from '../../kernels/router.ts';
import { maskLength, resultLength } from '../../kernels/sample.ts';
import { matvecReference } from '../../kernels/weights.ref.ts';
import { Graph, type LoadedMatrix } from '../../models/graph.ts';
import { wholeBuffer } from '../../runtime/memory.ts';
import { Batch } from '../../runtime/scheduling/batch.ts';
import { compare, Gpu } from '../gpu.ts';
import { packMatrix } from '../packed.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const width = 32;
const vocabulary = 45;
const epsilon = 1e-6;
const shape: RouterShape = { experts: 4, topK: 2, score: 'sigmoid', isBiased: true, renormalizes: true, scale: 1.5 };

interface Made {
  readonly matrix: LoadedMatrix;
  readonly experts: ExpertMatrix;
  readonly weights: readonly Float64Array[];
}

/** A matrix of Q4_1, also as one of `shape.experts` experts. */
async function make(rows: number, seed: number, place: Place): Promise<Made> {
  const file = randomFileRows('Q4_1', rows, width, seed);
  const rowSize = file.byteLength / rows;
  const packed = await packMatrix(gpu, 'Q4_1', file, rows, width, { isWhole: true, place });
  const [shard] = packed.shards;
  if (shard === undefined) throw new Error('no shard');
  return {
    matrix: { rows, columns: width, isInterleaved: true, pieces: [{ firstRow: 0, matrix: packed }] },
    experts: { storage: 'Q4_1', rows: rows / shape.experts, columns: width, shards: [{ firstExpert: 0, experts: shape.experts, packed: shard.packed }] },
    weights: Array.from({ length: rows }, (_, row) => dequantizeRow('Q4_1', file.subarray(row * rowSize, (row + 1) * rowSize), width)),
  };
}

/** A vector for a norm or a bias. */
function vector(length: number, seed: number): { values: Float32Array<ArrayBuffer>; slice: Slice } {
  const values = randomFloats(length, seed);
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = gpu.memory.create('weights', 'test', values.byteLength, usage);
  gpu.open.device.queue.writeBuffer(buffer, 0, values);
  return { values, slice: wholeBuffer(buffer) };
}

function createGraph(batch: Batch, batchSlice: Slice, place: Place): Graph {
  return new Graph({
    lanes: gpu.lanes,
    layout: batch.layout,
    activations: 'f32',
    kv: 'f32',
    ...{ maxTokens: 4, maxLogitRows: 3, maxItems: 4, maxEdits: 1, maxCopies: 2, contextLength: 64, blockLength: 16, pools: [] },
    batch: batchSlice,
    create: (owner, label, size, data) => {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      const buffer = gpu.memory.create(owner, label, size + 64, usage);
      gpu.open.device.queue.writeBuffer(buffer, 0, (data?.() ?? new Float32Array(size / 4)) as Float32Array<ArrayBuffer>);
      // What gpu.read looks for behind a slice.
      gpu.open.device.queue.writeBuffer(buffer, size, new Uint32Array(16).fill(0x5eed5eed));
      return { buffer, offset: 0, size };
    },
    createRows: (label, rows, columns) => gpu.memory.createVectors('activations', label, place, columns / 4, rows),
  });
}

function sum(a: ArrayLike<number>, b: ArrayLike<number>, scale = 1): Float64Array {
  return Float64Array.from(a, (value, i) => value + scale * (b[i] ?? 0));
}

it('embedding, router, experts, dense layers with biases, norms, capped logits, masks', async () => {
  const { place } = gpu.open;
  const limits = { maxTokens: 4, maxSequences: 2, maxLogitRows: 3, contextLength: 64, blockCount: 8, blockLength: 16, maxEdits: 1 };
  const batch = new Batch(limits);
  // One token with two rows of logits, of which one is masked: the smallest tiles, which compile fastest.
  const ids = [44];
  const logitTokens = [0, 0];
  const allowed = [3, 33, 44];
  batch.words.set([ids.length, logitTokens.length]);
  batch.words.set(ids, batch.layout['BATCH_IDS']);
  batch.words.set(logitTokens, batch.layout['BATCH_LOGIT_TOKENS']);
  batch.words.set([1, 0], batch.layout['BATCH_MASKED']);
  const graph = createGraph(batch, gpu.buffer(batch.words), place);
  const [table, routing, gateAndUp, down, wide, back, across] = [
    await make(vocabulary, 1, place),
    await make(shape.experts, 2, place),
    await make(shape.experts * 2 * width, 3, place),
    await make(shape.experts * width, 4, place),
    await make(width, 5, place),
    await make(width, 6, place),
    await make(2 * width, 7, place),
  ];
  const [first, second, mean, meanBias, after, last] = [10, 11, 12, 13, 14, 15].map((seed) => vector(width, seed));
  const [wideBias, backBias, acrossBias, downBias, selection, factors, logitBias] = [
    ...[vector(width, 16), vector(width, 17), vector(2 * width, 18), vector(shape.experts * width, 19)],
    ...[vector(shape.experts, 20), vector(shape.experts, 21), vector(Math.ceil(vocabulary / 4) * 4, 22)],
  ];
  if (!first || !second || !mean || !meanBias || !after || !last || !wideBias || !backBias || !acrossBias || !downBias || !selection || !factors || !logitBias)
    throw new Error('no vectors');

  const norm = (of: { slice: Slice }) => ({ weight: of.slice, epsilon });
  let x = graph.embed(table.matrix, { scale: 0.5 });
  const more = { selectionBias: selection.slice, factors: factors.slice, downBias: downBias.slice };
  const router = { matrix: routing.matrix, norm: norm(first) };
  x = graph.experts(x, { shape, router, norm: norm(second), gate: gates.swiglu, gateAndUp: gateAndUp.experts, down: down.experts, to: x, ...more });
  const centred = graph.norm('centred', x, { kind: 'layer', weight: mean.slice, bias: meanBias.slice, epsilon }, width);
  const inner = graph.linear('inner', wide.matrix, centred, { bias: wideBias.slice, activation: 'gelu' });
  x = graph.addLinear(x, back.matrix, inner, { bias: backBias.slice, scale: 0.5 });
  const hidden = graph.gated(x, undefined, across.matrix, gates.gegluTanh, acrossBias.slice);
  x = graph.addNormed(x, hidden, { kind: 'rms', ...norm(after) }, width, 0.75);
  graph.choose(x, norm(last), table.matrix, { scale: 0.25, softCap: 3, bias: logitBias.slice });
  const { masks, rows } = graph.results;
  const mask = new Uint32Array(3 * maskLength(vocabulary));
  for (const id of allowed) mask[Math.floor(id / 32)] = (mask[Math.floor(id / 32)] ?? 0) | (1 << (id % 32));
  gpu.open.device.queue.writeBuffer(masks.buffer, masks.offset, mask);
  await gpu.run(graph.operations, { tokens: ids.length, logitRows: logitTokens.length, items: 0, clears: 0, copies: 0 });

  const isUp = (row: number): boolean => Math.floor(row / 4) % 2 === 1;
  const halves = (sums: Float64Array): [Float64Array, Float64Array] => [sums.filter((_, i) => !isUp(i)), sums.filter((_, i) => isUp(i))];
  const expected = logitTokens.map((token) => {
    const h0 = (table.weights[ids[token] ?? 0] ?? new Float64Array()).map((value) => value / 2);
    const choices = routerReference(matvecReference(routing.weights, rmsNormReference(h0, first.values, epsilon)), shape, selection.values, factors.values);
    let h: Float64Array = h0;
    for (const { id, weight } of choices) {
      const sums = matvecReference(gateAndUp.weights.slice(id * 2 * width, (id + 1) * 2 * width), rmsNormReference(h0, second.values, epsilon));
      const out = matvecReference(down.weights.slice(id * width, (id + 1) * width), gatedReference(...halves(sums), gates.swiglu));
      h = sum(h, sum(out, downBias.values.subarray(id * width)), weight);
    }
    const dense = sum(matvecReference(wide.weights, layerNormReference(h, mean.values, meanBias.values, epsilon)), wideBias.values);
    const gelu = dense.map((value) => activationReference('gelu', value));
    h = sum(h, sum(matvecReference(back.weights, gelu), backBias.values), 0.5);
    const gated = gatedReference(...halves(sum(matvecReference(across.weights, h), acrossBias.values)), gates.gegluTanh);
    h = sum(h, rmsNormReference(gated, after.values, epsilon)).map((value) => value * 0.75);
    const sums = sum(matvecReference(table.weights, rmsNormReference(h, last.values, epsilon)), logitBias.values);
    return sums.map((value) => 3 * Math.tanh(value / 4 / 3));
  });
  const results = await gpu.readWords(rows);
  const best = (values: Float64Array, among: readonly number[]): number | undefined => among.toSorted((a, b) => (values[b] ?? 0) - (values[a] ?? 0))[0];
  expect(results[0]).toBe(best(expected[0] ?? new Float64Array(), allowed));
  expect(results[resultLength]).toBe(
    best(
      expected[1] ?? new Float64Array(),
      Array.from({ length: vocabulary }, (_, id) => id),
    ),
  );
  // The masked row's other logits are gone; the second row has all of its own.
  const got = await gpu.readFloats(graph.results.logits);
  const stride = Math.ceil(vocabulary / 4) * 4;
  const masked = compare(
    allowed.map((id) => got[id] ?? Number.NaN),
    allowed.map((id) => expected[0]?.[id] ?? 0),
  );
  expect(masked.error, masked.message).toBeLessThan(1e-10);
  const whole = compare(got.subarray(stride, stride + vocabulary), expected[1] ?? []);
  expect(whole.error, whole.message).toBeLessThan(1e-10);
});

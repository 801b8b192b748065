/** The gated delta rule over sequences that stand at different places, cut into steps in several ways; gates of heads; clearing of states. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeltaToken, type DeltaWeights, deltaBound, deltaReference, gatedHeadReference } from '../../kernels/delta.ref.ts';
import { clearStates, type DeltaShape, deltaChannels, deltaInputLength, deltaRow, deltaRule, deltaStateLength } from '../../kernels/delta.ts';
import { activationReference } from '../../kernels/gated.ref.ts';
import { gatedHeads, type HeadGates } from '../../kernels/gated_heads.ts';
import type { Place } from '../../kernels/kernel.ts';
import { normBound } from '../../kernels/norms.ref.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { Batch } from '../../runtime/scheduling/batch.ts';
import { Sequence } from '../../runtime/scheduling/sequence.ts';
import type { BlockId } from '../../runtime/types.ts';
import { firstDifference } from '../engine-run.ts';
import { compare, Gpu, joined } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const blockCount = 5;
const limits = { maxTokens: 40, maxSequences: 4, maxLogitRows: 1, contextLength: 64, blockCount: 8, blockLength: 16, maxEdits: 0 };
const silent = { event: () => undefined, fail: () => undefined };
/** What nothing has written yet: no number, so that whoever reads it shows. */
const poison = 0x7fc0_7fc0;

const plain = { taps: 4, grouped: 'no', isTiled: false } as const;
interface Kind {
  readonly shape: DeltaShape;
  readonly place: Place;
}
const kinds: readonly Kind[] = [
  { shape: { ...plain, keyHeads: 2, valueHeads: 4, keyLength: 16, valueLength: 16 }, place: 'texture' },
  { shape: { ...plain, keyHeads: 2, valueHeads: 4, keyLength: 16, valueLength: 16, grouped: 'all' }, place: 'buffer' },
  { shape: { ...plain, keyHeads: 4, valueHeads: 12, keyLength: 4, valueLength: 8, isTiled: true }, place: 'buffer' },
  // Quads of rows that no number of lanes divides; each head with a key of its own; a short convolution.
  { shape: { ...plain, keyHeads: 4, valueHeads: 4, keyLength: 36, valueLength: 20, taps: 2, grouped: 'rates' }, place: 'texture' },
  { shape: { ...plain, keyHeads: 1, valueHeads: 4, keyLength: 128, valueLength: 128 }, place: 'texture' },
];

/** Two sequences; the second has nothing to do in the first step of some cuts. */
const lengths = [19, 8];
/** Tokens of each sequence, step by step. */
const cuts: readonly (readonly (readonly number[])[])[] = [
  [[19, 8]],
  [
    [7, 1],
    [2, 0],
    [1, 6],
    [9, 1],
  ],
  Array.from({ length: 19 }, (_, i) => [1, i < 8 ? 1 : 0]),
];

interface Layer {
  readonly weights: DeltaWeights;
  readonly sequences: readonly (readonly DeltaToken[])[];
}

function createLayer(shape: DeltaShape): Layer {
  const { valueHeads, taps } = shape;
  const channels = deltaChannels(shape);
  return {
    weights: {
      taps: randomFloats(channels * taps, 1, 0.7),
      // From what forgets at once to what hardly does.
      rates: randomFloats(valueHeads, 2).map((value, i) => -Math.exp(value - i)),
      rateBiases: randomFloats(valueHeads, 3),
    },
    sequences: lengths.map((length, s) =>
      Array.from({ length }, (_, t) => ({
        channels: randomFloats(channels, 100 * s + t + 10),
        betas: randomFloats(valueHeads, 100 * s + t + 300),
        rates: randomFloats(valueHeads, 100 * s + t + 500, 3),
      })),
    ),
  };
}

/** A row of projections of one token. */
function rowOf(shape: DeltaShape, { channels, betas, rates }: DeltaToken): Float32Array {
  const { keyHeads, keyLength, valueHeads, valueLength } = shape;
  const places = deltaRow(shape);
  const row = new Float32Array(places.length).fill(9);
  const group = valueHeads / keyHeads;
  const put = (part: { readonly start: number; readonly pitch: number }, values: ArrayLike<number>, first: number, size: number): void => {
    for (let i = 0; i < keyHeads * size; i++) row[part.start + Math.floor(i / size) * part.pitch + (i % size)] = values[first + i] ?? Number.NaN;
  };
  put(places.query, channels, 0, keyLength);
  put(places.key, channels, keyHeads * keyLength, keyLength);
  put(places.value, channels, 2 * keyHeads * keyLength, group * valueLength);
  put(places.beta, betas, 0, group);
  put(places.rate, rates, 0, group);
  return row;
}

/** Runs the sequences by these steps; gives y of each token of each, and the state at the end. */
async function runSteps(
  { shape, place }: Kind,
  { weights, sequences }: Layer,
  steps: (typeof cuts)[number],
): Promise<{ y: Float32Array[][]; state: Uint32Array }> {
  const batch = new Batch(limits);
  const width = shape.valueHeads * shape.valueLength;
  const all = sequences.map((tokens, i) => {
    const sequence = new Sequence({ promptIds: new Uint32Array(tokens.length), maxTokens: 1 }, 64, silent);
    sequence.blocks = [1, 2, 3] as BlockId[];
    sequence.state = ([3, 1] as BlockId[])[i];
    return sequence;
  });
  const state = gpu.buffer(new Uint32Array(blockCount * deltaStateLength(shape)).fill(poison));
  const fixed = {
    state,
    taps: gpu.buffer(Float32Array.from(weights.taps)),
    rates: gpu.uniform(Float32Array.from(weights.rates)),
    rateBiases: gpu.uniform(Float32Array.from(weights.rateBiases)),
  };
  const found: Float32Array[][] = sequences.map(() => []);
  for (const counts of steps) {
    batch.reset();
    const taken = all.flatMap((sequence, i) => {
      const count = counts[i] ?? 0;
      const first = sequence.computed;
      if (count > 0) batch.addTokens(sequence, count);
      sequence.computed += count;
      return (sequences[i] ?? []).slice(first, first + count).map((token) => ({ i, row: rowOf(shape, token) }));
    });
    const rows = gpu.vectors(joined(taken.map(({ row }) => row)), deltaRow(shape).length, place);
    const inputs = gpu.vectors(new Float32Array((taken.length + 1) * deltaInputLength(shape)).fill(9), deltaInputLength(shape), place);
    const y = gpu.vectors(new Float32Array((taken.length + 1) * width).fill(9), width, place);
    const buffers = { ...fixed, rows, inputs, y, batch: gpu.buffer(batch.seal()) };
    await gpu.run(deltaRule(shape, buffers, { lanes: gpu.lanes, layout: batch.layout }), batch.counts);
    const values = await gpu.readVectors(y);
    for (const [t, { i }] of taken.entries()) found[i]?.push(values.slice(t * width, (t + 1) * width));
    expect(values.subarray(taken.length * width).every((value) => value === 9)).toBe(true);
  }
  return { y: found, state: await gpu.readWords(state) };
}

describe.each(kinds)('$shape.keyHeads keys of $shape.keyLength, $shape.valueHeads values of $shape.valueLength in a $place', (kind) => {
  it('gives what the formulas give, and the same bits however the tokens are cut into steps', async () => {
    const layer = createLayer(kind.shape);
    const whole = await runSteps(kind, layer, cuts[0] ?? []);
    for (const [i, tokens] of layer.sequences.entries()) {
      const { error, message } = compare(
        joined(whole.y[i] ?? []),
        deltaReference(kind.shape, layer.weights, tokens).flatMap((row) => [...row]),
      );
      expect(error, `sequence ${i}: ${message}`).toBeLessThan(deltaBound);
    }
    for (const steps of cuts.slice(1)) {
      const found = await runSteps(kind, layer, steps);
      expect(firstDifference(found.y.flat(), whole.y.flat())).toBeUndefined();
      // Bit for bit; toEqual takes seconds for so many numbers.
      expect(Buffer.compare(Buffer.from(found.state.buffer), Buffer.from(whole.state.buffer))).toBe(0);
    }
    // Blocks of others stay as they are, and those of the sequences are numbers throughout.
    const length = deltaStateLength(kind.shape);
    const poisoned = Array.from(
      { length: blockCount },
      (_, block) => whole.state.subarray(block * length, (block + 1) * length).filter((word) => word === poison).length,
    );
    expect(poisoned).toEqual([length, 0, length, 0, length]);
  });
});

it('parts of a row stand where the files of each family have them', () => {
  // Two key heads with two value heads each, by hand: [q 16 | k 16 | v 32 | z 32] of each key head, then [b 2 | a 2].
  const shape = { ...plain, keyHeads: 2, valueHeads: 4, keyLength: 16, valueLength: 16 };
  expect(deltaRow({ ...shape, grouped: 'all' })).toEqual({
    ...{ query: { start: 0, pitch: 96 }, key: { start: 16, pitch: 96 }, value: { start: 32, pitch: 96 }, gate: { start: 64, pitch: 96 } },
    ...{ beta: { start: 192, pitch: 4 }, rate: { start: 194, pitch: 4 }, length: 200 },
  });
  const apart = { query: { start: 0, pitch: 16 }, key: { start: 32, pitch: 16 }, value: { start: 64, pitch: 32 }, gate: { start: 128, pitch: 32 } };
  expect(deltaRow(shape)).toEqual({ ...apart, beta: { start: 192, pitch: 2 }, rate: { start: 196, pitch: 2 }, length: 200 });
  expect(deltaRow({ ...shape, grouped: 'rates' })).toEqual({ ...apart, beta: { start: 192, pitch: 4 }, rate: { start: 194, pitch: 4 }, length: 200 });
  expect(deltaStateLength(shape)).toBe(4 * 16 * 16 + 3 * 128);
});

it('clear_states zeroes the blocks that are named and no other', async () => {
  for (const length of [4, 516, 10_004]) {
    const batch = new Batch(limits);
    const state = gpu.buffer(new Uint32Array(blockCount * length).fill(poison));
    for (const block of [4, 0]) batch.addStateClear(block);
    const operation = clearStates(length, state, gpu.buffer(batch.seal()), { lanes: gpu.lanes, layout: batch.layout });
    await gpu.run([operation], batch.counts);
    const words = await gpu.readWords(state);
    for (let block = 0; block < blockCount; block++) {
      const own = words.subarray(block * length, (block + 1) * length);
      expect(own.every((word) => word === (block === 4 || block === 0 ? 0 : poison))).toBe(true);
    }
  }
});

describe.each(['buffer', 'texture'] as const)('gates of heads in a %s', (place) => {
  it.each<[string, HeadGates, boolean]>([
    ['the norm and gates of a grouped delta rule', { heads: 6, headLength: 36, activation: 'silu', rowLength: 400, start: 40, pitch: 120, group: 2 }, true],
    ['one gate for a whole row', { heads: 1, headLength: 96, activation: 'sigmoid', rowLength: 4, start: 0, pitch: 0, group: 1, isShared: true }, false],
    ['gates beside each query head', { heads: 3, headLength: 64, activation: 'sigmoid', rowLength: 500, start: 64, pitch: 128, group: 1 }, false],
  ])('%s', async (_, shape, isNormed) => {
    const { heads, headLength, rowLength, start, pitch, group, activation } = shape;
    const tokens = 3;
    const x = randomFloats(tokens * heads * headLength, 1);
    const gates = randomFloats(tokens * rowLength, 2, 3);
    const norm = isNormed ? { weights: randomFloats(headLength, 3), epsilon: 1e-6 } : undefined;
    const width = heads * headLength;
    const y = gpu.vectors(new Float32Array((tokens + 1) * width).fill(9), width, place);
    const buffers = { x: gpu.vectors(x, width, place), gates: gpu.vectors(gates, rowLength, place), y };
    const operation = gatedHeads(shape, { ...buffers, norm: norm && { weight: gpu.uniform(norm.weights), epsilon: norm.epsilon } }, gpu.lanes);
    await gpu.run([operation], { tokens, logitRows: 0, items: 0, clears: 0, copies: 0 });
    const expected: number[] = [];
    for (let token = 0; token < tokens; token++)
      for (let head = 0; head < heads; head++) {
        const at = token * width + head * headLength;
        const gate = token * rowLength + start + Math.floor(head / group) * pitch + (head % group) * headLength;
        const activate = (value: number): number => activationReference(activation, value);
        const own = shape.isShared ? new Float32Array(headLength).fill(gates[gate] ?? 0) : gates.subarray(gate, gate + headLength);
        expected.push(...gatedHeadReference(x.subarray(at, at + headLength), own, activate, norm));
      }
    const found = await gpu.readVectors(y);
    const { error, message } = compare(found.subarray(0, tokens * width), expected);
    expect(error, message).toBeLessThan(normBound);
    expect(found.subarray(tokens * width).every((value) => value === 9)).toBe(true);
  });
});

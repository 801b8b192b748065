import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AttentionShape, clearBlocks } from '../../kernels/attention.ts';
import { type SampleReference, sampleDistribution } from '../../kernels/sample.ref.ts';
import { sample } from '../../kernels/sample.ts';
import { Gpu, random, randomFloats } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const most = 2048;
const layout = {
  BATCH_TEMPERATURES: 4,
  BATCH_TOP_KS: 4 + most,
  BATCH_TOP_PS: 4 + 2 * most,
  BATCH_SEEDS: 4 + 3 * most,
  BATCH_DRAWS: 4 + 4 * most,
};

interface Row extends SampleReference {
  readonly seed: number;
  readonly draw: number;
}

async function draw(logits: readonly Float32Array[], rows: readonly Row[]): Promise<Uint32Array> {
  const words = new Uint32Array(4 + 5 * most);
  const floats = new Float32Array(words.buffer);
  words[1] = rows.length;
  rows.forEach((row, i) => {
    floats[layout.BATCH_TEMPERATURES + i] = row.temperature;
    words[layout.BATCH_TOP_KS + i] = row.topK;
    floats[layout.BATCH_TOP_PS + i] = row.topP;
    words[layout.BATCH_SEEDS + i] = row.seed;
    words[layout.BATCH_DRAWS + i] = row.draw;
  });
  const vocabulary = logits[0]?.length ?? 0;
  const all = new Float32Array(vocabulary * rows.length);
  rows.forEach((_, i) => {
    all.set(logits[i % logits.length] ?? [], i * vocabulary);
  });
  const ids = gpu.buffer(new Uint32Array(rows.length));
  const counts = { tokens: rows.length, logitRows: rows.length, items: 0, clears: 0 };
  await gpu.run([sample(gpu.buffer(all), ids, vocabulary, gpu.buffer(words), gpu.lanes, layout)], counts);
  return gpu.readWords(ids);
}

const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0, draw: 0 };

it('greedy: the largest logit, the lowest id among equals, for any vocabulary length', async () => {
  for (const length of [1, 7, 8, 361, 5000]) {
    const logits = randomFloats(length, length, 4);
    const best = logits.indexOf(Math.max(...logits));
    expect(await draw([logits], [greedy])).toEqual(Uint32Array.of(best));
    const flat = new Float32Array(length).fill(-3);
    expect(await draw([flat], [greedy])).toEqual(Uint32Array.of(0));
  }
});

it('same seed and draw: same token, alone and in a batch; another draw: another stream', async () => {
  const logits = randomFloats(500, 3, 0.2);
  const rows = Array.from({ length: 64 }, (_, i): Row => ({ temperature: 1, topK: 0, topP: 1, seed: 42, draw: i }));
  const together = await draw([logits], rows);
  for (const i of [0, 13, 63]) expect(await draw([logits], [rows[i] ?? greedy])).toEqual(together.slice(i, i + 1));
  expect(new Set(together).size).toBeGreaterThan(32);
  const other = await draw(
    [logits],
    rows.map((row) => ({ ...row, seed: 43 })),
  );
  expect(other).not.toEqual(together);
});

// Chi-square over 2,048 draws: 60 degrees of freedom at most, and a false alarm once in a million.
it.each([
  { temperature: 1, topK: 0, topP: 1 },
  { temperature: 0.5, topK: 0, topP: 1 },
  { temperature: 2, topK: 5, topP: 1 },
  { temperature: 1, topK: 0, topP: 0.6 },
  { temperature: 0.8, topK: 12, topP: 0.7 },
  { temperature: 1, topK: 1, topP: 0.1 },
])('draws as temperature $temperature, top-k $topK, top-p $topP say', async (settings) => {
  const logits = randomFloats(61, 11, 1.5);
  const next = random(5);
  const rows = Array.from({ length: most }, (_, i): Row => ({ ...settings, seed: Math.floor(next() * 2 ** 32), draw: i % 50 }));
  const ids = await draw([logits], rows);
  const expected = sampleDistribution(logits, settings);
  const found = new Float64Array(61);
  for (const id of ids) found[id] = (found[id] ?? 0) + 1;
  let chiSquare = 0;
  let cells = 0;
  let [restFound, restExpected] = [0, 0];
  expected.forEach((probability, id) => {
    if (probability === 0) expect(found[id], `id ${id} was cut off`).toBe(0);
    else if (probability * most >= 5) {
      chiSquare += ((found[id] ?? 0) - probability * most) ** 2 / (probability * most);
      cells++;
    } else {
      restFound += found[id] ?? 0;
      restExpected += probability * most;
    }
  });
  if (restExpected > 0) chiSquare += (restFound - restExpected) ** 2 / Math.max(1, restExpected);
  // Wilson and Hilferty's approximation of the quantile, z = 4.75.
  const freedom = Math.max(1, cells);
  expect(chiSquare).toBeLessThan(freedom * (1 - 2 / (9 * freedom) + 4.75 * Math.sqrt(2 / (9 * freedom))) ** 3);
});

it('extreme logits: nothing but ids of the vocabulary comes back', async () => {
  const logits = Float32Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 3e38 : -3e38));
  const rows = [0, 1, 50].flatMap((topK) => [0.01, 0.5, 1].map((topP): Row => ({ temperature: 0.01, topK, topP, seed: 1, draw: 1 })));
  for (const id of await draw([logits], rows)) expect(id % 2).toBe(0);
});

it('clear_blocks zeroes the blocks that are named and no other', async () => {
  const shape: AttentionShape = {
    heads: 2,
    kvHeads: 1,
    headLength: 16,
    rotaryLength: 16,
    kv: 'f16',
    blockLength: 16,
    lanes: gpu.lanes,
    layout: { BATCH_CLEARS: 4 },
  };
  const blockWords = (16 * 2 * 16 * 2) / 4;
  const full = new Uint32Array(6 * blockWords).fill(0xabcdef01);
  const pool = gpu.buffer(full);
  const batch = gpu.buffer(Uint32Array.of(0, 0, 0, 3, 5, 0, 2, 4));
  await gpu.run([clearBlocks(shape, pool, batch)], { tokens: 0, logitRows: 0, items: 0, clears: 3 });
  const words = await gpu.readWords(pool);
  for (let block = 0; block < 6; block++) {
    const isCleared = [5, 0, 2].includes(block);
    const part = words.subarray(block * blockWords, (block + 1) * blockWords);
    expect(
      part.every((word) => word === (isCleared ? 0 : 0xabcdef01)),
      `block ${block}`,
    ).toBe(true);
  }
});

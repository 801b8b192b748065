import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { random, randomFloats } from '../../kernels/random.ref.ts';
import { type EditReference, editLogits, logSoftmax, type SampleReference, sampleDistribution } from '../../kernels/sample.ref.ts';
import { maskLength, noId, type RowLanes, resultLength, rowLanes, sample, topLimit } from '../../kernels/sample.ts';
import { logprobsLimit } from '../../runtime/types.ts';
import { Gpu } from '../gpu.ts';

let gpu: Gpu;
/** Which form is tested. */
let row: RowLanes;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const most = 2048;
const editRoom = 4096;
const rowSections = ['TEMPERATURES', 'TOP_KS', 'TOP_PS', 'MIN_PS', 'SEEDS', 'DRAWS', 'TOPS', 'TARGETS', 'MASKED'];
const layout: Record<string, number> = {
  ...Object.fromEntries(rowSections.map((name, i) => [`BATCH_${name}`, 4 + i * most])),
  BATCH_EDIT_STARTS: 4 + rowSections.length * most,
  BATCH_EDITS: 4 + rowSections.length * most + most + 1,
};

interface Row extends SampleReference {
  readonly seed: number;
  readonly draw: number;
  readonly edits?: readonly EditReference[];
  /** Likeliest tokens to name. */
  readonly tops?: number;
  /** Whose log-probability is wanted; undefined: of the token that is drawn. */
  readonly target?: number;
  /** Ids that may be chosen; undefined: all. */
  readonly allowed?: readonly number[];
}

interface Result {
  readonly id: number;
  readonly logprob: number;
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
}

const chosen = 0xffffffff;

function fill(rows: readonly Row[]): Uint32Array {
  const words = new Uint32Array((layout['BATCH_EDITS'] ?? 0) + 4 * editRoom);
  const floats = new Float32Array(words.buffer);
  const at = (name: string, row: number) => (layout[`BATCH_${name}`] ?? Number.NaN) + row;
  words[1] = rows.length;
  let edits = 0;
  rows.forEach((row, i) => {
    floats[at('TEMPERATURES', i)] = row.temperature;
    words[at('TOP_KS', i)] = row.topK;
    floats[at('TOP_PS', i)] = row.topP;
    floats[at('MIN_PS', i)] = row.minP;
    words[at('SEEDS', i)] = row.seed;
    words[at('DRAWS', i)] = row.draw;
    words[at('TOPS', i)] = row.tops === undefined ? 0 : row.tops + 1;
    words[at('TARGETS', i)] = row.target ?? chosen;
    words[at('MASKED', i)] = row.allowed === undefined ? 0 : 1;
    words[at('EDIT_STARTS', i)] = edits;
    for (const { id, bias, repetition, penalty } of row.edits ?? []) {
      const first = at('EDITS', 4 * edits++);
      words[first] = id;
      floats.set([bias, repetition, penalty], first + 1);
    }
  });
  words[at('EDIT_STARTS', rows.length)] = edits;
  return words;
}

/** Rows without a mask get one that allows nothing, which must not be read. */
function maskWords(rows: readonly Row[], vocabulary: number): Uint32Array {
  const length = maskLength(vocabulary);
  const words = new Uint32Array(rows.length * length);
  for (const [i, { allowed = [] }] of rows.entries())
    for (const id of allowed) words[i * length + Math.floor(id / 32)] = (words[i * length + Math.floor(id / 32)] ?? 0) | (1 << (id % 32));
  return words;
}

/** Words of results; `isAhead`: of logits for the token behind. */
async function sampleWords(logits: readonly Float32Array[], rows: readonly Row[], isAhead = false): Promise<Uint32Array> {
  const vocabulary = logits[0]?.length ?? 0;
  const all = new Float32Array(vocabulary * rows.length);
  rows.forEach((_, i) => {
    all.set(logits[i % logits.length] ?? [], i * vocabulary);
  });
  const results = gpu.buffer(new Uint32Array(rows.length * resultLength));
  const buffers = {
    logits: gpu.buffer(all),
    results,
    originals: gpu.buffer(new Float32Array(editRoom)),
    batch: gpu.buffer(fill(rows)),
    masks: gpu.buffer(maskWords(rows, vocabulary)),
  };
  await gpu.run([sample(buffers, { vocabulary, stride: vocabulary }, row, layout, isAhead)], {
    tokens: rows.length,
    logitRows: rows.length,
    items: 0,
    clears: 0,
    copies: 0,
  });
  return await gpu.readWords(results);
}

async function evaluate(logits: readonly Float32Array[], rows: readonly Row[]): Promise<Result[]> {
  const words = await sampleWords(logits, rows);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  return rows.map((row, i) => {
    const first = i * resultLength;
    const top = Array.from({ length: row.tops ?? 0 }, (_, t) => ({ id: words[first + 2 + t] ?? -1, logprob: floats[first + 2 + topLimit + t] ?? Number.NaN }));
    return { id: words[first] ?? -1, logprob: floats[first + 1] ?? Number.NaN, top };
  });
}

async function draw(logits: readonly Float32Array[], rows: readonly Row[]): Promise<Uint32Array> {
  return Uint32Array.from(await evaluate(logits, rows), ({ id }) => id);
}

const greedy: Row = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0, draw: 0 };

describe.each(['narrow', 'wide'] as const)('as the family %s has it', (family) => {
  beforeAll(() => {
    row = rowLanes({ lanes: gpu.lanes, family }, Math.max(2 * gpu.lanes, gpu.open.invocationLimit));
  });
  const isLong = family === 'wide' && process.env['INWARD_FULL'] !== '1';
  beforeEach(({ skip }) => skip(isLong && gpu.open.driver.name !== 'gpu', 'a CPU device compiles a row of a whole workgroup for minutes: with --full'));

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
    const rows = Array.from({ length: 64 }, (_, i): Row => ({ ...greedy, temperature: 1, seed: 42, draw: i }));
    const together = await draw([logits], rows);
    for (const i of [0, 13, 63]) expect(await draw([logits], [rows[i] ?? greedy])).toEqual(together.slice(i, i + 1));
    expect(new Set(together).size).toBeGreaterThan(32);
    const other = await draw(
      [logits],
      rows.map((row) => ({ ...row, seed: 43 })),
    );
    expect(other).not.toEqual(together);
  });

  it('ahead: the token that the next place will draw, without edits, mask and log-probabilities, in the last word and nowhere else', async () => {
    const logits = randomFloats(500, 3, 0.2);
    const plain = Array.from(
      { length: 24 },
      (_, i): Row => ({ ...greedy, temperature: i % 4 === 0 ? 0 : 1, topK: i % 3 === 0 ? 40 : 0, seed: 42 + i, draw: 7 * i }),
    );
    const edits: EditReference[] = [{ id: logits.indexOf(Math.max(...logits)), bias: -50, repetition: 1, penalty: 0 }];
    const known = plain.map((one, i): Row => ({ ...one, draw: (one.draw - 1) >>> 0, tops: 3, ...(i % 2 === 0 ? { edits } : { allowed: [1] }) }));
    const words = await sampleWords([logits], known, true);
    expect(words.filter((_, i) => (i + 1) % resultLength === 0)).toEqual(await draw([logits], plain));
    expect(words.filter((_, i) => (i + 1) % resultLength !== 0).every((word) => word === 0)).toBe(true);
    const broken = await sampleWords([logits.with(77, Number.NaN)], [greedy], true);
    expect([broken[0], broken[resultLength - 1]]).toEqual([0, noId]);
  });

  // Chi-square over 2,048 draws: 60 degrees of freedom at most, and a false alarm once in a million.
  const someEdits: EditReference[] = [
    { id: 3, bias: 2, repetition: 1, penalty: 0 },
    { id: 11, bias: 0, repetition: 1.8, penalty: 0 },
    { id: 12, bias: -1, repetition: 1.8, penalty: 0.75 },
    { id: 40, bias: 0, repetition: 1, penalty: -1.5 },
    { id: 60, bias: -100, repetition: 1, penalty: 0 },
  ];
  it.each([
    { temperature: 1, topK: 0, topP: 1, minP: 0 },
    { temperature: 0.5, topK: 0, topP: 1, minP: 0 },
    { temperature: 2, topK: 5, topP: 1, minP: 0 },
    { temperature: 1, topK: 0, topP: 0.6, minP: 0 },
    { temperature: 0.8, topK: 12, topP: 0.7, minP: 0 },
    { temperature: 1, topK: 1, topP: 0.1, minP: 0 },
    { temperature: 1, topK: 0, topP: 1, minP: 0.2 },
    { temperature: 1.7, topK: 20, topP: 0.9, minP: 0.4 },
    { temperature: 1, topK: 0, topP: 1, minP: 1 },
    { temperature: 1, topK: 0, topP: 1, minP: 0, edits: someEdits },
    { temperature: 0.9, topK: 15, topP: 0.8, minP: 0.05, edits: someEdits },
  ])('draws as temperature $temperature, top-k $topK, top-p $topP, min-p $minP, edits $edits.length say', async (settings) => {
    const logits = randomFloats(61, 11, 1.5);
    const next = random(5);
    const edits = settings.edits ?? [];
    // Rows with edits have room for 800 of 5.
    const rows = Array.from({ length: edits.length > 0 ? 800 : most }, (_, i): Row => ({ ...settings, seed: Math.floor(next() * 2 ** 32), draw: i % 50 }));
    const ids = await draw([logits], rows);
    const expected = sampleDistribution(editLogits(logits, edits), settings);
    const drawn = rows.length;
    const found = new Float64Array(61);
    for (const id of ids) found[id] = (found[id] ?? 0) + 1;
    let chiSquare = 0;
    let cells = 0;
    let [restFound, restExpected] = [0, 0];
    expected.forEach((probability, id) => {
      if (probability === 0) expect(found[id], `id ${id} was cut off`).toBe(0);
      else if (probability * drawn >= 5) {
        chiSquare += ((found[id] ?? 0) - probability * drawn) ** 2 / (probability * drawn);
        cells++;
      } else {
        restFound += found[id] ?? 0;
        restExpected += probability * drawn;
      }
    });
    if (restExpected > 0) chiSquare += (restFound - restExpected) ** 2 / Math.max(1, restExpected);
    // Wilson and Hilferty's approximation of the quantile, z = 4.75.
    const freedom = Math.max(1, cells);
    expect(chiSquare).toBeLessThan(freedom * (1 - 2 / (9 * freedom) + 4.75 * Math.sqrt(2 / (9 * freedom))) ** 3);
  });

  it('log-probabilities are those of the raw logits, whatever edits, temperature and thresholds do', async () => {
    expect(topLimit).toBe(logprobsLimit);
    for (const length of [21, 361, 5000]) {
      const logits = randomFloats(length, length + 1, 3);
      const expected = logSoftmax(logits);
      const ranked = Array.from(expected.keys()).sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
      const edits = someEdits.filter(({ id }) => id < length);
      const rows: Row[] = [
        { ...greedy, tops: 20 },
        { ...greedy, tops: 0, edits },
        { ...greedy, temperature: 3, topK: 7, tops: 3, seed: 9, edits },
        { ...greedy, tops: 5, target: 12, edits },
        { ...greedy, tops: 1, target: 0 },
        greedy,
      ];
      const results = await evaluate([logits], rows);
      results.forEach(({ id, logprob, top }, i) => {
        const { tops, target = id } = rows[i] ?? greedy;
        if (tops === undefined) return;
        expect(Math.abs(logprob - (expected[target] ?? 0)), `row ${i} of ${length}`).toBeLessThan(1e-4);
        expect(top.map((entry) => entry.id)).toEqual(ranked.slice(0, tops));
        for (const entry of top) expect(Math.abs(entry.logprob - (expected[entry.id] ?? 0))).toBeLessThan(1e-4);
      });
      expect(results[1]?.id).toBe(Array.from(editLogits(logits, edits)).reduce((best, value, id, all) => (value > (all[best] ?? 0) ? id : best), 0));
      // Nothing was asked for, so nothing was written.
      expect(results[5]?.logprob).toBe(0);
    }
  });

  it('a mask: the best of the allowed ids, none other drawn, for any vocabulary length; log-probabilities stay those of raw logits', async () => {
    for (const length of [1, 31, 32, 33, 361, 5000]) {
      const logits = randomFloats(length, length + 5, 4);
      const expected = logSoftmax(logits);
      const ranked = Array.from(logits.keys()).sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0));
      // All but the best half; the last id alone; every third; all.
      const masks = [ranked.slice(Math.floor(length / 2)), [length - 1], Array.from(logits.keys()).filter((id) => id % 3 === 0), ranked];
      const settings = [greedy, { ...greedy, temperature: 5 }, { ...greedy, temperature: 2, topK: 3, topP: 0.9, minP: 0.01 }];
      const rows = masks.flatMap((allowed) => settings.map((row, i): Row => ({ ...row, allowed, seed: i, draw: length, tops: Math.min(3, length) })));
      const results = await evaluate([logits], [...rows, greedy]);
      for (const [i, { allowed = [], temperature }] of rows.entries()) {
        const { id = -1, logprob, top } = results[i] ?? {};
        expect(allowed, `row ${i} of ${length}`).toContain(id);
        if (temperature === 0) expect(id).toBe(ranked.find((candidate) => allowed.includes(candidate)));
        expect(Math.abs((logprob ?? Number.NaN) - (expected[id] ?? 0))).toBeLessThan(1e-4);
        expect(top?.map((entry) => entry.id)).toEqual(ranked.slice(0, Math.min(3, length)));
      }
      expect(results.at(-1)?.id).toBe(ranked[0]);
    }
  });

  it('a mask and edits together: what is allowed and best once it is edited', async () => {
    const logits = Float32Array.of(9, 5, 1, 3, 2);
    const edits: EditReference[] = [
      { id: 2, bias: 3, repetition: 1, penalty: 0 },
      { id: 0, bias: 50, repetition: 1, penalty: 0 },
    ];
    const results = await evaluate(
      [logits],
      [
        { ...greedy, edits, allowed: [2, 3, 4], tops: 1 },
        { ...greedy, edits, allowed: [0, 2] },
        { ...greedy, allowed: [3] },
      ],
    );
    expect(results.map(({ id }) => id)).toEqual([2, 0, 3]);
    expect(Math.abs((results[0]?.logprob ?? 0) - (logSoftmax(logits)[2] ?? 0))).toBeLessThan(1e-5);
  });

  it.each([[[7, 9, 30, 55]], [[3, 11, 12, 40, 60]]])('draws among %j as their own distribution says', async (allowed) => {
    const logits = randomFloats(61, 11, 1.5);
    const rows = Array.from({ length: most }, (_, i): Row => ({ ...greedy, temperature: 1, seed: i, draw: 3, allowed }));
    const ids = await draw([logits], rows);
    const expected = sampleDistribution(
      allowed.map((id) => logits[id] ?? 0),
      { ...greedy, temperature: 1 },
    );
    let chiSquare = 0;
    for (const [i, id] of allowed.entries()) {
      const wanted = (expected[i] ?? 0) * most;
      chiSquare += (ids.filter((drawn) => drawn === id).length - wanted) ** 2 / wanted;
    }
    // Four or five cells: a false alarm once in a million.
    expect(chiSquare).toBeLessThan(36);
  });

  it('equal logits are named by id, each once', async () => {
    const [result] = await evaluate([new Float32Array(100).fill(2)], [{ ...greedy, tops: 20 }]);
    expect(result?.top.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, id) => id));
    for (const { logprob } of result?.top ?? []) expect(Math.abs(logprob + Math.log(100))).toBeLessThan(1e-5);
  });

  it('a vocabulary smaller than the alternatives asked for', async () => {
    const [result] = await evaluate([Float32Array.of(1, 3, 2)], [{ ...greedy, tops: 3 }]);
    expect(result?.top.map(({ id }) => id)).toEqual([1, 2, 0]);
  });

  describe('logits that are no numbers', () => {
    const vocabulary = 61;
    const broken = [0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffc00000, 0xffffffff, 0x7f800000];
    const normal = randomFloats(vocabulary, 31, 4);
    /** The same logits with other bits in one place. */
    const withBits = (bits: number, at: number): Float32Array => {
      const words = new Uint32Array(normal.slice().buffer);
      words[at] = bits;
      return new Float32Array(words.buffer);
    };
    const best = normal.indexOf(Math.max(...normal));

    it.each([
      ['greedy', greedy],
      ['drawn', { ...greedy, temperature: 0.8, topK: 40, topP: 0.9, minP: 0.01, seed: 3 }],
      ['with log-probabilities', { ...greedy, tops: 5 }],
      ['edited', { ...greedy, edits: [{ id: 3, bias: 1, repetition: 1.5, penalty: 0.5 }] }],
      ['masked, and not where the mask allows', { ...greedy, allowed: [4, 5] }],
    ] as const)('%s: every pattern in every lane has no id, and the rows beside it have theirs', async (_, row) => {
      const places = [0, 1, gpu.lanes - 1, gpu.lanes, 33, vocabulary - 1];
      const crafted = broken.flatMap((bits) => places.map((at) => withBits(bits, at)));
      const logits = crafted.flatMap((bad) => [normal, bad]);
      const ids = await draw(
        logits,
        logits.map(() => row),
      );
      const [first] = await draw([normal], [row]);
      expect(first).toBeLessThan(vocabulary);
      expect([...ids]).toEqual(crafted.flatMap(() => [first, noId]));
    });

    it('minus infinity is a logit like others, unless there is nothing else', async () => {
      const all = new Float32Array(vocabulary).fill(Number.NEGATIVE_INFINITY);
      const ids = await draw([withBits(0xff800000, (best + 1) % vocabulary), all], [greedy, greedy]);
      expect([...ids]).toEqual([best, noId]);
    });
  });

  it('extreme logits: nothing but ids of the vocabulary comes back', async () => {
    const logits = Float32Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 3e38 : -3e38));
    const rows = [0, 1, 50].flatMap((topK) => [0.01, 0.5, 1].map((topP): Row => ({ ...greedy, temperature: 0.01, topK, topP, seed: 1, draw: 1 })));
    for (const id of await draw([logits], rows)) expect(id % 2).toBe(0);
  });
});

/** Lookups of rows by id, by position, of the first one and of the token behind, alone and added to others. Storages: formats.gpu.test.ts, table.gpu.test.ts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbedOptions, embed } from '../../kernels/embed.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { resultLength } from '../../kernels/sample.ts';
import { compare, Gpu, joined } from '../gpu.ts';
import { prepareMatmul } from '../matmul-case.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const layout = { BATCH_IDS: 8, BATCH_POSITIONS: 16, BATCH_NEXT_IDS: 24 };
const ids = [39, 0, 17];
const positions = [2, 38, 0];
/** What the second token has behind it is known; behind the others stands what two rows of logits have chosen. */
const nextIds = [2 ** 31 + 1, 5, 2 ** 31];
const chosen = [33, 12];
const places: Readonly<Record<NonNullable<EmbedOptions['lookup']>, readonly number[]>> = { id: ids, position: positions, first: [0, 0, 0], next: [12, 5, 33] };

describe.each(['buffer', 'texture'] as const)('in a %s', (place) => {
  it.each((['id', 'position', 'first', 'next'] as const).flatMap((lookup) => [32, 96].map((columns) => [lookup, columns] as const)))(
    'rows by %s of %i columns',
    async (lookup, columns) => {
      const { matrix, weights } = await prepareMatmul(gpu, { storage: 'F32', place, rows: 40, columns, tokens: 1 });
      const words = new Uint32Array(32);
      words.set([ids.length]);
      words.set(ids, layout.BATCH_IDS);
      words.set(positions, layout.BATCH_POSITIONS);
      words.set(nextIds, layout.BATCH_NEXT_IDS);
      const results = new Uint32Array(chosen.length * resultLength);
      for (const [row, id] of chosen.entries()) results[row * resultLength] = id;
      const asked = lookup === 'next' ? { lookup, results: gpu.buffer(results) } : { lookup };
      const batch = gpu.buffer(words);
      const sums = ids.map((_, token) => randomFloats(columns, 7 + token));
      const to = gpu.vectors(joined(sums), columns, place);
      for (const options of [{}, { to, scale: 0.5 }]) {
        const y = gpu.vectors(new Float32Array((ids.length + 1) * columns).fill(9), columns, place);
        const operations = embed(matrix, y, batch, gpu.lanes, layout, { ...asked, ...options });
        await gpu.run(operations, { tokens: ids.length, logitRows: 0, items: 0, clears: 0, copies: 0 });
        const got = await gpu.readVectors(y);
        for (const [token, row] of places[lookup].entries()) {
          const { scale = 1 } = options as EmbedOptions;
          const expected = (weights[row] ?? new Float64Array()).map((value, i) => value * scale + ('to' in options ? (sums[token]?.[i] ?? 0) : 0));
          const { error, message } = compare(got.subarray(token * columns, (token + 1) * columns), expected);
          expect(error, `token ${token}: ${message}`).toBeLessThan(1e-13);
        }
        expect(got.subarray(ids.length * columns).every((value) => value === 9)).toBe(true);
      }
    },
  );
});

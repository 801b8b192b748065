/** Rows of sequences to one vector each: lengths from 1 on, widths around lanes and vectors, crafted rows, rows of logits in another order. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poolBound, poolReference } from '../../kernels/pool.ref.ts';
import { type Pooling, pool } from '../../kernels/pool.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { compare, Gpu, joined } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const layout = { BATCH_ROWS: 8, BATCH_LOGIT_TOKENS: 1024, BATCH_RUNS: 1040 };
/** Tokens of each sequence of the step. */
const lengths = [1, 512, 7, 33];
/** Sequences that logit rows are of. */
const order = [2, 0, 3, 1];

/** Random, far below 0, all zero, with one huge and one tiny value in each row. */
function rowsOf(sequence: number, columns: number): Float32Array<ArrayBuffer>[] {
  return Array.from({ length: lengths[sequence] ?? 0 }, (_, token) => {
    const row = randomFloats(columns, 100 * sequence + token);
    if (sequence === 1) return row.map((value) => value * 0.1 - 3);
    if (sequence === 2) return row.fill(0);
    if (sequence === 3) row.set([1e15, 1e-40], (token * 4) % (columns - 1));
    return row;
  });
}

function batchWords(): Uint32Array {
  const words = new Uint32Array(1048);
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  words.set([total, order.length]);
  for (const [sequence, length] of lengths.entries()) {
    words.fill(sequence, layout.BATCH_ROWS + (starts[sequence] ?? 0), layout.BATCH_ROWS + (starts[sequence] ?? 0) + length);
  }
  // The last token of each.
  words.set(
    order.map((sequence) => (starts[sequence] ?? 0) + (lengths[sequence] ?? 0) - 1),
    layout.BATCH_LOGIT_TOKENS,
  );
  words.set([...starts, total], layout.BATCH_RUNS);
  return words;
}

describe.each(['buffer', 'texture'] as const)('rows in a %s', (place) => {
  it.each((['mean', 'cls', 'max'] as const).flatMap((pooling): [Pooling, number][] => [8, 36, 384, 1024].map((columns) => [pooling, columns])))(
    '%s of rows of %i numbers',
    async (pooling, columns) => {
      const rows = lengths.map((_, sequence) => rowsOf(sequence, columns));
      const x = gpu.vectors(joined(rows.flat()), columns, place);
      const y = gpu.buffer(new Float32Array((order.length + 1) * columns).fill(9));
      const batch = gpu.buffer(batchWords());
      await gpu.run([pool({ x, y, batch, columns, pooling, lanes: gpu.lanes, layout })], {
        tokens: 553,
        logitRows: order.length,
        items: 0,
        clears: 0,
        copies: 0,
      });
      const got = await gpu.readFloats(y);
      for (const [row, sequence] of order.entries()) {
        const { error, message } = compare(got.subarray(row * columns, (row + 1) * columns), poolReference(rows[sequence] ?? [], pooling));
        expect(error, `sequence ${sequence}: ${message}`).toBeLessThan(poolBound);
      }
      expect(got.subarray(order.length * columns).every((value) => value === 9)).toBe(true);
    },
  );
});

/** Every tile that the tuner may choose gives the same bits for a token, whatever the tile and whatever else is in the step. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gates } from '../../kernels/gated.ts';
import type { Place, StepCounts } from '../../kernels/kernel.ts';
import { type Finish, matmul } from '../../kernels/matmul.ts';
import { randomFileRows, randomFloats } from '../../kernels/random.ref.ts';
import { candidateTiles, type Tile, tileName } from '../../kernels/tiles.ts';
import type { PackedMatrix, StorageWithKernels } from '../../kernels/weights.ts';
import { Gpu } from '../gpu.ts';
import { packMatrix } from '../packed.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

/** More than the largest tile, and no multiple of any. */
const tokens = 9;
const rows = 72;
const counts = (count: number): StepCounts => ({ tokens: count, logitRows: 0, items: 0, clears: 0, copies: 0 });

/** y of `count` tokens by one tile, as words. */
async function multiply(
  matrix: PackedMatrix,
  x: Float32Array<ArrayBuffer>,
  tile: Tile,
  finish: 'store' | 'add' | 'gated',
  count: number,
): Promise<Uint32Array> {
  const place: Place = gpu.open.place;
  const width = finish === 'gated' ? rows / 2 : rows;
  const y = gpu.vectors(new Float32Array(count * width), width, place);
  const to = gpu.vectors(randomFloats(tokens * width, 5).slice(0, count * width), width, place);
  const what: Finish =
    finish === 'gated'
      ? { kind: finish, y, gate: gates.swiglu }
      : finish === 'add'
        ? { kind: finish, y, to, stride: width }
        : { kind: finish, y, stride: width };
  const input = gpu.vectors(x.slice(0, count * matrix.columns), matrix.columns, place);
  const norm = finish === 'store' ? {} : { norm: { weight: gpu.uniform(randomFloats(matrix.columns, 7)), epsilon: 1e-5 } };
  const args = {
    x: { format: 'f32', vectors: input } as const,
    ...norm,
    finish: what,
    offset: 0,
    over: 'tokens' as const,
    lanes: gpu.lanes,
    layout: { BATCH_LOGIT_TOKENS: 4 },
  };
  await gpu.run(matmul(matrix, { ...args, batch: gpu.buffer(Uint32Array.of(count, 0, 0, 0)), tiles: [tile] }), counts(count));
  return new Uint32Array(await gpu.readBytes(y));
}

/** SwiftShader compiles each tile for seconds. */
const patience = 600_000;

/** One for each way that a block's sums come together: no scale, scale and offset, two parts of a block; unless everything is to run. */
const storages: readonly StorageWithKernels[] = process.env['INWARD_FULL'] === '1' ? ['F16', 'Q8_0', 'Q4_1', 'Q6_K', 'Q4_K', 'Q2_K'] : ['F16', 'Q4_1', 'Q6_K'];

describe.each(storages)('%s', (storage) => {
  const columns = storage.endsWith('_K') ? 256 : 96;

  it.each(['store', 'add', 'gated'] as const)('%s: bit for bit the same with every tile, alone and beside others', { timeout: patience }, async (finish) => {
    const file = randomFileRows(storage, rows, columns, 3);
    const isInterleaved = finish === 'gated';
    const matrix = await packMatrix(gpu, storage, file, rows, columns, { place: gpu.open.place, isInterleaved, isWhole: true });
    const x = randomFloats(tokens * columns, 11);
    const [first, ...others] = candidateTiles({ lanes: gpu.lanes }, { activations: 'f32', finish });
    if (first === undefined) throw new Error('no tile');
    const expected = await multiply(matrix, x, first, finish, tokens);
    // The test could not fail if the kernel did nothing.
    expect(new Set(expected).size).toBeGreaterThan(expected.length / 2);
    for (const tile of others) expect(await multiply(matrix, x, tile, finish, tokens), tileName(tile)).toEqual(expected);
    for (const tile of [first, ...others]) {
      const alone = await multiply(matrix, x, tile, finish, 1);
      expect(alone, `${tileName(tile)} alone`).toEqual(expected.slice(0, alone.length));
    }
  });
});

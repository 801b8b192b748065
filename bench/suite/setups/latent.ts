/** Owns the set-ups around latent attention: queries with absorbed weights, and the multiplication of each head by rows of its own. */
import { type HeadRows, headMatmul } from '../../../kernels/head_matmul.ts';
import { latentQueryReference } from '../../../kernels/latent.ref.ts';
import { latentQueries } from '../../../kernels/latent.ts';
import { randomFloats } from '../../../kernels/random.ref.ts';
import { matvecReference } from '../../../kernels/weights.ref.ts';
import type { Sizes } from '../cases.ts';
import { distance, noCounts, type Prepared, type Workbench } from '../workbench.ts';
import { createMatrix, load } from './weights.ts';

/** Channels that turn; at position 0, so that they stay. */
const ropeLength = 64;
const layout = { BATCH_POSITIONS: 4 };

async function loadHeads(bench: Workbench, { storage, heads, rows, columns }: Sizes['head matmul']): Promise<{ own: HeadRows; first: Float64Array[] }> {
  const random = createMatrix(storage, heads * rows, columns, rows);
  const matrix = await load(bench, { rows: heads * rows, columns }, [random], { headRows: rows });
  return { own: { matrix, pitch: rows, start: 0, rows }, first: Array.from({ length: rows }, (_, row) => random.valuesOf(row)) };
}

export async function setUpLatentQueries(bench: Workbench, sizes: Sizes['latent queries']): Promise<Prepared> {
  const { heads, rows, columns, tokens } = sizes;
  const { own, first } = await loadHeads(bench, sizes);
  const inputLength = rows + ropeLength;
  const x = randomFloats(tokens * heads * inputLength, 1);
  const lengths = { headLength: columns + ropeLength, latentLength: columns, rotaryLength: ropeLength };
  const shape = { ...lengths, heads, kvHeads: 1, scale: 1, kv: 'f16', blockLength: 16, poolFold: 1, lanes: bench.open.subgroupSize, layout } as const;
  const queries = bench.vectors((heads * shape.headLength) / 4, tokens);
  const still = Float32Array.from({ length: ropeLength }, (_, i) => 1 - (i % 2));
  const buffers = {
    x: bench.vectors((heads * inputLength) / 4, tokens, x),
    queries,
    rotation: bench.buffer(still),
    batch: bench.buffer(Uint32Array.of(tokens, 0, 0, 0, ...new Uint32Array(tokens))),
  };
  const turn = { angles: Array.from({ length: ropeLength / 2 }, () => 0), factor: 1 };
  return {
    operations: latentQueries(shape, { ...own, rowsAre: 'plain' }, buffers, bench.facts),
    counts: { ...noCounts, tokens },
    check: async () => distance(await bench.read(queries, shape.headLength), latentQueryReference(x.subarray(0, inputLength), first, 1, turn)),
  };
}

export async function setUpHeadMatmul(bench: Workbench, sizes: Sizes['head matmul']): Promise<Prepared> {
  const { heads, rows, columns, tokens } = sizes;
  const { own, first } = await loadHeads(bench, sizes);
  const x = randomFloats(tokens * heads * columns, 1);
  const y = bench.vectors((heads * rows) / 4, tokens);
  const batch = bench.buffer(Uint32Array.of(tokens, 0, 0, 0));
  const vectors = bench.vectors((heads * columns) / 4, tokens, x);
  return {
    operations: headMatmul(own, { ...bench.facts, x: vectors, y, heads, batch, maxTokens: tokens, layout: { ...layout, BATCH_LOGIT_TOKENS: 4 } }),
    counts: { ...noCounts, tokens },
    check: async () => distance(await bench.read(y, rows), matvecReference(first, x.subarray(0, columns))),
  };
}

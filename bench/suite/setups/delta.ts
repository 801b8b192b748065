/** Owns the set-up of the gated delta rule: one sequence that begins, over random rows. */
import { deltaReference } from '../../../kernels/delta.ref.ts';
import { deltaChannels, deltaInputLength, deltaRow, deltaRule, deltaStateLength } from '../../../kernels/delta.ts';
import { randomFloats } from '../../../kernels/random.ref.ts';
import { Batch } from '../../../runtime/scheduling/batch.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import type { BlockId } from '../../../runtime/types.ts';
import type { Sizes } from '../cases.ts';
import { distance, type Prepared, type Workbench } from '../workbench.ts';

const blockLength = 16;

export function setUpDelta(bench: Workbench, { tokens, ...heads }: Sizes['delta rule']): Prepared {
  const shape = { ...heads, taps: 4, grouped: 'no', isTiled: false } as const;
  const { valueHeads, valueLength } = shape;
  const blockCount = Math.ceil(tokens / blockLength);
  const batch = new Batch({ maxTokens: tokens, maxSequences: 1, maxLogitRows: 1, contextLength: tokens + 1, blockCount, blockLength, maxEdits: 0 });
  const sequence = new Sequence({ promptIds: new Uint32Array(tokens), maxTokens: 1 }, tokens + 1, { event: () => undefined, fail: () => undefined });
  sequence.blocks = Array.from({ length: blockCount }, (_, i) => i as BlockId);
  sequence.state = 0 as BlockId;
  batch.addTokens(sequence, tokens);
  const row = deltaRow(shape);
  const rows = randomFloats(tokens * row.length, 1);
  const weights = {
    taps: randomFloats(deltaChannels(shape) * shape.taps, 2),
    rates: randomFloats(valueHeads, 3).map((value) => -Math.exp(value)),
    rateBiases: randomFloats(valueHeads, 4),
  };
  const y = bench.vectors((valueHeads * valueLength) / 4, tokens);
  const buffers = {
    y,
    rows: bench.vectors(row.length / 4, tokens, rows),
    inputs: bench.vectors(deltaInputLength(shape) / 4, tokens),
    state: bench.empty(deltaStateLength(shape) * 4),
    batch: bench.buffer(batch.seal().slice()),
    taps: bench.buffer(weights.taps),
    rates: bench.uniform(weights.rates),
    rateBiases: bench.uniform(weights.rateBiases),
  };
  return {
    operations: deltaRule(shape, buffers, { lanes: bench.open.subgroupSize, layout: batch.layout }),
    counts: { ...batch.counts },
    check: async () => {
      const first = {
        channels: rows.subarray(0, deltaChannels(shape)),
        betas: rows.subarray(row.beta.start, row.beta.start + valueHeads),
        rates: rows.subarray(row.rate.start, row.rate.start + valueHeads),
      };
      return distance(await bench.read(y, valueHeads * valueLength), deltaReference(shape, weights, [first])[0] ?? new Float64Array());
    },
  };
}

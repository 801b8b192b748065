/** Owns the set-ups of the small kernels on rows: SwiGLU apart, and the choice of tokens. */
import { gatedReference } from '../../../kernels/gated.ref.ts';
import { gated, gates } from '../../../kernels/gated.ts';
import { randomFloats } from '../../../kernels/random.ref.ts';
import { sampleDistribution } from '../../../kernels/sample.ref.ts';
import { maskLength, resultLength, rowLanes, sample } from '../../../kernels/sample.ts';
import { Batch } from '../../../runtime/scheduling/batch.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import type { Sizes } from '../cases.ts';
import { distance, noCounts, type Prepared, type Workbench } from '../workbench.ts';

export function setUpGated(bench: Workbench, { columns, tokens }: Sizes['gated']): Prepared {
  const gateUp = randomFloats(2 * columns * tokens, 1);
  const y = bench.vectors(columns / 4, tokens);
  return {
    operations: [gated(bench.vectors(columns / 2, tokens, gateUp), y, columns, gates.swiglu, bench.open.subgroupSize)],
    counts: { ...noCounts, tokens },
    check: async () => distance(await bench.read(y, columns), gatedReference(gateUp.subarray(0, columns), gateUp.subarray(columns, 2 * columns), gates.swiglu)),
  };
}

const drawn = { temperature: 0.8, topK: 50, topP: 0.95, minP: 0 };

/** Error is 0 where the first row's token is the largest, or may be drawn, else 1. */
export function setUpSample(bench: Workbench, { vocabulary, rows, isDrawn }: Sizes['sample']): Prepared {
  const batch = new Batch({ maxTokens: rows, maxSequences: rows, maxLogitRows: rows, contextLength: 16, blockCount: rows, blockLength: 16, maxEdits: 0 });
  for (let row = 0; row < rows; row++) {
    const request = { promptIds: new Uint32Array(1), maxTokens: 1, sampling: isDrawn ? { ...drawn, seed: row } : {} };
    const sequence = new Sequence(request, 16, { event: () => undefined, fail: () => undefined });
    batch.addTokens(sequence, 1);
    batch.addChoice(sequence, row, 0);
  }
  const logits = randomFloats(vocabulary * rows, 5, 4);
  const results = bench.empty(rows * resultLength * 4);
  const buffers = {
    logits: bench.buffer(logits),
    results,
    originals: bench.empty(16),
    batch: bench.buffer(batch.seal().slice()),
    masks: bench.empty(rows * maskLength(vocabulary) * 4),
  };
  return {
    operations: [sample(buffers, { vocabulary, stride: vocabulary }, rowLanes(bench.facts, bench.open.invocationLimit), batch.layout)],
    counts: { ...noCounts, tokens: rows, logitRows: rows },
    check: async () => {
      const [id = vocabulary] = await bench.readWords(results, 1);
      const first = logits.subarray(0, vocabulary);
      const isRight = isDrawn ? (sampleDistribution(first, drawn)[id] ?? 0) > 0 : first[id] === first.reduce((most, value) => Math.max(most, value));
      return isRight ? 0 : 1;
    },
  };
}

/** Owns the set-ups of the small kernels on rows: norm and quantize to int8 blocks, SwiGLU apart, and the choice of tokens. */
import { dequantizeInt8, rmsNormReference } from '../../../kernels/activations.ref.ts';
import { quantize, rmsNorm } from '../../../kernels/activations.ts';
import { gatedReference } from '../../../kernels/gated.ref.ts';
import { gated, gates } from '../../../kernels/gated.ts';
import { randomFloats } from '../../../kernels/random.ref.ts';
import { sampleDistribution } from '../../../kernels/sample.ref.ts';
import { maskLength, resultLength, sample } from '../../../kernels/sample.ts';
import { activationRowSize } from '../../../kernels/weights.ts';
import { Batch } from '../../../runtime/batch.ts';
import { Sequence } from '../../../runtime/sequence.ts';
import type { Sizes } from '../cases.ts';
import { distance, noCounts, type Prepared, plainLayout, type Workbench } from '../workbench.ts';

const epsilon = 1e-5;

export function setUpNorm(bench: Workbench, { columns, tokens }: Sizes['norm int8']): Prepared {
  const x = randomFloats(columns * tokens, 1);
  const weight = randomFloats(columns, 2);
  const y = bench.empty(tokens * activationRowSize('int8', columns));
  const vectors = bench.vectors(columns / 4, tokens, x);
  const batch = bench.buffer(Uint32Array.of(tokens, 0, 0, 0));
  const { subgroupSize: lanes } = bench.open;
  const operation = rmsNorm({ x: vectors, weight: bench.uniform(weight), y, columns, epsilon, over: 'tokens', batch, lanes, layout: plainLayout });
  const expected = (): Float64Array => rmsNormReference(x.subarray(0, columns), weight, epsilon);
  return { operations: [operation], counts: { ...noCounts, tokens }, check: async () => distance(await readInt8(bench, y, columns), expected()) };
}

export function setUpQuantize(bench: Workbench, { columns, tokens }: Sizes['quantize']): Prepared {
  const x = randomFloats(columns * tokens, 1);
  const y = bench.empty(tokens * activationRowSize('int8', columns));
  const operation = quantize(bench.vectors(columns / 4, tokens, x), y, columns, bench.open.subgroupSize);
  const expected = (): Float64Array => Float64Array.from(x.subarray(0, columns));
  return { operations: [operation], counts: { ...noCounts, tokens }, check: async () => distance(await readInt8(bench, y, columns), expected()) };
}

/** The first row. */
async function readInt8(bench: Workbench, y: Parameters<Workbench['readWords']>[0], columns: number): Promise<Float64Array> {
  return dequantizeInt8((await bench.readWords(y, activationRowSize('int8', columns) / 4)).slice(), columns / 32);
}

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
    operations: [sample(buffers, { vocabulary, stride: vocabulary }, bench.open.subgroupSize, batch.layout)],
    counts: { ...noCounts, tokens: rows, logitRows: rows },
    check: async () => {
      const [id = vocabulary] = await bench.readWords(results, 1);
      const first = logits.subarray(0, vocabulary);
      const isRight = isDrawn ? (sampleDistribution(first, drawn)[id] ?? 0) > 0 : first[id] === first.reduce((most, value) => Math.max(most, value));
      return isRight ? 0 : 1;
    },
  };
}

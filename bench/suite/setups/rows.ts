/** Owns the set-ups of the small kernels on rows: SwiGLU apart, four streams mixed and joined, experts by a table, and the choice of tokens. */
import { gatedReference } from '../../../kernels/gated.ref.ts';
import { gated, gates } from '../../../kernels/gated.ts';
import { randomFloats } from '../../../kernels/random.ref.ts';
import { routerTableReference } from '../../../kernels/router.ref.ts';
import { type RouterShape, routerTable, routesLength } from '../../../kernels/router.ts';
import { sampleDistribution } from '../../../kernels/sample.ref.ts';
import { maskLength, resultLength, rowLanes, sample } from '../../../kernels/sample.ts';
import { joinedReference, mixReference } from '../../../kernels/streams.ref.ts';
import { keptLength, mixLength, streamCount, streamsJoin, streamsMix } from '../../../kernels/streams.ts';
import { Batch } from '../../../runtime/scheduling/batch.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import type { Sizes } from '../cases.ts';
import { distance, noCounts, type Prepared, plainLayout, type Workbench } from '../workbench.ts';

export function setUpGated(bench: Workbench, { columns, tokens }: Sizes['gated']): Prepared {
  const gateUp = randomFloats(2 * columns * tokens, 1);
  const y = bench.vectors(columns / 4, tokens);
  return {
    operations: [gated(bench.vectors(columns / 2, tokens, gateUp), y, columns, gates.swiglu, bench.open.subgroupSize)],
    counts: { ...noCounts, tokens },
    check: async () => distance(await bench.read(y, columns), gatedReference(gateUp.subarray(0, columns), gateUp.subarray(columns, 2 * columns), gates.swiglu)),
  };
}

export function setUpStreams(bench: Workbench, { columns, tokens, turns }: Sizes['streams']): Prepared {
  const width = streamCount * columns;
  const [streams, mixes, result] = [randomFloats(tokens * width, 1), randomFloats(tokens * mixLength(true), 2), randomFloats(tokens * columns, 3)];
  const options = { biases: randomFloats(mixLength(true), 4), scales: randomFloats(4, 5), turns, epsilon: 1e-6, least: 1e-6 };
  const lanes = bench.open.subgroupSize;
  const [own, y, mixed] = [bench.vectors(width / 4, tokens, streams), bench.vectors(width / 4, tokens), bench.vectors(columns / 4, tokens)];
  const kept = bench.empty(tokens * keptLength * 4);
  const weights = { biases: bench.uniform(options.biases), scales: bench.uniform(options.scales) };
  return {
    operations: [
      streamsMix({
        ...options,
        ...weights,
        streams: own,
        mixes: bench.vectors(mixLength(true) / 4, tokens, mixes),
        y: mixed,
        kept,
        columns,
        joins: true,
        lanes,
      }),
      streamsJoin(bench.vectors(columns / 4, tokens, result), own, y, kept, columns, lanes),
    ],
    counts: { ...noCounts, tokens },
    check: async () => {
      const first = streams.subarray(0, width);
      const reference = mixReference(first, mixes.subarray(0, mixLength(true)), options);
      return distance(await bench.read(y, width), joinedReference(result.subarray(0, columns), first, reference));
    },
  };
}

export function setUpExpertTable(bench: Workbench, { experts, topK, tokens }: Sizes['expert table']): Prepared {
  const shape: RouterShape = { experts, topK, score: 'sqrtsoftplus', isBiased: false, renormalizes: true, scale: 1.5 };
  const ids = (token: number): number[] => Array.from({ length: topK }, (_, choice) => (token + choice * 7) % experts);
  const logits = randomFloats(tokens * experts, 1);
  const routes = bench.empty(routesLength(shape, tokens) * 4);
  const buffers = {
    logits: bench.vectors(experts / 4, tokens, logits),
    routes,
    table: bench.buffer(Uint32Array.from(Array.from({ length: tokens }, (_, token) => ids(token)).flat())),
    batch: bench.buffer(Uint32Array.of(tokens, 0, 0, 0, ...Array.from({ length: tokens }, (_, token) => token))),
  };
  return {
    operations: [routerTable(shape, buffers, tokens, bench.open.subgroupSize, plainLayout)],
    counts: { ...noCounts, tokens },
    check: async () => {
      const words = await bench.readWords(routes, (tokens + 1) * topK);
      const expected = routerTableReference(logits.subarray(0, experts), ids(0), shape);
      if (!expected.every(({ id }, i) => words[i] === id)) return 1;
      const weights = new Float32Array(words.buffer, words.byteOffset + tokens * topK * 4, topK);
      return distance(
        weights,
        Float64Array.from(expected, ({ weight }) => weight),
      );
    },
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

/** Hyper-connections: what a block gets of four streams, how its result joins them, and their start, against double precision; rows of one lane's vectors and of more. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Place } from '../../kernels/kernel.ts';
import { randomFloats } from '../../kernels/random.ref.ts';
import { joinedReference, mixedReference, mixReference, streamsBound } from '../../kernels/streams.ref.ts';
import { keptLength, mixLength, streamCount, streamsJoin, streamsMix, streamsStart } from '../../kernels/streams.ts';
import { compare, Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => gpu.open[Symbol.dispose]());

const tokens = 3;
const counts = { tokens, logitRows: 0, items: 0, clears: 0, copies: 0 };
const [turns, epsilon, least] = [20, 1e-6, 1e-6];

it.each([
  [32, 'texture', 1],
  [288, 'buffer', 1],
  // Coefficients at the ends of what a sigmoid and a softmax give.
  [36, 'buffer', 100],
] as const)('rows of %i in a %s, mixes up to %i', { timeout: 120_000 }, async (columns, place: Place, greatest) => {
  const lanes = gpu.lanes;
  const width = streamCount * columns;
  const [streams, result] = [randomFloats(tokens * width, 1, 2), randomFloats(tokens * columns, 2, 2)];
  const mixes = randomFloats(tokens * mixLength(true), 3, greatest);
  const [scales, biases] = [Float32Array.of(0.7, 1.2, 0.4, 0), randomFloats(mixLength(true), 4)];
  const kept = gpu.buffer(new Float32Array(tokens * keptLength));
  const rows = (values: Float32Array<ArrayBuffer>, own: number) => gpu.vectors(values, own, place);
  const [x, joined] = [rows(new Float32Array(tokens * columns), columns), rows(new Float32Array(tokens * width), width)];
  const common = { streams: rows(streams, width), kept, columns, turns, epsilon, least, lanes, scales: gpu.uniform(scales) };
  await gpu.run(
    [
      streamsMix({ ...common, mixes: rows(mixes, mixLength(true)), y: x, joins: true, biases: gpu.uniform(biases) }),
      streamsJoin(rows(result, columns), common.streams, joined, kept, columns, lanes),
    ],
    counts,
  );
  const [mixed, next] = [await gpu.readVectors(x), await gpu.readVectors(joined)];
  const options = { scales, biases, turns, epsilon, least };
  const part = (values: Float32Array, own: number, token: number): Float32Array => values.subarray(token * own, (token + 1) * own);
  for (let token = 0; token < tokens; token++) {
    const reference = mixReference(part(streams, width, token), part(mixes, mixLength(true), token), options);
    expect(compare(part(mixed, columns, token), mixedReference(part(streams, width, token), reference)).error).toBeLessThan(streamsBound);
    const wanted = joinedReference(part(result, columns, token), part(streams, width, token), reference);
    expect(compare(part(next, width, token), wanted).error).toBeLessThan(streamsBound);
  }
  // Where streams end; and a start from one row.
  const ends = mixes.slice(0, tokens * streamCount);
  await gpu.run([streamsMix({ ...common, mixes: rows(ends, streamCount), y: x, joins: false, biases: gpu.uniform(biases.slice(0, 4)) })], counts);
  const last = await gpu.readVectors(x);
  for (let token = 0; token < tokens; token++) {
    const reference = mixReference(part(streams, width, token), part(ends, streamCount, token), options);
    expect(compare(part(last, columns, token), mixedReference(part(streams, width, token), reference)).error).toBeLessThan(streamsBound);
  }
  await gpu.run([streamsStart(rows(result, columns), joined, columns, lanes)], counts);
  const started = await gpu.readVectors(joined);
  for (let token = 0; token < tokens; token++)
    for (let k = 0; k < streamCount; k++) expect(part(started, columns, token * streamCount + k)).toEqual(part(result, columns, token));
  // The row added to streams that there are.
  await gpu.run([streamsStart(rows(result, columns), joined, columns, lanes, common.streams)], counts);
  const added = await gpu.readVectors(joined);
  expect(added).toEqual(streams.map((value, i) => value + (result[Math.floor(i / width) * columns + (i % columns)] ?? Number.NaN)));
});

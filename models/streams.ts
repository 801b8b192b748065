/**
 * Owns manifold-constrained hyper-connections as steps of a forward pass: a residual of four streams, of which each block gets a mixture and
 * into which its result is mixed. Source: DeepSeek-V4's inference code (hc_pre, hc_post, hc_head).
 */
import type { Slice, Vectors } from '../kernels/kernel.ts';
import { keptLength, mixLength, streamCount, streamsJoin, streamsMix, streamsStart } from '../kernels/streams.ts';
import type { WeightSpec, Weights } from './family.ts';
import type { Graph } from './graph.ts';

export interface StreamsConfig {
  readonly embeddingLength: number;
  readonly epsilon: number;
  /** Turns of Sinkhorn's iteration, and what is added to coefficients and their sums. */
  readonly streamTurns: number;
  readonly streamLeast: number;
}

/** Of a place where streams are mixed: `mix`, `mix biases`, `mix scales`. `tensor`: without `_fn`, `_base`, `_scale`; `joins`: a block's result joins them again. */
export function mixSpecs(c: StreamsConfig, name: string, tensor: string, joins: boolean): [string, WeightSpec][] {
  const rows = mixLength(joins);
  return [
    [`${name} mix`, { kind: 'matrix', columns: streamCount * c.embeddingLength, parts: [{ tensor: `${tensor}_fn`, rows }] }],
    [`${name} mix biases`, { kind: 'vector', parts: [{ tensor: `${tensor}_base`, rows }] }],
    [`${name} mix scales`, { kind: 'vector', parts: [{ tensor: `${tensor}_scale`, rows: joins ? 3 : 1 }] }],
  ];
}

/** Four streams, each of them x; or x added to each of four that are not the residual's. */
export function startStreams(c: StreamsConfig, g: Graph, x: Vectors, to?: Vectors): Vectors {
  const streams = g.scratchRows('streams', streamCount * c.embeddingLength);
  g.operations.push(streamsStart(x, streams, c.embeddingLength, g.settings.lanes, to));
  return streams;
}

/** What a block gets of the streams, with what `mixSpecs` lists. Good until the next call, like what joins. */
export function mixStreams(c: StreamsConfig, w: Weights, g: Graph, name: string, streams: Vectors, joins = true): Vectors {
  const { embeddingLength: columns, epsilon, streamTurns: turns, streamLeast: least } = c;
  const y = g.scratchRows('mixed streams', columns);
  const mixes = g.linear(joins ? 'stream mixes' : 'last stream mixes', w.matrix(`${name} mix`), streams);
  g.operations.push(
    streamsMix({
      ...{ streams, mixes, y, kept: keptOf(g), columns, joins, turns, epsilon, least, lanes: g.settings.lanes },
      biases: w.vector(`${name} mix biases`),
      scales: w.vector(`${name} mix scales`),
    }),
  );
  return y;
}

/** The streams with a block's result. What comes back is good until the next but one call, `streams` until the next. */
export function joinStreams(c: StreamsConfig, g: Graph, streams: Vectors, result: Vectors): Vectors {
  const first = g.scratchRows('streams', streamCount * c.embeddingLength);
  const y = streams === first ? g.scratchRows('next streams', streamCount * c.embeddingLength) : first;
  g.operations.push(streamsJoin(result, streams, y, keptOf(g), c.embeddingLength, g.settings.lanes));
  return y;
}

function keptOf(g: Graph): Slice {
  return g.scratchBuffer('kept of streams', g.settings.maxTokens * keptLength * 4);
}

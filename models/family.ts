/**
 * Owns what a model family is: how its settings are read, which tensors it needs, and its forward pass.
 * Refuses to know file formats and devices.
 */

import type { Slice } from '../kernels/kernel.ts';
import type { Graph, LoadedMatrix } from './graph.ts';

/** Settings of a checkpoint; a missing or wrongly typed key throws unless a fallback is given. */
export interface Settings {
  /** A whole number from 1 to 2^24. */
  integer(key: string, fallback?: number): number;
  number(key: string, fallback?: number): number;
  has(key: string): boolean;
  /** Throws model_unsupported unless the condition is met. */
  demand(isMet: boolean, part: string, expected: string | number, found: string | number): void;
}

/** A matrix made of the rows of one or more tensors of equal width, one below the other; all but the last have rows in multiples of 4. */
export interface MatrixSpec {
  readonly kind: 'matrix';
  readonly parts: readonly { readonly tensor: string; readonly rows: number }[];
  readonly columns: number;
  readonly optional?: boolean;
  /** Two parts of equal height, whose quads of rows take turns where their storage is the same. */
  readonly interleaved?: boolean;
  /** Rows are looked up and not only multiplied, so that columns must be in their own order. */
  readonly isTable?: boolean;
}

/** A vector that the device reads as f32. */
export interface VectorSpec {
  readonly kind: 'vector';
  readonly tensor: string;
  readonly length: number;
}

/** A vector that only the host reads, to make tables. */
export interface HostSpec {
  readonly kind: 'host';
  readonly tensor: string;
  readonly length: number;
  readonly optional?: boolean;
}

export type WeightSpec = MatrixSpec | VectorSpec | HostSpec;

export interface Weights {
  matrix(name: string): LoadedMatrix;
  optionalMatrix(name: string): LoadedMatrix | undefined;
  /** A buffer that kernels read as a uniform (weights of norms) or as storage (biases of matmuls). */
  vector(name: string): Slice;
  host(name: string): Float32Array | undefined;
}

/** What every family says about its size, so that memory can be planned. */
export interface ModelShape {
  readonly layerCount: number;
  readonly embeddingLength: number;
  readonly vocabularySize: number;
  /** Positions the model was trained for. */
  readonly contextLength: number;
  readonly kvHeads: number;
  readonly headLength: number;
  /** Positions that a token sees in the layer that looks furthest back; undefined where some layer sees all of them. */
  readonly window?: number | undefined;
}

export interface Family<Config extends ModelShape = ModelShape> {
  /** `general.architecture` of the checkpoint. */
  readonly architecture: string;
  readConfig(settings: Settings, tensorShape: (name: string) => readonly number[] | undefined): Config;
  /** By the name that `forward` uses. */
  weights(config: Config): ReadonlyMap<string, WeightSpec>;
  forward(config: Config, weights: Weights, graph: Graph): void;
}

/**
 * Owns the shape of a kernel as the rest of the engine sees it: bindings, variants, and an operation (a kernel
 * bound to its buffers, ready to be dispatched every step). Refuses to touch a device.
 */
import type { VariantSource } from './compose.ts';

export type BindingKind = 'read' | 'write' | 'uniform' | `${'read' | 'write'} ${TexelFormat}`;

/** Four numbers of 32 bits. */
export type TexelFormat = 'rgba32uint' | 'rgba32float';

/**
 * Where vectors of 16 bytes lie, for the kernels that can do with both. lavapipe checks each lane's buffer load by itself but
 * calls one function for the texel loads of all lanes. SwiftShader is better off with buffers.
 */
export type Place = 'buffer' | 'texture';

/** A kernel with its choices made; `label` (e.g. `matmul/q4_1/f32/normed/gated-silu/ttt/sg8/t1q2`) names it in errors, profiles and tests. */
export interface Variant extends VariantSource {
  readonly label: string;
  /** In the order of @binding. */
  readonly bindings: readonly BindingKind[];
}

/** Part of a buffer; offset and size in bytes. */
export interface Slice {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** A storage texture of 16-byte texels, all of it. */
export interface Plane {
  readonly texture: GPUTexture;
  readonly view: GPUTextureView;
}

/** Rows of 16-byte vectors. */
export type Vectors = Slice | Plane;

export function placeOf(vectors: Vectors): Place {
  return 'texture' in vectors ? 'texture' : 'buffer';
}

export function bindingKind(access: 'read' | 'write', place: Place, format: TexelFormat = 'rgba32float'): BindingKind {
  return place === 'buffer' ? access : `${access} ${format}`;
}

/** What a step counts, and so what a grid may depend on. */
export interface StepCounts {
  tokens: number;
  logitRows: number;
  items: number;
  clears: number;
  copies: number;
  /** Sequences that tokens are of, and blocks of recurrent state to clear: of models that have such state. */
  sequences?: number;
  stateClears?: number;
}

/** One dispatch of every step: resources are fixed, the variant and the grid depend on the counts of the step. */
export interface Operation {
  readonly variants: readonly Variant[];
  /** Index into variants. */
  choose(counts: StepCounts): number;
  /** Workgroups; a zero skips the dispatch. */
  gridX(counts: StepCounts, variant: number): number;
  gridY(counts: StepCounts, variant: number): number;
  /** In the order of the variants' bindings. */
  readonly resources: readonly Vectors[];
  /** Words of the uniform, bound last; integers and floats share one array. */
  readonly params?: Uint32Array;
}

/** Uniform words: whole numbers as u32, `{ f32 }` as bits of a float. */
export function packParams(...values: readonly (number | { readonly f32: number })[]): Uint32Array {
  const words = new Uint32Array(Math.ceil(values.length / 4) * 4);
  const floats = new Float32Array(words.buffer);
  values.forEach((value, i) => {
    if (typeof value === 'number') words[i] = value;
    else floats[i] = value.f32;
  });
  return words;
}

/** Owns the static table of model families. */
import type { Family } from './family.ts';
import { llama } from './llama.ts';

/** By `general.architecture`. */
export const families: ReadonlyMap<string, Family> = new Map<string, Family>([[llama.architecture, llama]]);

export type { Family, MatrixSpec, ModelShape, Settings, WeightSpec, Weights } from './family.ts';
export { Graph, type GraphMatmul, type LoadedMatrix } from './graph.ts';

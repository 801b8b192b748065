/** Owns the door of the models: the families, and what their forward passes are made with. */
export { families } from './families.ts';
export type { ExpertBiasSpec, ExpertsSpec, ExpertTensors, Family, LayerCache, MatrixSpec, ModelShape, VectorSpec, WeightSpec, Weights } from './family.ts';
export { Graph, type GraphMatmul, type GraphSettings, type LoadedMatrix, type Pool } from './graph.ts';

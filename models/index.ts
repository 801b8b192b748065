/** Owns the door of the models: the families, and what their forward passes are made with. */
export { mostGuesses, poolShapeOf, stateLengthOf } from './caches.ts';
export { families } from './families.ts';
export type {
  Encoder,
  ExpertBiasSpec,
  ExpertsSpec,
  ExpertTensors,
  Family,
  HostSpec,
  LayerCache,
  MatrixSpec,
  ModelShape,
  TensorPart,
  VectorSpec,
  WeightSpec,
  Weights,
} from './family.ts';
export {
  Graph,
  type GraphMatmul,
  type GraphSettings,
  type HandedRows,
  type LayerRange,
  type LoadedMatrix,
  type PagedExperts,
  type Pool,
  type StatePool,
} from './graph.ts';

/**
 * Owns the models that `inward doctor` sizes when none is named: the shapes of well-known ones of a family that Inward
 * runs, as their publishers state them. Refuses to be a list of what is supported.
 */

export interface KnownModel {
  readonly name: string;
  readonly parameterCount: number;
  readonly contextLength: number;
  readonly layerCount: number;
  readonly kvHeads: number;
  readonly headLength: number;
}

// biome-ignore format: a table
export const knownModels: readonly KnownModel[] = [
  { name: 'SmolLM2 135M', parameterCount: 134_515_008, contextLength: 8192, layerCount: 30, kvHeads: 3, headLength: 64 },
  { name: 'SmolLM2 360M', parameterCount: 361_821_120, contextLength: 8192, layerCount: 32, kvHeads: 5, headLength: 64 },
  { name: 'Llama 3.2 1B', parameterCount: 1_235_814_400, contextLength: 131_072, layerCount: 16, kvHeads: 8, headLength: 64 },
  { name: 'Llama 3.2 3B', parameterCount: 3_212_749_824, contextLength: 131_072, layerCount: 28, kvHeads: 8, headLength: 128 },
  { name: 'Llama 3.1 8B', parameterCount: 8_030_261_248, contextLength: 131_072, layerCount: 32, kvHeads: 8, headLength: 128 },
  { name: 'Llama 3.1 70B', parameterCount: 70_553_706_496, contextLength: 131_072, layerCount: 80, kvHeads: 8, headLength: 128 },
];

/**
 * Owns the checkpoints that a load is measured with: random weights in the shapes of released models, with as many layers as fill a size. Refuses
 * to be more: what they answer means nothing, and no tokenizer is there.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelConfig, ModelShape, WeightSpec } from '../../models/family.ts';
import { readConfigFile } from '../../runtime/checkpoint/folder.ts';
import { safetensorsBytes } from '../../test/safetensors-file.ts';
import { type LlamaShape, shapes, writeSynthetic } from '../synthetic.ts';
import { configDeepseekV4, listDeepseekV4Headers } from './deepseek-v4.ts';
import { poolOf } from './pools.ts';

export const checkpointNames = ['bf16', 'q4_k', 'experts', 'fp4'] as const;
export type CheckpointName = (typeof checkpointNames)[number];
/** Those whose layers are no larger than a GB or so. */
export const standardNames: readonly CheckpointName[] = ['bf16', 'q4_k', 'experts'];

/** As the header of a file names it; size in bytes. */
export interface Tensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly size: number;
}

/** Files of a folder, as publishers cut them: a few, each of many tensors. */
const shardCount = 4;
const configs = join(import.meta.dirname, '../../models/releases');
/** Rows of the vocabulary where layers are large: both tables would be most of a small file. */
const fewWords = 8192;

/** Of a small DeepSeek-V4. */
const fp4Sizes = { hidden_size: 256, num_attention_heads: 8, q_lora_rank: 128, o_groups: 2, n_routed_experts: 8, moe_intermediate_size: 128 };

/** Path of a new checkpoint of about `size` bytes, at least one layer, below `folder`. */
export function writeCheckpoint(name: CheckpointName, folder: string, size: number): string {
  const path = join(folder, name);
  if (name === 'bf16') return writeFolder(path, 'llama-3.2-1b', {}, size);
  if (name === 'experts') return writeFolder(path, 'qwen3-30b-a3b', { vocab_size: fewWords }, size);
  if (name === 'fp4') return writeDeepseekV4(path, fewWords, size);
  return writeGguf(`${path}.gguf`, { ...shapes['llama-3.1-8b'], vocabulary: fewWords } as LlamaShape, size);
}

/** Of one layer and a few MB: with the same storages, and so the same kernels that repack them. */
export function writeSmall(name: CheckpointName, folder: string): string {
  const path = join(folder, `small-${name}`);
  const sizes = { hidden_size: 256, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 64, intermediate_size: 512, vocab_size: 512 };
  if (name === 'bf16') return writeFolder(path, 'llama-3.2-1b', sizes, 1);
  if (name === 'experts') return writeFolder(path, 'qwen3-30b-a3b', { ...sizes, moe_intermediate_size: 256, num_experts: 8 }, 1);
  if (name === 'fp4') return writeDeepseekV4(path, 512, 1, fp4Sizes);
  return writeGguf(`${path}.gguf`, { layers: 1, embedding: 256, feedForward: 512, heads: 4, kvHeads: 2, headLength: 64, vocabulary: 512, hasOutput: true }, 1);
}

/** In Q4_K, its output in Q6_K. */
function writeGguf(path: string, shape: LlamaShape, size: number): string {
  const { embedding, feedForward, kvHeads, headLength } = shape;
  const layerSize = embedding * (2 * embedding + 2 * kvHeads * headLength + 3 * feedForward) * (144 / 256);
  writeSynthetic(path, { ...shape, layers: Math.max(1, Math.round(size / layerSize)) }, 'Q4_K');
  return path;
}

/** A folder in BF16 with the configuration of a release, but for its layers and `changes`. */
export function writeFolder(path: string, release: string, changes: Readonly<Record<string, unknown>>, size: number): string {
  mkdirSync(path);
  const config = { ...JSON.parse(readFileSync(join(configs, `${release}.json`), 'utf8')), ...changes };
  const tensorsWith = (layers: number): Tensor[] => {
    writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: layers }));
    return listTensors(readConfigFile(join(path, 'config.json')));
  };
  writeShards(path, fillWith(tensorsWith, size));
  return path;
}

/** Tensors of as many layers as fill the size, at least one. */
function fillWith(tensorsWith: (layers: number) => Tensor[], size: number): Tensor[] {
  const [one, two] = [1, 2].map((layers) => sum(tensorsWith(layers).map((tensor) => tensor.size))) as [number, number];
  return tensorsWith(Math.max(1, Math.round((size - one) / (two - one)) + 1));
}

/** In the layout of the release of DeepSeek-V4-Flash, with some of its layers, and `words` of its vocabulary. */
function writeDeepseekV4(path: string, words: number, size: number, sizes?: Readonly<Record<string, number>>): string {
  mkdirSync(path);
  const release = JSON.parse(readFileSync(join(configs, 'deepseek-v4-flash.json'), 'utf8'));
  const tensorsWith = (layers: number): Tensor[] => {
    const config = configDeepseekV4(release, layers, words, sizes);
    writeFileSync(join(path, 'config.json'), JSON.stringify(config));
    return listDeepseekV4Headers(config);
  };
  writeShards(path, fillWith(tensorsWith, size));
  return path;
}

interface Model {
  readonly family: { weights(config: ModelShape): ReadonlyMap<string, WeightSpec>; readConfig(config: ModelConfig): ModelShape };
  readonly config: ModelConfig;
}

/** What the family asks for, as publishers store it: a tensor an expert. */
function listTensors({ family, config }: Model): Tensor[] {
  const tensors = Array.from(family.weights(family.readConfig(config)).values(), tensorsOf).flat();
  return [...new Map(tensors.map((tensor) => [tensor.name, tensor])).values()];
}

function tensorsOf(spec: WeightSpec): Tensor[] {
  switch (spec.kind) {
    case 'matrix':
      return spec.parts.map(({ tensor, rows, within }) => bf16(tensor, [within?.rows ?? rows, spec.columns]));
    case 'vector':
      return spec.parts.map(({ tensor, rows }) => bf16(tensor, spec.columns === undefined ? [rows] : [rows, spec.columns]));
    case 'experts':
      return Array.from({ length: spec.experts }, (_, expert) => expert).flatMap((expert) =>
        spec.parts.map((part) => bf16(`${part.replace('*', String(expert))}.weight`, [spec.rows, spec.columns])),
      );
    case 'expertBias':
    case 'ids':
    case 'host':
      return [];
  }
}

function bf16(name: string, shape: readonly number[]): Tensor {
  return { name, dtype: 'BF16', shape, size: 2 * shape.reduce((product, dimension) => product * dimension, 1) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** In files of equal size, with an index. */
function writeShards(path: string, tensors: readonly Tensor[]): void {
  const most = sum(tensors.map(({ size }) => size)) / shardCount;
  const shards: Tensor[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    if (filled + tensor.size / 2 > most * shards.length && shards.length < shardCount) shards.push([]);
    shards.at(-1)?.push(tensor);
    filled += tensor.size;
  }
  const nameOf = (i: number): string => `model-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`;
  for (const [i, own] of shards.entries()) writeShard(join(path, nameOf(i)), own);
  const map = Object.fromEntries(shards.flatMap((own, i) => own.map(({ name }) => [name, nameOf(i)])));
  writeFileSync(join(path, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
}

function writeShard(path: string, tensors: readonly Tensor[]): void {
  let size = 0;
  const header = Object.fromEntries(
    tensors.map(({ name, dtype, shape, size: own }) => {
      const begin = size;
      size += own;
      return [name, { dtype, shape, data_offsets: [begin, size] }];
    }),
  );
  const file = openSync(path, 'w');
  try {
    writeSync(file, safetensorsBytes(header));
    for (const [i, { name, dtype, size: own }] of tensors.entries()) writeNumbers(file, poolOf(name, dtype), own, i);
  } finally {
    closeSync(file);
  }
}

/** Bytes: whole rows of ids, whole numbers of all else. */
const placeStep = 768;

/** Numbers of the pool over and over, from another place for each tensor. */
function writeNumbers(file: number, pool: Uint8Array, size: number, tensor: number): void {
  let from = Math.floor((((tensor * 0.381966) % 1) * pool.length) / placeStep) * placeStep;
  for (let done = 0; done < size; from = 0) {
    const count = Math.min(pool.length - from, size - done);
    writeSync(file, pool, from, count);
    done += count;
  }
}

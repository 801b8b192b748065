/**
 * Owns what a model family is: how its configuration is read, which tensors it needs, and its forward pass. A family speaks the words
 * of the files that are released as folders, Hugging Face's; what GGUF calls the same is a table. Refuses to know devices.
 */
import type { CompressedCache } from '../kernels/compressed.ts';
import type { ExpertMatrix } from '../kernels/experts.ts';
import type { Slice } from '../kernels/kernel.ts';
import type { Pooling } from '../kernels/pool.ts';
import type { Heads } from '../kernels/repack.ts';
import type { Graph, LoadedMatrix } from './graph.ts';

/** Keys of config.json, or what a GGUF file has in their place; a missing or wrongly typed key throws unless a fallback is given. null counts as missing. */
export interface ModelConfig {
  has(key: string): boolean;
  /** A whole number from 1 to 2^24. */
  integer(key: string, fallback?: number): number;
  number(key: string, fallback?: number): number;
  string(key: string, fallback?: string): string;
  boolean(key: string, fallback?: boolean): boolean;
  object(key: string): ModelConfig | undefined;
  /** Finite numbers, or undefined. */
  numbers(key: string): readonly number[] | undefined;
  strings(key: string): readonly string[] | undefined;
  /** Throws model_unsupported with the key unless the condition is met. `found` may be any text of the file. */
  demand(isMet: boolean, key: string, expected: string | number, found: string | number): void;
}

/** Rows of a matrix, or numbers of a vector, that are one tensor. */
export interface TensorPart {
  readonly tensor: string;
  readonly rows: number;
  /** Rows of zeros behind them. */
  readonly padding?: number;
  /** Where they are a part of the tensor: its first row that is meant, and all that it has. */
  readonly within?: { readonly firstRow: number; readonly rows: number } | undefined;
  /** Rows of these heads stand in folders as two halves, and are wanted as pairs side by side; GGUF files of some families have them so. */
  readonly heads?: Heads | undefined;
}

/** A matrix made of the rows of one or more tensors of equal width, one below the other; all but the last have rows in multiples of 4. */
export interface MatrixSpec {
  readonly kind: 'matrix';
  readonly parts: readonly TensorPart[];
  readonly columns: number;
  /** Columns of the tensors, where they have fewer: the others are zeros. Only where each number is stored by itself. */
  readonly storedColumns?: number;
  /** Two parts of equal height, whose quads of rows take turns where their storage is the same. */
  readonly interleaved?: boolean;
  /** Rows are looked up and not only multiplied, so that columns must be in their own order. */
  readonly isTable?: boolean;
  /** Rows of a head, which kernels take one by one, so that none may be cut apart; columns must be in their own order. */
  readonly headRows?: number;
}

/** A vector that the device reads as f32, made of tensors one behind the other. */
export interface VectorSpec {
  readonly kind: 'vector';
  readonly parts: readonly TensorPart[];
  /** Numbers of a row, where files keep it as a matrix; default 1. Dimensions of 1 say nothing. */
  readonly columns?: number;
  /** What folders store is one less than what is multiplied by; GGUF files have it whole. */
  readonly isOffset?: boolean;
  /** What folders store is the logarithm of what is multiplied by, which is below zero, without its sign; GGUF files have it whole. */
  readonly isLogarithm?: boolean;
}

/** A vector that only the host reads, to make tables. */
export interface HostSpec {
  readonly kind: 'host';
  readonly tensor: string;
  readonly length: number;
  readonly optional?: boolean;
}

/**
 * What every expert has, of one part or of several (gate and up) whose quads of rows take turns on the device. Files have it as a tensor an
 * expert, a tensor a part with the experts as its first dimension, or a tensor for all; which one is read from the file.
 */
export interface ExpertTensors {
  readonly experts: number;
  /** Of a part of one expert, and rows of zeros behind them; both together a multiple of 32. */
  readonly rows: number;
  readonly padding?: number;
  /** Names without `.weight`, with `*` for the number of the expert; one for all experts is the same without `*.`. */
  readonly parts: readonly string[];
  /** The tensor that holds all parts of all experts. In folders an expert's rows of a part are below those of the one before, or take turns with them; GGUF files have them below each other. */
  readonly joined?: { readonly tensor: string; readonly rows: 'below' | 'inTurns' };
}

/** Matrices of experts. */
export interface ExpertsSpec extends ExpertTensors {
  readonly kind: 'experts';
  /** A token has some of them, which a router chooses, so that not all need be on the device. */
  readonly isRouted?: true;
  readonly columns: number;
  /** As those of a MatrixSpec. */
  readonly storedColumns?: number;
  /** In folders a tensor of numbers for all experts has columns before rows: [experts, columns, rows]. Quantized ones have not. */
  readonly isTransposed?: boolean;
}

/** A number for each row of them. */
export interface ExpertBiasSpec extends ExpertTensors {
  readonly kind: 'expertBias';
}

/** Whole numbers that kernels read from a storage buffer, by rows; files have them in 64 bits. */
export interface IdsSpec {
  readonly kind: 'ids';
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  /** They are from 0 up to below this. */
  readonly below: number;
}

export type WeightSpec = MatrixSpec | VectorSpec | HostSpec | ExpertsSpec | ExpertBiasSpec | IdsSpec;

export interface Weights {
  matrix(name: string): LoadedMatrix;
  experts(name: string): ExpertMatrix;
  /** A buffer that kernels read as a uniform (weights of norms) or as storage (biases of matmuls and of experts, ids). */
  vector(name: string): Slice;
  /** undefined where it is optional and the file has none. */
  host(name: string): Float32Array | undefined;
}

/** What a layer keeps of each token, or of all of them. */
export type LayerCache =
  /** Keys and values; `window`: positions that a token sees, its own the last of them; undefined: all. */
  | { readonly kind: 'kv'; readonly kvHeads: number; readonly headLength: number; readonly window?: number | undefined }
  /** Recurrent state of the whole sequence: so many f32, a multiple of 4. */
  | { readonly kind: 'state'; readonly length: number }
  /**
   * One row for all heads: a latent, which keys and values are made of, and what of the key is rotated (multi-head latent attention); in layers with
   * an indexer also the key that it chooses by. `topK`: rows that a token attends to at most; undefined: all.
   */
  | {
      readonly kind: 'latent';
      readonly latentLength: number;
      readonly ropeLength: number;
      readonly indexLength?: number | undefined;
      readonly topK?: number | undefined;
    }
  /** Rows of the last tokens in a sequence's state, and in the pool an entry for several tokens (kernels/compressed.ts). */
  | ({ readonly kind: 'compressed' } & CompressedCache)
  /** Nothing: it reads what another layer has stored. */
  | { readonly kind: 'none' };

/** What an encoder makes of a sequence. */
export interface Encoder {
  readonly pooling: Pooling;
  /** What it gives has length 1, unless other vectors are asked for. */
  readonly isNormalized: boolean;
}

/** What every family says about its size, so that memory can be planned. */
export interface ModelShape {
  readonly embeddingLength: number;
  readonly vocabularySize: number;
  /** Positions the model was trained for. */
  readonly contextLength: number;
  /** One a layer. */
  readonly caches: readonly LayerCache[];
  /** Sequences that may become longer than so many tokens turn their heads by other frequencies than shorter ones (`Graph.rotation`). */
  readonly longFrom?: number | undefined;
  /** Behind the layers is one more (the last of `caches`), by which a step expects a token behind each one that it chooses: a guess for the next step (`draft`). */
  readonly foresees?: boolean | undefined;
  /** Every token sees all of its sequence, which is computed in one step, and what comes of it is one vector of the embedding length; undefined: a decoder. */
  readonly encoder?: Encoder | undefined;
}

/** A name as folders have it, and what GGUF has in its place. */
export type TensorRule = readonly [name: RegExp, gguf: string];

/** What a key of config.json can stand for. */
export type ConfigValue = number | string | boolean | readonly number[] | readonly string[];

/** What can be asked of a GGUF file to answer a key that it does not have. Keys come without the architecture. */
export interface GgufFacts {
  hasTensor(name: string): boolean;
  /** undefined: no such key. */
  number(key: string): number | undefined;
  /** Of a list with a number a layer, or of one number for all of them; true is 1. */
  numbers(key: string): readonly number[] | undefined;
  string(key: string): string | undefined;
}

/** How GGUF files of a family differ from what they share with those of others (runtime/checkpoint/gguf-config.ts). */
export interface GgufForm {
  /** `general.architecture`. */
  readonly architecture: string;
  /** Keys of config.json, those of `rope_scaling` among them: by what stands behind the architecture in GGUF's, or how they follow from others. */
  readonly keys?: Readonly<Record<string, string | ((file: GgufFacts) => ConfigValue | undefined)>>;
  readonly tensors?: readonly TensorRule[];
  /** Rows of rotated heads already stand as pairs side by side. */
  readonly hasPairs?: boolean;
}

export interface Family<Config extends ModelShape = ModelShape> {
  /** As messages call it; the `model_type` of its plainest config.json. */
  readonly name: string;
  /** `model_type`, of the text part where there are several, that are read so. */
  readonly modelTypes: readonly string[];
  readonly gguf?: GgufForm;
  /** Its `readConfig` gives an encoder, for which folders may have the files of sentence-transformers. */
  readonly isEncoder?: true;
  /** `foresees`: with its block for multi-token prediction, where the engine has the family's (`ModelShape.foresees` says so). */
  readConfig(config: ModelConfig, foresees?: boolean): Config;
  /** By the name that `forward` uses. */
  weights(config: Config): ReadonlyMap<string, WeightSpec>;
  /**
   * Whether layers from `layer` on can be another device's, which is given the rows that enter them and nothing else; then `forward` asks the graph
   * which layers it is about (`enter`, `layers`, `leave`). Left out: nowhere.
   */
  canCut?(config: Config, layer: number): boolean;
  forward(config: Config, weights: Weights, graph: Graph): void;
}

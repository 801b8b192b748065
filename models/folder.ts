/**
 * Owns what a family says about its checkpoints as folders: config.json and tensor names as Hugging Face transformers writes them,
 * in the family's own words. Refuses to read files, and quantization: that is the checkpoint's business.
 */
import type { Heads } from '../kernels/repack.ts';

/** An object of config.json; a missing or wrongly typed key throws checkpoint_invalid unless a fallback is given. null counts as missing. */
export interface ConfigReader {
  /** A whole number from 1 to 2^24. */
  integer(key: string, fallback?: number): number;
  number(key: string, fallback?: number): number;
  string(key: string, fallback?: string): string;
  boolean(key: string, fallback?: boolean): boolean;
  object(key: string): ConfigReader | undefined;
  /** Two whole numbers of the same kind, or undefined. */
  pair(key: string): readonly [number, number] | undefined;
  /** Throws model_unsupported with the key unless the condition is met. `found` may be any text of the file. */
  demand(isMet: boolean, key: string, expected: string | number, found: string | number): void;
}

/** A checkpoint folder in the words of its family. */
export interface FolderModel {
  /** By the keys that the family's readConfig asks for. */
  readonly settings: ReadonlyMap<string, number | string>;
  /** Weights, however they are stored. */
  readonly parameterCount: number;
  /** Small tensors that follow from config.json, by the family's names. */
  readonly computed: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** The name in the files of one of the family's tensors; undefined where this model has no such tensor. */
  tensorName(name: string): string | undefined;
  /** Heads of query and key rows that are written as two halves; undefined for other tensors. */
  headsOf(name: string): Heads | undefined;
}

export interface FolderForm {
  /** `model_type` of config.json. */
  readonly modelType: string;
  read(config: ConfigReader): FolderModel;
}

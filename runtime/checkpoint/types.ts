/**
 * Owns the types of the door `inward/checkpoint`: what a model file says about itself. Refuses behaviour.
 */
import type { Family, ModelConfig } from '../../models/family.ts';
import type { Quantization } from './quantization.ts';

/** Storage types that some engine of the field writes; whether a kernel exists for one is the kernels' business. */
export type StorageName = 'F32' | 'F16' | 'BF16' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q2_K' | 'Q3_K' | 'Q4_K' | 'Q5_K' | 'Q6_K' | (string & {});

/** One tensor of a model file: where its bytes are and what they mean. */
export interface TensorHeader {
  readonly name: string;
  readonly storage: StorageName;
  /** Outermost first, as the field writes shapes: [rows, columns] for a matrix. (GGUF stores innermost first.) */
  readonly shape: readonly number[];
  /** Absolute place in the file, in bytes. */
  readonly offset: number;
  /** In bytes. */
  readonly size: number;
}

/** GGUF arrays of numbers come as typed arrays or number[]; 64-bit values as number when exact, else bigint. */
export type MetadataValue = number | bigint | boolean | string | readonly MetadataValue[] | Float32Array | Int32Array | Uint32Array | Uint8Array;

/** How the file has what the family asks for. */
export interface TensorNames {
  /** The name in the file of one of the family's tensors. */
  nameOf(name: string): string;
  /** Rows of rotated heads stand as pairs side by side, not as halves. */
  readonly hasPairs: boolean;
  /** Weights of norms are what is multiplied by, also where folders store one less. */
  readonly hasWholeNorms: boolean;
}

/** An open model file. Disposing it closes the file. */
export interface Checkpoint extends Disposable {
  readonly path: string;
  /** In bytes. */
  readonly fileSize: number;
  /** By key. Long arrays of strings stay in the file and are read anew at each `get`. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** By name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorHeader>;
  readonly format: 'gguf' | 'folder';
  /** What a family is told; undefined where its name is none of those that are known. */
  readonly model?: { readonly family: Family; readonly config: ModelConfig } | undefined;
  readonly names: TensorNames;
  /** What tensors of a folder do not show by themselves; those of a GGUF file do. */
  readonly quantization: Quantization;
  /** Fills `into` from the absolute file position (of all files of a folder as one); throws gguf_invalid or checkpoint_invalid when a file has become shorter. */
  read(position: number, into: Uint8Array): void;
  /** The name of the file that has this position, as an error may show it; without one that of the model. */
  fileAt(position?: number): string;
}

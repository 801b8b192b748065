/** Owns the types of a plan over several devices. Refuses behaviour. */
import type { ModelShape } from '../../models/index.ts';
import type { KvFormat, MemoryPlan } from '../types.ts';

/** A device as its maker describes it, or a size of memory alone. Nothing of it is measured. */
export interface Accelerator {
  readonly name: string;
  readonly label: string;
  /** Bytes that a model may have. */
  readonly memory: number;
  /** Bytes a second between memory and processor; undefined: not known, and no time is told. */
  readonly bandwidth?: number;
  /** Where the two numbers are published. */
  readonly source?: string;
}

/**
 * What a layer keeps: `kv` keys and values, `latent` rows that are both, `window` the last rows alone, `compressed` an entry for several tokens, `index`
 * keys that only choose entries, `open` rows of an entry that is not complete, `state` of a recurrent layer.
 */
export type CacheKind = 'kv' | 'latent' | 'window' | 'compressed' | 'index' | 'open' | 'state';

/** A cache of one layer. */
export interface CacheBill {
  readonly kind: CacheKind;
  /** Bytes of an entry. */
  readonly entrySize: number;
  /** Tokens that an entry stands for; undefined: a sequence has `count` entries whatever its length. */
  readonly every?: number;
  /** Tokens whose slots hold one entry, where that is fewer: a block has room for one even if it ends in another. */
  readonly room?: number;
  readonly count?: number;
  /** Entries of a sequence that a step reads at most; undefined: all. */
  readonly readMost?: number;
}

/** Weights of one place that are read together. */
export interface WeightBill {
  /** Layer, or what stands before the first and behind the last; `prediction`: layers that only guess tokens ahead, which are not in the plan. */
  readonly place: number | 'first' | 'last' | 'prediction';
  /** Bytes on the device. */
  readonly size: number;
  /** Experts that share it equally; a token reads `chosen` of them. */
  readonly experts?: number;
  /** Single rows of it are read, which counts as nothing. */
  readonly isTable?: true;
  /** Another place has the same, so that it takes room only where the two are on different devices. */
  readonly isCopy?: true;
}

/** A model as bytes. */
export interface ModelBill {
  readonly name: string;
  readonly family: string;
  /** Parameters of what is in the plan. */
  readonly parameterCount: number;
  /** What the KV blocks are counted by. */
  readonly shape: Pick<ModelShape, 'contextLength' | 'caches'>;
  readonly weights: readonly WeightBill[];
  /** Experts that a token chooses in a layer. */
  readonly chosen: number;
  /** One list a layer. */
  readonly caches: readonly (readonly CacheBill[])[];
  /** Bytes of a token between two layers. */
  readonly streamSize: number;
  /** Bytes that a step works in on each device. */
  scratchSize(plan: MemoryPlan): number;
}

/** What one device gets; sizes in bytes. */
export interface StageFit {
  readonly firstLayer: number;
  readonly layerCount: number;
  readonly weightSize: number;
  readonly cacheSize: number;
  readonly scratchSize: number;
  readonly totalSize: number;
  /** Experts of each layer that are there at a time, where there is not room for all; 0: for none, so that it does not fit. */
  readonly expertSlots?: number;
  readonly fits: boolean;
}

/** A kind of cache over all layers that have it. */
export interface CacheFit {
  readonly kind: CacheKind;
  readonly every?: number;
  readonly layerCount: number;
  /** Bytes of a token, and of a sequence whatever its length. */
  readonly tokenSize: number;
  readonly sequenceSize: number;
  /** Of all sequences at their full length. */
  readonly size: number;
}

/**
 * The least that decoding can take: bytes moved over published bandwidth, every sequence at the end of its context, routing even over the experts.
 * Computing, hand-over between devices and everything else comes on top.
 */
export interface DecodeFloor {
  readonly sequences: number;
  /** Bytes that all devices together read for a token of each sequence. */
  readonly stepSize: number;
  /** Bytes of experts that are not on the devices, and come from files: no time is counted for them. */
  readonly fetchedSize?: number;
  /** Until a sequence has its next token: the stages one after the other. */
  readonly tokenMs?: number;
  /** Of all sequences, in as many groups as there are stages, so that every stage has one. */
  readonly tokensPerSecond?: number;
}

/** A model over several devices, layer after layer. All of it is computed, nothing measured. */
export interface StagePlan {
  readonly isComputed: true;
  readonly name: string;
  readonly family: string;
  readonly parameterCount: number;
  readonly modelContextLength: number;
  /** The engine has the family. */
  readonly canRun: boolean;
  readonly device: Accelerator;
  readonly count: number;
  readonly contextLength: number;
  readonly maxSequences: number;
  readonly tokenBudget: number;
  readonly kv: KvFormat;
  readonly stages: readonly StageFit[];
  readonly caches: readonly CacheFit[];
  readonly weightSize: number;
  readonly cacheSize: number;
  readonly totalSize: number;
  /** Of the layers that guess tokens ahead, which are not in the plan; 0: none. */
  readonly predictionSize: number;
  /** Bytes that a token takes from one device to the next. */
  readonly streamSize: number;
  readonly fits: boolean;
  /** The cache of a layer that one binding cannot hold, if there is one: its bytes. */
  readonly overBinding?: number;
  /** Devices of this kind that are enough for what was asked; undefined: no number is, one layer a device. */
  readonly fewestDevices?: number;
  /** With so many sequences; 0: none. */
  readonly largestContext: number;
  /** With so long a context; 0: none. */
  readonly mostSequences: number;
  readonly floors: readonly DecodeFloor[];
}

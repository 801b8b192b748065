/**
 * Owns the types of the door `inward`: what an embedder gives to the engine and gets back.
 * Token ids only: the engine knows no text. Refuses to hold behaviour.
 */
import type { MatrixUnit } from '../kernels/matrix_unit.ts';
import type { KernelFamily } from '../kernels/tiles.ts';
import type { Encoder } from '../models/index.ts';
import type { ErrorCode } from './errors.ts';

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Index into the vocabulary of the loaded model. */
export type TokenId = Brand<number, 'TokenId'>;
/** Place of a block in the KV pool. */
export type BlockId = Brand<number, 'BlockId'>;

/** The devices in the order in which `auto` tries them. */
export const deviceNames = ['gpu', 'lavapipe', 'swiftshader'] as const;
/** What a model runs on: a GPU, or one of two Vulkan drivers for CPUs. */
export type DeviceName = (typeof deviceNames)[number];

/** Storages of the KV cache; the first is the default. */
export const kvFormats = ['f16', 'f32', 'q8'] as const;
/** What quantized weights can be multiplied by; the first is the default. */
export const activationFormats = ['f32', 'int8'] as const;
/** Storage of K and V. */
export type KvFormat = (typeof kvFormats)[number];
/** What linear layers with quantized weights multiply by: f32, or blocks of int8 made from it. */
export type ActivationFormat = (typeof activationFormats)[number];

/** Classes of requests, the more urgent first; the first is the default. */
export const priorities = ['interactive', 'batch'] as const;
/** Whose turn comes first. While both wait, `batch` gets a ninth of the service; it gives way where there is no room for both. */
export type Priority = (typeof priorities)[number];

/** Lowest and highest value of a whole-number option, and the one taken when it is left out. */
export interface NumberOption {
  readonly low: number;
  readonly high: number;
  readonly standard: number;
}

type EngineNumber =
  | 'contextLength'
  | 'maxSequences'
  | 'kvTokens'
  | 'queueLength'
  | 'tokenBudget'
  | 'prefixSeconds'
  | 'prefixQuota'
  | 'draftLength'
  | 'stages'
  | 'microBatches';
/** The whole-number options of an engine. */
export const engineNumbers: Readonly<Record<EngineNumber, NumberOption>> = {
  /** By default, no more than the model's own limit. */
  contextLength: { low: 1, high: 2 ** 24, standard: 4096 },
  maxSequences: { low: 1, high: 2 ** 12, standard: 8 },
  /** Raised to one context. */
  kvTokens: { low: 1, high: 2 ** 30, standard: 4096 },
  queueLength: { low: 0, high: 2 ** 20, standard: 64 },
  tokenBudget: { low: 1, high: 2 ** 16, standard: 128 },
  prefixSeconds: { low: 0, high: 86_400, standard: 300 },
  prefixQuota: { low: 1, high: 100, standard: 50 },
  draftLength: { low: 0, high: 15, standard: 3 },
  stages: { low: 1, high: 64, standard: 1 },
  microBatches: { low: 1, high: 64, standard: 4 },
};

/** Who guesses tokens that are computed along with the next one; the first is the default. */
export const draftKinds = ['text', 'mtp'] as const;
/** `text`: what followed where the text so far stood before. `mtp`: the model's own block for multi-token prediction, one token a step. */
export type DraftKind = (typeof draftKinds)[number];

/** How kernels are fitted to the device while an engine opens; the first is the default. */
export const tuneModes = ['off', 'quick', 'complete', 'anew'] as const;
/**
 * `off`: the built-in choice. `quick`: what was measured before, and else a few seconds of measuring.
 * `complete`: whatever has not been measured yet, however long it takes. `anew`: everything, as if for the first time.
 */
export type TuneMode = (typeof tuneModes)[number];

/** What a choice of kernels depends on besides the kernels and the shapes. */
export interface TunedDevice {
  readonly name: DeviceName;
  /** Adapter and driver as the driver calls itself. */
  readonly adapter: string;
  readonly subgroupSize: number;
  readonly family: KernelFamily;
  readonly matrixUnit?: MatrixUnit | undefined;
  readonly int8Unit?: MatrixUnit | undefined;
}

/** How long one dispatch of a tile took. */
export interface TimedTile {
  /** `t4q2`: four tokens and two quads of rows a lane. */
  readonly tile: string;
  /** Tokens of the dispatch. */
  readonly tokens: number;
  /** Least and median of several measurements. */
  readonly ms: number;
  readonly usualMs: number;
}

/** One shape of matmul of a model, and its tiles: those of more tokens serve larger steps. */
export interface TunedShape {
  /** `Q4_1 576 x 1536, f32, add`: storage, rows, columns, activations, what happens on the way in and out. */
  readonly shape: string;
  readonly builtIn: readonly string[];
  /** What runs. */
  readonly chosen: readonly string[];
  readonly candidates: readonly string[];
  readonly times: readonly TimedTile[];
  /** Part of the built-in tile's time that another must save to be chosen, of the least and of the usual one. */
  readonly leastGain: number;
  readonly isMeasured: boolean;
}

/** Which kernels run, and from where that is known. */
export interface Tuning {
  readonly source: 'built-in' | 'stored' | 'measured';
  /** Every matmul keeps to tiles that add in one order: see `deterministic` of the options. */
  readonly isDeterministic: boolean;
  /** What looking up or measuring took, in ms. */
  readonly ms: number;
  /** Where measurements are kept. */
  readonly file?: string;
  readonly shapes: readonly TunedShape[];
  /** What was wrong with the file, in a sentence. */
  readonly notice?: string;
}

/** How far the opening of an engine is: `weights` in bytes, then perhaps `tuning` and always `kernels`, compiled and run once, in parts of no unit. */
export interface OpenProgress {
  readonly part: 'weights' | 'tuning' | 'kernels';
  readonly done: number;
  readonly total: number;
}

/** What `openEngine` is given. Out of range: invalid_option. */
export interface EngineOptions {
  /** Path of a GGUF file. */
  readonly modelPath: string;
  /** Default `auto`: hardware GPU, else lavapipe, else SwiftShader. */
  readonly device?: DeviceName | 'auto';
  /** Tokens that prompt and completion of one sequence may have together. Default: the model's own limit, at most 4,096. */
  readonly contextLength?: number;
  /** Sequences that run at the same time. Default 8. */
  readonly maxSequences?: number;
  /** Tokens that the KV pool holds for all sequences together, at least one context. Default 4,096. */
  readonly kvTokens?: number;
  /** Requests that may wait beside the running ones before `queue_full`. Default 64. */
  readonly queueLength?: number;
  /** Tokens that one step computes at most, prefill and decode together. Default 128. */
  readonly tokenBudget?: number;
  /** How long keys and values of a prompt stay for the same tenant's next one that begins alike, in seconds since they were used last. Default 300; 0: not at all. */
  readonly prefixSeconds?: number;
  /** Part of the KV cache that may be kept for one tenant's next prompts, in percent. Default 50. */
  readonly prefixQuota?: number;
  /** Who guesses tokens. Default `text`; `mtp` loads one more block, of DeepSeek-V4 only, and all of the model must be on one device. */
  readonly draft?: DraftKind;
  /** Tokens that are guessed and computed along with the next one, at most; fewer where a model's caches do not go back so far. What is drawn is the same. Default 3; 0: none. */
  readonly draftLength?: number;
  /** Devices that the layers are spread over, each with a process of its own: GPUs of one machine, or software devices side by side. Default 1. */
  readonly stages?: number;
  /** Parts that a step is cut into at most where there are stages, so that they work at the same time. Default 4. */
  readonly microBatches?: number;
  /** The tokens of the model, for requests with a grammar (`TextModel.vocabulary`). Default: none, and such requests are refused. */
  readonly vocabulary?: GrammarVocabulary;
  /** Storage of K and V. Default `f16`. */
  readonly kv?: KvFormat;
  /**
   * Bytes that experts of a mixture may take on the device, at least one of each layer; the others are brought there when a token's router chooses them, or
   * ahead of that where the layer before can tell. What is computed is the same. Default: all are there.
   */
  readonly expertMemory?: number;
  /** Bytes of host memory for parts of the model's files with experts, those used last; what is not there is read from the files. Only with `expertMemory`. Default: none. */
  readonly expertHostMemory?: number;
  /** What linear layers with quantized weights multiply by. Default `f32`, exact; `int8` is for weights of four and five bits, and makes long prompts and full batches faster on CPU devices. */
  readonly activations?: ActivationFormat;
  /** Whether kernels are fitted to the device by measurement. Default `off`: a library writes to no folder unasked; the command `inward` says `quick`. */
  readonly tune?: TuneMode;
  /** Where measurements are kept. Default `tuning.json` in the user's cache folder, beside drivers and models. */
  readonly tuningFile?: string;
  /** A result does not depend on what else is in the batch, whichever kernels run. Default true; false may let more kernels take part. */
  readonly deterministic?: boolean;
  /** For PHI: the engine's process can write no file at all, and drivers keep no compiled kernels, so that each start compiles them. Default false. */
  readonly keepsNothing?: boolean;
  /** Called while the engine opens. */
  readonly onProgress?: (progress: OpenProgress) => void;
  /** Called when the engine's process is lost, and when another one has taken over. */
  readonly onRestart?: (restart: EngineRestart) => void;
}

/** What became of a lost engine process: `isReady` says whether another one has taken over. */
export interface EngineRestart {
  /** Why it was lost: engine_stopped, engine_stuck, device_lost, internal. */
  readonly code: ErrorCode;
  /** Times that another process has taken over, since the engine was opened. */
  readonly count: number;
  readonly isReady: boolean;
}

/** What an engine will take, known before it is opened; sizes in bytes. */
export interface MemoryPlan {
  readonly contextLength: number;
  readonly maxSequences: number;
  readonly tokenBudget: number;
  readonly kv: KvFormat;
  readonly activations: ActivationFormat;
  /** Tokens that the KV cache holds for all sequences. */
  readonly kvTokens: number;
  readonly kvBlocks: number;
  /** Of one layer: one binding must hold it. */
  readonly kvLayerSize: number;
  readonly kvSize: number;
  /** Recurrent state of `maxSequences` sequences, of the layer that has most and of all; 0 for models without. */
  readonly stateLayerSize: number;
  readonly stateSize: number;
}

/** The plan for a model file. */
export interface ModelPlan extends MemoryPlan {
  readonly family: string;
  /** `general.name`, '' when the file does not say. */
  readonly name: string;
  readonly parameterCount: number;
  /** Positions that the model was trained for. */
  readonly modelContextLength: number;
  /** What it makes of a text; undefined: a decoder. The KV cache of an encoder is that of one step. */
  readonly encoder?: Encoder | undefined;
  readonly weightSize: number;
  /** What a step works in, beside weights and KV cache. */
  readonly scratchSize: number;
}

/** What there is on a device, in bytes: in all, and in one binding. */
export interface MemoryRoom {
  readonly memory: number;
  readonly binding: number;
}

/** A plan, and how far it could go. */
export interface ModelFit extends ModelPlan {
  /** Of all matrices, where no file says it. */
  readonly storage?: string;
  /** Bytes of a token in all layers. */
  readonly kvTokenSize: number;
  /** Tokens that each of `maxSequences` could have at once, up to what the model was trained for; 0: the model does not fit at all. */
  readonly largestContext: number;
}

/** The plan for a model of which no more than the shape is known. */
export interface ModelEstimate extends MemoryPlan {
  readonly storage: string;
  readonly weightSize: number;
}

/** One thing that a device must have, and what the adapter has. */
export interface Requirement {
  readonly name: string;
  readonly needed: string | number;
  readonly found: string | number;
  readonly isMet: boolean;
}

/** What an adapter says about itself. */
export interface AdapterFacts {
  /** Adapter and driver as the driver calls itself. */
  readonly adapter: string;
  readonly isSoftware: boolean;
  readonly requirements: readonly Requirement[];
  /** Lanes that kernels would be made for, and which kernels. */
  readonly subgroupSize: number;
  readonly family: KernelFamily;
  readonly matrixUnit?: MatrixUnit;
  readonly int8Unit?: MatrixUnit;
  /** Not needed: kernels widen f16 themselves. */
  readonly hasF16: boolean;
  /** Largest storage binding and largest buffer, in bytes. */
  readonly bindingLimit: number;
  readonly bufferLimit: number;
  /** Bytes that buffers may take on a software device; undefined where the device does not say. */
  readonly memoryLimit?: number;
}

/** Tokens whose logits one request may shift. */
export const logitBiasLimit = 1024;
/** Words of a cache salt. */
export const saltLimit = 8;
/** Alternatives that a request may ask for beside each token. */
export const logprobsLimit = 20;

/** A shift of one token's logit. */
export interface LogitBias {
  readonly id: TokenId;
  /** From -100 (as good as never) to 100. */
  readonly bias: number;
}

/** How a token is chosen from the logits: bias, penalties, then top-k, top-p and min-p at this temperature. */
export interface Sampling {
  /** 0 = greedy (default). */
  readonly temperature?: number;
  /** 0 = off (default). */
  readonly topK?: number;
  /** 1 = off (default). */
  readonly topP?: number;
  /** Keeps tokens of at least this part of the likeliest one's probability. 0 = off (default). */
  readonly minP?: number;
  /** Divides positive logits, multiplies negative ones, of tokens that prompt or answer hold (Keskar et al. 2019). 1 = off (default). */
  readonly repetitionPenalty?: number;
  /** Taken from the logits of tokens that the answer holds. 0 = off (default). */
  readonly presencePenalty?: number;
  /** Taken from the logits of tokens that the answer holds, times how often it does. 0 = off (default). */
  readonly frequencyPenalty?: number;
  /** Added to the logits of these tokens, before everything else; at most `logitBiasLimit` of them, each once. */
  readonly logitBias?: readonly LogitBias[];
  /** Same seed, prompt and settings: same tokens. Unsigned 32 bit; random when left out. */
  readonly seed?: number;
}

/** Kinds of grammar that an answer can be held to. */
export const grammarKinds = ['schema', 'expression', 'gbnf'] as const;
/** Bytes of a grammar's source. */
export const grammarLimit = 1_048_576;

/** What an answer must keep to: texts that are an instance of a JSON schema, that an expression of ECMA-262 matches, or that a grammar in GBNF makes. */
export interface Grammar {
  readonly kind: (typeof grammarKinds)[number];
  /** UTF-8; of a schema its JSON. */
  readonly source: Uint8Array;
}

/** What an engine must know of tokens to hold answers to grammars. */
export interface GrammarVocabulary {
  /** The bytes of token i lie at [offsets[i], offsets[i + 1]). */
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  /** By id, 1 where the bytes are a name that no text has. */
  readonly names: Uint8Array;
  /** Ids of text tokens that the tokenizer cuts a text at before anything else. Default: none. */
  readonly added?: Uint32Array;
  /** What may come once an answer is whole. */
  readonly stopIds: readonly TokenId[];
}

/** One prompt and what to make of it. */
export interface GenerateRequest {
  /** At least one token, and room for one more in the context. */
  readonly promptIds: Uint32Array;
  /** Tokens to generate at most; may be 0, to score a prompt. */
  readonly maxTokens: number;
  /** Generation ends with reason `stop` when one of these is chosen; that token is still reported. */
  readonly stopIds?: readonly TokenId[];
  readonly sampling?: Sampling;
  /** Only tokens that keep to it are chosen; the engine must have been opened with `vocabulary`. Errors: grammar_*. Default: none. */
  readonly grammar?: Grammar;
  /** `sampled`: logits with every generated token. `all`: also at every prompt position but the last. Default `none`. */
  readonly logits?: 'none' | 'sampled' | 'all';
  /** Log-probabilities with every generated token: how many of the likeliest tokens to name beside it, 0 to `logprobsLimit`. Default: none at all. */
  readonly logprobs?: number;
  /** The same for the tokens of the prompt from the second on; events of type `prompt` then carry it. */
  readonly promptLogprobs?: number;
  /** Longest time from now to the end, in ms; then the request fails with `deadline_exceeded`, waiting or running; with `deadline_unreachable` as soon as it can no longer be met. Default: none. */
  readonly deadlineMs?: number;
  /** Whose request it is, as a number of 32 bits: tenants share nothing but the device, and that fairly. Default 0. */
  readonly tenant?: number;
  /** Default `interactive`. */
  readonly priority?: Priority;
  /** Narrows the reuse of keys and values to requests of the tenant with the same salt, up to `saltLimit` words. Default: none. */
  readonly cacheSalt?: Uint32Array;
  /** Whether keys and values may be kept for other requests, and taken from them. Default true. */
  readonly keepsPrefix?: boolean;
  /** Requests of a tenant with the same number have the same prompt and the same `cacheSalt`; the prompt is computed once for all of them. Numbers are the caller's own. Default: none. */
  readonly group?: number;
}

/** Why a generation ended: a token of `stopIds`, or `maxTokens` or the end of the context. */
export type FinishReason = 'stop' | 'length';

/** Natural logarithms of the model's own probabilities: before bias, penalties and temperature. */
export interface TokenLogprobs {
  /** Of the token itself. */
  readonly logprob: number;
  /** The likeliest tokens, likeliest first, equal ones by id. */
  readonly top: readonly { readonly id: TokenId; readonly logprob: number }[];
}

/** The events of one request, in order: `prompt`* `token`* `end`. Failures are thrown as InwardError from the iterator. */
export type TokenEvent =
  /** What the model predicted at a prompt position, for position + 1: `logits` [vocabulary] with `logits: 'all'`, `logprobs` of the token that stands there with `promptLogprobs`. */
  | { readonly type: 'prompt'; readonly position: number; readonly logits?: Float32Array; readonly logprobs?: TokenLogprobs }
  /** One generated token; `logits` [vocabulary] are those it was chosen from, after bias and penalties. With the first one, `cachedTokens` as in `end`. */
  | { readonly type: 'token'; readonly id: TokenId; readonly logits?: Float32Array; readonly logprobs?: TokenLogprobs; readonly cachedTokens?: number }
  | {
      readonly type: 'end';
      readonly reason: FinishReason;
      readonly promptTokens: number;
      readonly completionTokens: number;
      /** Of the prompt's tokens, those whose keys and values were kept from before. */
      readonly cachedTokens: number;
      /** Of an encoder: the vector of the whole prompt, not normalized. */
      readonly embedding?: Float32Array;
    };

/** The part of a model that one of several devices has; sizes in bytes. */
export interface StageInfo {
  /** Adapter and driver as the driver calls itself. */
  readonly adapter: string;
  /** Counted from 0. */
  readonly firstLayer: number;
  readonly layerCount: number;
  readonly weightBytes: number;
  readonly kvBytes: number;
}

/** An open engine: what it runs on, the model, and what both allow. Sizes in bytes. */
export interface EngineInfo {
  readonly device: DeviceName;
  /** Why this device was taken. */
  readonly deviceReason: string;
  /** Adapter and driver as the driver calls itself. */
  readonly adapter: string;
  readonly subgroupSize: number;
  readonly modelName: string;
  /** SHA-256 of the file's header and of the first bytes of each tensor. */
  readonly fingerprint: string;
  readonly family: string;
  readonly parameterCount: number;
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly maxSequences: number;
  /** What the model gives of a text, with so many numbers; undefined: it generates. */
  readonly encoder?: (Encoder & { readonly length: number }) | undefined;
  readonly kv: KvFormat;
  readonly activations: ActivationFormat;
  readonly weightBytes: number;
  readonly kvBytes: number;
  /** Where the layers are spread over several devices: in order. The sizes above are of all of them, device and adapter of the first. */
  readonly stages?: readonly StageInfo[];
  readonly deterministic: boolean;
  /** Fixed as long as the engine is open. */
  readonly tuning: Tuning;
  /** From the call to the engine being ready, in ms. */
  readonly loadMs: number;
}

/** Times that were observed since the start, counted by buckets. */
export interface LatencyHistogram {
  /** Upper bounds of the buckets, in seconds, ascending; a time that equals one belongs to it. */
  readonly bounds: readonly number[];
  /** Times in each bucket by itself; one more than bounds, for those above the last. */
  readonly counts: readonly number[];
  /** Of all times, in seconds. */
  readonly sum: number;
}

/** What one tenant has and had: sequences and blocks as of now, the rest since the start. */
export interface TenantStats {
  /** The number that the embedder gave to the tenant. */
  readonly tenant: number;
  readonly running: number;
  readonly waiting: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Prompt tokens that were looked up in the prefix cache, and those of them found there. */
  readonly prefixQueries: number;
  readonly prefixHits: number;
  /** Blocks of its prefixes that no running sequence owns. */
  readonly cachedBlocks: number;
  /** Blocks of its prefixes that were given up for others. */
  readonly evictedBlocks: number;
}

/** Counts: of now for sequences, blocks and memory, since the start for all others. Numbers only: nothing of what a request holds can be in them. */
export interface EngineStats {
  /** Sequences that have KV blocks. */
  readonly running: number;
  readonly waiting: number;
  /** Of these, sequences that compute nothing because their readers are behind. */
  readonly parked: number;
  readonly kvBlocksTotal: number;
  /** Owned by no sequence. */
  readonly kvBlocksFree: number;
  /** Of these, blocks that hold prefixes which can be used again. */
  readonly kvBlocksCached: number;
  /** Tokens that a block holds. */
  readonly blockLength: number;
  readonly steps: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Times a sequence had to give its KV blocks back and was computed anew. */
  readonly preemptions: number;
  /** Dispatches of the last step that decoded. */
  readonly dispatchesPerStep: number;
  /** Device memory by owner, in bytes. */
  readonly memory: Readonly<Record<string, number>>;
  /** Prompt tokens that were looked up in the prefix cache, and those of them found there. */
  readonly prefixQueries: number;
  readonly prefixHits: number;
  /** Tokens that speculative decoding proposed, and those of them that the model would have chosen too. */
  readonly draftTokens: number;
  readonly acceptedTokens: number;
  /** Tokens of which a grammar left no choice: generated without a step of their own. */
  readonly forcedTokens: number;
  /** Of layers whose experts are not all on the device: experts that steps wanted, and those of them that were not there, so that the step waited. */
  readonly expertUses: number;
  readonly expertLoads: number;
  /** Those that were brought there before the layer had chosen, and those of them that it then chose. */
  readonly expertsAhead: number;
  readonly expertsForeseen: number;
  /** Bytes of all that was brought, as the files have them, and those of them that came from files and not from host memory. */
  readonly expertBytes: number;
  readonly expertFileBytes: number;
  /** How long a request that came now would wait before its first step, in ms; an estimate. */
  readonly estimatedWaitMs: number;
  /**
   * From the arrival of a request: to its first token, to its first step (`queueTime`), to its end (`endToEnd`, of requests that ended by `stop` or `length`).
   * `interTokenLatency`: from each token of a request to the next; tokens of one step follow each other at once.
   */
  readonly histograms: Readonly<Record<'timeToFirstToken' | 'interTokenLatency' | 'endToEnd' | 'queueTime', LatencyHistogram>>;
  /** Requests by how they ended: with a finish reason, with an error, or because the reader left or aborted. Those that were refused are not among them. */
  readonly finished: Readonly<Record<FinishReason | 'failed' | 'cancelled', number>>;
  /**
   * Where the time of the step loop went, in ms: filling batches, handing them to the device, waiting for the results (the host prepares the
   * next commands meanwhile), giving the results to the sequences.
   */
  readonly stepMs: Readonly<Record<'schedule' | 'submit' | 'wait' | 'commit', number>>;
  /** Times that another process took over from one that was lost; 0 for an engine in this process. */
  readonly restarts: number;
  readonly tenants: readonly TenantStats[];
}

/** How texts become vectors. */
export interface EmbedOptions {
  /** Texts of more tokens than the model takes lose those before their last one, which closes them. Default false: they are refused. */
  readonly truncates?: boolean;
  /** Vectors have length 1. Default: as the model says. */
  readonly normalizes?: boolean;
  /** As those of `GenerateRequest`, of all texts together. */
  readonly deadlineMs?: number;
  readonly tenant?: number;
  readonly priority?: Priority;
}

/** A text as a vector. */
export interface Embedding {
  readonly values: Float32Array;
  /** Tokens that were computed. */
  readonly tokens: number;
}

/** What was found where nothing of a request may be: 32-bit words on the device that are not zero, by owner. All 0, unless something is wrong. */
export interface ZeroReport {
  /** In free KV blocks of every layer. */
  readonly kv: number;
  /** In free blocks of recurrent state of every layer that has such state. */
  readonly state: number;
  readonly activations: number;
  readonly logits: number;
  /** Buffers that the host reads results from. */
  readonly staging: number;
  readonly batch: number;
  /** Words looked at. */
  readonly words: number;
}

/**
 * A model on a device. Disposing it ends its process; what runs then fails with shutting_down. A process that is lost is
 * started anew: requests that have given events fail with engine_restarted, the others wait and go on. Only when that does not
 * help, or the model file is another one (model_changed), has the engine failed.
 */
export interface Engine extends AsyncDisposable {
  readonly info: EngineInfo;
  /** False while the process is being started anew (requests wait meanwhile), and once the engine has failed or is disposed. */
  readonly isReady: boolean;
  /**
   * Queues a request and gives its events; an encoder refuses to generate (generation_unsupported). The iterable is returned at once; errors (prompt_too_long, queue_full,
   * aborted ...) come from its first `next()`. Ending the loop early or aborting frees the sequence within one step.
   */
  generate(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<TokenEvent>;
  /**
   * Vectors of texts, given as token ids with those that the tokenizer puts around a text, in their order; many share a step, and none depends on
   * the others. Fails as a whole: embeddings_unsupported (a decoder), text_too_long and token_out_of_range before anything is computed.
   */
  embed(texts: readonly Uint32Array[], options?: EmbedOptions, signal?: AbortSignal): Promise<Embedding[]>;
  /** Counts as of the last step. */
  stats(): EngineStats;
  /** Forgets the prefixes that are kept for a tenant's next prompts, or for those of all tenants; their blocks are zeroed by the next step. */
  flushPrefixes(tenant?: number): void;
  /**
   * Waits until no request is left, then reads free KV blocks and all working memory back from the device: the proof that ended,
   * cancelled and preempted requests were zeroed. Slow; requests that come meanwhile wait. Fails as the engine does (device_lost, shutting_down).
   */
  checkZeroed(): Promise<ZeroReport>;
  /** Resolves if the engine fails for good; never rejects. */
  readonly failed: Promise<Error>;
}

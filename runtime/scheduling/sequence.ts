/**
 * Owns one request's life: its tokens, how many of them are in the KV pool, its blocks, its settings.
 * Refuses to decide: the scheduler moves it.
 */

import type { InwardError } from '../errors.ts';
import type { Matcher } from '../grammar/matcher.ts';
import { type BlockId, type GenerateRequest, type Priority, priorities, type Sampling, type TokenEvent, type TokenId } from '../types.ts';
import type { Guesses } from './drafts.ts';
import { LogitEdits } from './edits.ts';
import type { SharedPrompt } from './groups.ts';
import type { PrefixChain } from './prefix.ts';

export interface SequenceSink {
  /** Called with each step that the sequence takes part in. */
  admitted?(): void;
  event(event: TokenEvent): void;
  fail(error: InwardError): void;
}

/** Greedy, nothing cut off, nothing shifted. */
const neutralSampling: Omit<Required<Sampling>, 'seed'> = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
};

export class Sequence {
  /** Prompt and generated tokens, room for all of them. */
  readonly ids: Uint32Array;
  readonly promptLength: number;
  readonly maxTokens: number;
  readonly stopIds: ReadonlySet<TokenId>;
  readonly sampling: Required<Sampling>;
  readonly logits: 'none' | 'sampled' | 'all';
  /** Likeliest tokens to name with each generated one; undefined: no log-probabilities. */
  readonly logprobs: number | undefined;
  readonly promptLogprobs: number | undefined;
  /** What changes the logits before a token is drawn; undefined: nothing does. */
  readonly edits: LogitEdits | undefined;
  /** Milliseconds from the start to the deadline, and the deadline on the clock of `performance.now()`. */
  readonly deadlineMs: number;
  readonly deadline: number;
  readonly sink: SequenceSink;
  readonly tenant: number;
  readonly priority: Priority;
  readonly salt: Uint32Array | undefined;
  /** Whether blocks may go to and come from the prefix cache. */
  readonly keepsPrefix: boolean;
  /** What the requests of a group have in common; undefined: it has none. */
  readonly group: number | undefined;
  wasAdmitted = false;
  /** Prompt tokens that need not be computed when it was. */
  cached = 0;
  /** Tokens known. */
  length: number;
  /** Tokens whose K and V are stored. */
  computed = 0;
  /** Prompt positions that have been reported (`isScoring`). */
  reported = 0;
  /** Its block table; `noBlock` where one has been given back behind its window (window.ts). */
  blocks: BlockId[] = [];
  /** Its block of recurrent state, while it runs, where the model has such state. */
  state: BlockId | undefined;
  /** Slots that it will have copied to its next block, of one that it holds a share of. */
  original: SharedPrompt['partial'];
  /** Its place in the prefix cache, once that has been looked up. */
  chain: PrefixChain | undefined;
  /** Guesses its next tokens, once that has been tried. */
  drafts: Guesses | undefined;
  /** Guessed tokens of this step that stand behind `length` and are not decided. */
  guessed = 0;
  /** Steps that hold tokens of it and are not committed. */
  underWay = 0;
  /** Times it had to give way to a more urgent one. */
  yielded = 0;
  /** Ids that the next token may be, as bits (kernels/sample.ts); undefined: all. */
  mask: Uint32Array<ArrayBuffer> | undefined;
  /** Where the answer is in its grammar; its mask is that of the next token. */
  matcher: Matcher | undefined;
  aborted = false;
  /** It is over, and its arrays are zeroed. */
  hasEnded = false;
  /** Its reader is behind: it computes nothing until that has caught up. */
  isParked = false;

  constructor(request: GenerateRequest, contextLength: number, sink: SequenceSink, now = 0) {
    const { promptIds } = request;
    this.promptLength = promptIds.length;
    this.maxTokens = Math.min(request.maxTokens, contextLength - promptIds.length);
    this.ids = new Uint32Array(promptIds.length + this.maxTokens);
    this.ids.set(promptIds);
    this.length = promptIds.length;
    this.stopIds = new Set(request.stopIds);
    this.logits = request.logits ?? 'none';
    this.sampling = { ...neutralSampling, seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0, ...withoutUndefined(request.sampling) };
    this.logprobs = request.logprobs;
    this.promptLogprobs = request.promptLogprobs;
    this.edits = isEdited(this.sampling) ? new LogitEdits(this.sampling, promptIds) : undefined;
    this.deadlineMs = request.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.deadline = now + this.deadlineMs;
    this.sink = sink;
    this.tenant = request.tenant ?? 0;
    this.priority = request.priority ?? priorities[0];
    this.salt = request.cacheSalt;
    this.keepsPrefix = request.keepsPrefix ?? true;
    // A prompt whose every position is reported is computed by each; of a single token nothing can be shared.
    this.group = this.isScoring || promptIds.length === 1 ? undefined : request.group;
  }

  get generated(): number {
    return this.length - this.promptLength;
  }

  /** Ids that the next token may be; undefined: all. */
  get allowed(): Uint32Array<ArrayBuffer> | undefined {
    return this.matcher?.mask() ?? this.mask;
  }

  /** Tokens not yet computed; 1 while decoding. */
  get pending(): number {
    return this.length - this.computed;
  }

  /** Whether every position of the prompt is to be reported. */
  get isScoring(): boolean {
    return this.logits === 'all' || this.promptLogprobs !== undefined;
  }

  /** The answer gains a token. */
  append(id: TokenId): void {
    this.ids[this.length++] = id;
    this.edits?.add(id);
  }

  /** Overwrites what the host remembers of the text. */
  zero(): void {
    this.ids.fill(0);
    this.edits?.clear();
    this.drafts?.zero();
    this.matcher?.wipe();
    this.matcher = undefined;
    this.mask?.fill(0);
    this.mask = undefined;
    this.length = this.promptLength;
  }
}

/** Whether it may become longer than so many tokens: known from the beginning, so that all its keys are turned alike. */
export function isLong({ ids }: Sequence, longFrom: number | undefined): boolean {
  return longFrom !== undefined && ids.length > longFrom;
}

function withoutUndefined(sampling: Sampling = {}): Sampling {
  return Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined));
}

function isEdited({ repetitionPenalty, presencePenalty, frequencyPenalty, logitBias }: Required<Sampling>): boolean {
  return repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0 || logitBias.length > 0;
}

/**
 * Owns one request's life: its tokens, how many of them are in the KV pool, its blocks, its settings.
 * Refuses to decide: the scheduler moves it.
 */
import type { InwardError } from './errors.ts';
import type { BlockId, GenerateRequest, Sampling, TokenEvent, TokenId } from './types.ts';

export interface SequenceSink {
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
  readonly sink: SequenceSink;
  /** Tokens known. */
  length: number;
  /** Tokens whose K and V are stored. */
  computed = 0;
  /** Prompt positions whose logits have been reported (logits: 'all'). */
  reported = 0;
  blocks: BlockId[] = [];
  aborted = false;

  constructor(request: GenerateRequest, contextLength: number, sink: SequenceSink) {
    const { promptIds } = request;
    this.promptLength = promptIds.length;
    this.maxTokens = Math.min(request.maxTokens, contextLength - promptIds.length);
    this.ids = new Uint32Array(promptIds.length + this.maxTokens);
    this.ids.set(promptIds);
    this.length = promptIds.length;
    this.stopIds = new Set(request.stopIds);
    this.logits = request.logits ?? 'none';
    this.sampling = { ...neutralSampling, seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0, ...withoutUndefined(request.sampling) };
    this.sink = sink;
  }

  get generated(): number {
    return this.length - this.promptLength;
  }

  /** Tokens not yet computed; 1 while decoding. */
  get pending(): number {
    return this.length - this.computed;
  }

  /** Overwrites what the host remembers of the text. */
  zero(): void {
    this.ids.fill(0);
    this.length = this.promptLength;
  }
}

function withoutUndefined(sampling: Sampling = {}): Sampling {
  return Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined));
}

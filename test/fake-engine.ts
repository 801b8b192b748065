/**
 * Owns an engine without a model: it answers with scripted ids at a set pace and records what was done to it.
 * Like the real one it works on its own clock, so that steps after an abort can be counted, parks requests whose readers are behind, checks what it is
 * asked, and gives log-probabilities. Settings of the sampler do not move it off its script.
 */
import { EventChannel, zero } from '../runtime/channel.ts';
import { checkRequest } from '../runtime/checks.ts';
import { embedTexts } from '../runtime/embed.ts';
import { InwardError } from '../runtime/errors.ts';
import { Recorder } from '../runtime/recorder.ts';
import type { SequenceSink } from '../runtime/scheduling/sequence.ts';
import type {
  Embedding,
  EmbedOptions,
  Engine,
  EngineInfo,
  EngineStats,
  GenerateRequest,
  TokenEvent,
  TokenId,
  TokenLogprobs,
  ZeroReport,
} from '../runtime/types.ts';

export interface FakeEngineOptions {
  /** The ids to answer with. */
  readonly script: (promptIds: Uint32Array, request: GenerateRequest) => readonly number[];
  /** Time of one step, in ms. Default 0. */
  readonly stepMs?: number;
  readonly info?: Partial<EngineInfo>;
  /** What `stats()` says instead of its own counts. */
  readonly stats?: Partial<EngineStats>;
  /** Requests that may run at once before `queue_full`, which tells `stats.estimatedWaitMs`. */
  readonly places?: number;
  /** Tokens of the prompt that it says to have kept from before. Default 0. */
  readonly cached?: (request: GenerateRequest) => number;
  /** The vector of a text, where `info` has an encoder. */
  readonly embedding?: (ids: Uint32Array) => Float32Array;
  /** Thrown instead of the token with this index. */
  readonly failAt?: { readonly index: number; readonly error: unknown };
  /** Logits that the token after `ids` is chosen from. Default: something that differs from place to place. */
  readonly logits?: (ids: readonly number[]) => Float32Array;
}

function inventLogits(ids: readonly number[]): Float32Array {
  return Float32Array.from({ length: info.vocabularySize }, (_, id) => ((id * 7919 + ids.length * 104_729 + (ids.at(-1) ?? 0) * 31) % 1009) / 100);
}

/** Natural logarithms of the softmax, in double precision: of `id`, and the `count` likeliest. */
export function scoreToken(logits: Float32Array, id: number, count: number): TokenLogprobs {
  const greatest = logits.reduce((a, b) => Math.max(a, b));
  const sum = greatest + Math.log(logits.reduce((total, logit) => total + Math.exp(logit - greatest), 0));
  const order = Array.from(logits.keys()).sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
  const top = order.slice(0, count).map((other) => ({ id: other as TokenId, logprob: (logits[other] as number) - sum }));
  return { logprob: (logits[id] as number) - sum, top };
}

const info: EngineInfo = {
  device: 'swiftshader',
  deviceReason: 'scripted',
  adapter: 'none',
  subgroupSize: 4,
  modelName: 'fake-model',
  fingerprint: '0'.repeat(64),
  family: 'fake',
  parameterCount: 1000,
  vocabularySize: 300,
  contextLength: 4096,
  maxSequences: 8,
  kv: 'f16',
  activations: 'int8',
  weightBytes: 2000,
  kvBytes: 3000,
  deterministic: true,
  tuning: { source: 'built-in', isDeterministic: true, ms: 0, shapes: [] },
  loadMs: 1,
};

export class FakeEngine implements Engine {
  readonly info: EngineInfo;
  readonly requests: GenerateRequest[] = [];
  /** Whose arrays are the embedder's own. */
  readonly prompts: Uint32Array[] = [];
  readonly options: FakeEngineOptions;
  readonly #failed = Promise.withResolvers<Error>();
  readonly failed: Promise<Error> = this.#failed.promise;
  running = 0;
  peak = 0;
  /** Of the running requests, those whose readers are behind. */
  parked = 0;
  steps = 0;
  aborts = 0;
  stepsAfterAbort = 0;
  flushes = 0;
  promptTokens = 0;
  generatedTokens = 0;
  readonly #recorder = new Recorder();
  /** Events that somebody has taken. */
  delivered = 0;
  isDisposed = false;
  isReady = true;

  constructor(options: FakeEngineOptions) {
    this.options = options;
    this.info = { ...info, ...options.info };
  }

  /** The engine dies. */
  die(error: Error): void {
    this.#failed.resolve(error);
  }

  async *generate(given: GenerateRequest, signal?: AbortSignal): AsyncGenerator<TokenEvent, void, undefined> {
    const { places: limit = Number.POSITIVE_INFINITY, stats } = this.options;
    if (this.running >= limit) throw new InwardError('queue_full', { limit, waitMs: stats?.estimatedWaitMs ?? 0 });
    if (signal?.aborted) throw new InwardError('aborted');
    checkRequest(given, this.info);
    const request = { ...given, promptIds: given.promptIds.slice() };
    this.prompts.push(given.promptIds);
    this.requests.push(request);
    this.running++;
    this.peak = Math.max(this.peak, this.running);
    const left = new AbortController();
    const channel = new EventChannel(signal, (sink) => {
      let goOn = (): void => undefined;
      let parked: Promise<void> | undefined;
      const park = (isParked: boolean): void => {
        this.parked += isParked ? 1 : -1;
        goOn();
        parked = isParked ? new Promise((resolve) => (goOn = resolve)) : undefined;
      };
      const cancel = (): void => {
        left.abort();
        if (parked !== undefined) park(false);
      };
      void this.#work(request, left.signal, sink, () => parked);
      return { cancel, park };
    });
    for await (const event of channel) {
      this.delivered++;
      yield event;
    }
  }

  async #work(request: GenerateRequest, signal: AbortSignal, sink: SequenceSink, whileParked: () => Promise<void> | undefined): Promise<void> {
    const record = this.#recorder.arrived(sink);
    const { stepMs = 0 } = this.options;
    const end = performance.now() + (request.deadlineMs ?? Number.POSITIVE_INFINITY);
    record.admitted();
    this.promptTokens += request.promptIds.length;
    try {
      for (const event of this.#events(request)) {
        await new Promise((resolve) => (stepMs === 0 ? setImmediate(resolve) : setTimeout(resolve, stepMs)));
        await whileParked();
        this.steps++;
        if (performance.now() > end) throw new InwardError('deadline_exceeded', { limit: request.deadlineMs ?? 0 });
        if (signal.aborted) this.stepsAfterAbort++;
        if (signal.aborted) {
          zero(event);
          break;
        }
        if (event.type === 'token') this.generatedTokens++;
        record.event(event);
      }
    } catch (error) {
      // Some tests throw what is no InwardError.
      record.fail(error as InwardError);
    } finally {
      if (signal.aborted) this.aborts++;
      if (signal.aborted) record.ended('cancelled');
      this.running--;
    }
  }

  *#events(request: GenerateRequest): Generator<TokenEvent> {
    const { script, logits = inventLogits, failAt } = this.options;
    const ids = [...request.promptIds];
    const wanted = request.logits ?? 'none';
    const predict = (context: readonly number[], id: number, hasLogits: boolean, count: number | undefined) => {
      const row = hasLogits || count !== undefined ? logits(context) : undefined;
      return {
        ...(row && hasLogits ? { logits: row } : {}),
        ...(row && count !== undefined ? { logprobs: scoreToken(row, id, count) } : {}),
      };
    };
    for (let position = 0; (wanted === 'all' || request.promptLogprobs !== undefined) && position < ids.length - 1; position++) {
      const seen = predict(ids.slice(0, position + 1), ids[position + 1] as number, wanted === 'all', request.promptLogprobs);
      yield { type: 'prompt', position, ...seen };
    }
    const cachedTokens = this.options.cached?.(request) ?? 0;
    let completionTokens = 0;
    let reason: 'stop' | 'length' = 'length';
    for (const id of script(request.promptIds, request).slice(0, request.maxTokens)) {
      if (failAt?.index === completionTokens) throw failAt.error;
      const first = completionTokens === 0 ? { cachedTokens } : {};
      yield { type: 'token', id: id as TokenId, ...first, ...predict(ids, id, wanted !== 'none', request.logprobs) };
      ids.push(id);
      completionTokens++;
      if (request.stopIds?.includes(id as TokenId)) {
        reason = 'stop';
        break;
      }
    }
    const embedding = this.info.encoder && this.options.embedding?.(request.promptIds);
    yield { type: 'end', reason, promptTokens: request.promptIds.length, completionTokens, cachedTokens, ...(embedding && { embedding }) };
  }

  embed(texts: readonly Uint32Array[], options?: EmbedOptions, signal?: AbortSignal): Promise<Embedding[]> {
    return embedTexts(this, texts, options, signal);
  }

  flushPrefixes(): void {
    this.flushes++;
  }

  stats(): EngineStats {
    return {
      ...this.#recorder.read(),
      running: this.running,
      waiting: 0,
      parked: this.parked,
      kvBlocksTotal: 1,
      kvBlocksFree: 1,
      kvBlocksCached: 0,
      blockLength: 16,
      steps: this.steps,
      promptTokens: this.promptTokens,
      generatedTokens: this.generatedTokens,
      dispatchesPerStep: 0,
      preemptions: 0,
      restarts: 0,
      memory: {},
      prefixQueries: 0,
      prefixHits: 0,
      draftTokens: 0,
      acceptedTokens: 0,
      forcedTokens: 0,
      expertUses: 0,
      expertLoads: 0,
      expertsAhead: 0,
      expertsForeseen: 0,
      expertBytes: 0,
      expertFileBytes: 0,
      estimatedWaitMs: 0,
      tenants: [],
      ...this.options.stats,
    };
  }

  async checkZeroed(): Promise<ZeroReport> {
    return { kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0, words: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
  }
}

/**
 * Owns the step loop: schedule, run, commit, publish; with several stages as many steps are under way. No branch on model or
 * quantization. Refuses text, and refuses to know how its parts came to be (open.ts); runtime/host puts an engine into a process of its own.
 */
import { EventChannel } from './channel.ts';
import { checkOptions, checkRequest } from './checks.ts';
import type { DevicePretence } from './device.ts';
import { embedTexts } from './embed.ts';
import { InwardError, toInwardError } from './errors.ts';
import { Grammars } from './grammar/grammars.ts';
import { type EngineHost, openParts, type Parts } from './open.ts';
import { Recorder } from './recorder.ts';
import type { StepResults } from './results.ts';
import type { Batch } from './scheduling/batch.ts';
import { Sequence } from './scheduling/sequence.ts';
import type {
  Embedding,
  EmbedOptions,
  Engine,
  EngineInfo,
  EngineOptions,
  EngineStats,
  GenerateRequest,
  GrammarVocabulary,
  TokenEvent,
  ZeroReport,
} from './types.ts';

/** An engine in this process. The process must have been started with the driver's environment (drivers.ts). `pretence`: for tests; `host`: for an engine of runtime/host. */
export async function createEngine(options: EngineOptions, pretence: DevicePretence = {}, host: EngineHost = {}): Promise<Engine> {
  checkOptions(options);
  const { parts, info } = await openParts(options, pretence, host);
  return new LocalEngine(parts, info, options.vocabulary);
}

/** A step that runs. */
interface Step {
  readonly batch: Batch;
  readonly started: number;
  readonly scheduled: number;
  readonly results: Promise<StepResults>;
}

class LocalEngine implements Engine {
  readonly info: EngineInfo;
  readonly failed: Promise<Error>;
  readonly #parts: Parts;
  readonly #fail: (error: Error) => void;
  #failure: InwardError | undefined;
  #wake: (() => void) | undefined;
  /** Who waits for a look at what is left behind. */
  #checks: PromiseWithResolvers<ZeroReport>[] = [];
  #isClosed = false;
  #closing: Promise<void> | undefined;
  readonly #loop: Promise<void>;
  readonly #recorder = new Recorder();
  readonly #grammars: Grammars | undefined;
  readonly #free: Batch[];
  /** The oldest first. */
  readonly #underWay: Step[] = [];
  #committedAt = 0;
  #steps = 0;
  #dispatchesPerStep = 0;

  constructor(parts: Parts, info: EngineInfo, vocabulary: GrammarVocabulary | undefined) {
    this.#parts = parts;
    this.#free = [...parts.spares, parts.batch];
    this.info = info;
    this.#grammars = vocabulary && new Grammars(vocabulary);
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#fail = resolve;
    parts.open.lost.then((error) => this.#stop(error));
    this.#loop = this.#run();
  }

  get isReady(): boolean {
    return this.#failure === undefined && !this.#isClosed;
  }

  generate(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<TokenEvent> {
    return new EventChannel(signal, (sink) => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed) throw new InwardError('shutting_down');
      checkRequest(request, this.info);
      if ((request.logits ?? 'none') !== 'none') this.#parts.runner.reserveLogits();
      if (request.grammar !== undefined && this.#grammars === undefined)
        throw new InwardError('invalid_request', { path: 'grammar', rule: 'only for an engine that was opened with its vocabulary' });
      const matcher = request.grammar && this.#grammars?.open(request.grammar, request.tenant ?? 0);
      const record = this.#recorder.arrived(sink);
      const sequence = new Sequence(request, this.info.contextLength, record, performance.now());
      sequence.matcher = matcher;
      this.#parts.scheduler.add(sequence);
      this.#wake?.();
      const change = (values: Partial<Pick<Sequence, 'aborted' | 'isParked'>>): void => {
        Object.assign(sequence, values);
        this.#wake?.();
      };
      const cancel = (): void => {
        record.ended('cancelled');
        change({ aborted: true });
      };
      return { cancel, park: (isParked) => change({ isParked }) };
    });
  }

  embed(texts: readonly Uint32Array[], options?: EmbedOptions, signal?: AbortSignal): Promise<Embedding[]> {
    return embedTexts(this, texts, options, signal);
  }

  stats(): EngineStats {
    const { scheduler, pool, memory, batch, runner } = this.#parts;
    const { queries, hits } = scheduler.cache.counts;
    const { drafted, accepted } = scheduler.draftCounts;
    return {
      ...this.#recorder.read(),
      running: scheduler.runningCount,
      waiting: scheduler.waitingCount,
      parked: scheduler.parkedCount,
      kvBlocksTotal: pool.total,
      kvBlocksFree: pool.freeCount + pool.dirtyCount + pool.idleCount,
      kvBlocksCached: pool.idleCount,
      blockLength: batch.limits.blockLength,
      steps: this.#steps,
      promptTokens: scheduler.promptTokenCount,
      generatedTokens: scheduler.generatedTokenCount,
      preemptions: scheduler.preemptionCount,
      prefixQueries: queries,
      prefixHits: hits,
      draftTokens: drafted,
      acceptedTokens: accepted,
      forcedTokens: scheduler.forcedTokenCount,
      ...runner.expertCounts,
      estimatedWaitMs: scheduler.estimatedWaitMs,
      tenants: scheduler.tenants,
      dispatchesPerStep: this.#dispatchesPerStep,
      memory: memory.usage(),
      restarts: 0,
    };
  }

  flushPrefixes(tenant?: number): void {
    this.#parts.scheduler.flush(tenant);
    this.#grammars?.flush();
    this.#wake?.();
  }

  checkZeroed(): Promise<ZeroReport> {
    if (this.#failure !== undefined || this.#isClosed) return Promise.reject(this.#failure ?? new InwardError('shutting_down'));
    const check = Promise.withResolvers<ZeroReport>();
    this.#checks.push(check);
    this.#wake?.();
    return check.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#parts.scheduler.failAll(new InwardError('shutting_down'));
    this.#parts.scheduler.flush();
    this.#grammars?.flush();
    this.#wake?.();
    await this.#loop;
    this.#parts.memory[Symbol.dispose]();
    this.#parts.open[Symbol.dispose]();
    this.#parts.files?.[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    try {
      // Closed, it goes on until what ran has been zeroed.
      while (this.#failure === undefined && !(this.#isClosed && !this.#hasWork)) {
        if (this.#hasWork) await this.#step();
        else if (this.#checks.length > 0) await this.#check();
        else {
          // The words of a schema may be somebody's: they stay no longer than those who work with them.
          this.#grammars?.flush();
          await this.#sleep();
        }
      }
    } catch (error) {
      this.#stop(toInwardError(error, 'a step'));
    }
    for (const { batch } of this.#underWay) batch.zero();
    for (const { reject } of this.#checks.splice(0)) reject(this.#failure ?? new InwardError('shutting_down'));
  }

  get #hasWork(): boolean {
    return this.#underWay.length > 0 || this.#parts.scheduler.hasWork;
  }

  async #check(): Promise<void> {
    const { runner, pool, states } = this.#parts;
    const report = await runner.readResidue({ kv: pool.freeBlocks, state: states?.freeBlocks ?? [] }, pool.total);
    for (const { resolve } of this.#checks.splice(0)) resolve(report);
  }

  /** Starts a step, if there is one; once no more can be started, the oldest ends. */
  async #step(): Promise<void> {
    const batch = this.#free.pop();
    if (batch !== undefined) {
      if (this.#start(batch)) {
        if (this.#free.length > 0) return;
      } else this.#free.push(batch);
    }
    const oldest = this.#underWay.shift();
    if (oldest === undefined) return this.#sleep(); // until an arrival, an abort, a reader that caught up, or a deadline
    await this.#end(oldest);
  }

  /** False: nothing is to be done. */
  #start(batch: Batch): boolean {
    const { scheduler, runner, spares } = this.#parts;
    const started = performance.now();
    scheduler.schedule(batch, 1 + spares.length);
    const scheduled = this.#spent('schedule', started);
    if (batch.isEmpty) return false;
    for (const { sink } of batch.sequences) sink.admitted?.();
    const results = runner.run(batch);
    // Whoever waits for it hears of a failure; where an older one has failed nobody does.
    results.catch(() => undefined);
    this.#underWay.push({ batch, started, scheduled, results });
    return true;
  }

  async #end({ batch, started, scheduled, results: running }: Step): Promise<void> {
    const { scheduler, runner } = this.#parts;
    try {
      const results = await running;
      const submitted = this.#spent('submit', scheduled, runner.submittedAt);
      const waited = this.#spent('wait', submitted);
      const { tokens, logitRows } = batch.counts;
      // Beside the one before it a step takes what comes on top of that.
      if (tokens > 0) scheduler.pace.observe(tokens - logitRows, logitRows, waited - Math.max(started, this.#committedAt));
      scheduler.commit(batch, results);
      results.zero();
      this.#steps++;
      if (tokens > 0) this.#dispatchesPerStep = runner.dispatchCount;
      this.#committedAt = this.#spent('commit', waited);
    } finally {
      batch.zero();
      this.#free.push(batch);
    }
  }

  /** Gives `until`, where the next part begins. */
  #spent(part: keyof EngineStats['stepMs'], since: number, until: number = performance.now()): number {
    this.#recorder.spent(part, until - since);
    return until;
  }

  #sleep(): Promise<void> {
    const { nextDeadline } = this.#parts.scheduler;
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      // Node takes no delay beyond 2^31 - 1 ms; then it is looked at once more.
      const delay = Math.min(Math.max(0, nextDeadline - performance.now()) + 1, 2 ** 31 - 1);
      const timer = nextDeadline === Number.POSITIVE_INFINITY ? undefined : setTimeout(wake, delay);
      this.#wake = wake;
    });
  }

  #stop(error: InwardError): void {
    if (this.#failure !== undefined || this.#isClosed) return;
    this.#failure = error;
    this.#parts.scheduler.failAll(error);
    this.#wake?.();
    this.#fail(error);
  }
}

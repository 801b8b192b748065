/**
 * Owns the queue before the text process and when that is replaced: after so many requests and when idle, because what
 * strings leave in its memory goes with it only; and at once after it broke a limit. One request is with it at a time.
 * A request that breaks a limit fails alone: those behind it wait for the next process. Refuses to keep a process for
 * long that cannot be replaced.
 *
 * The next process is started beside the serving one and takes over between two requests, so nobody waits for a start.
 * Measured with SmolLM2's 49,152 tokens: a start takes 0.4 s, in which time both are there, at 33 MB each (PSS; 75 MB resident,
 * most of it pages of Node that all processes share).
 */
import { InwardError } from '../errors.ts';
import { type Ready, TextChild, type TextLimits } from './child.ts';
import type { ProcessRequest } from './protocol.ts';

export interface SupervisorOptions extends TextLimits {
  readonly modelPath: string;
  /** Requests after which the process is replaced. */
  readonly renewAfterRequests: number;
  /** Time without a request after which it is, if it had one, in ms. */
  readonly renewIdleMs: number;
}

interface Job {
  readonly request: ProcessRequest;
  readonly resolve: (ids: Uint32Array) => void;
  readonly reject: (error: unknown) => void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #queue: Job[] = [];
  /** Every process that has not ended. */
  readonly #children = new Set<TextChild>();
  /** The one that serves. */
  #child: TextChild | undefined;
  /** Started, and waiting for the end of a request to take over. */
  #spare: TextChild | undefined;
  #starting: Promise<Ready> | undefined;
  #fingerprint: string | undefined;
  #isBusy = false;
  #isAnswering = false;
  #isClosed = false;
  /** Count of requests at which the serving process is to be replaced. */
  #renewAt: number;
  /** Times in a row that it could not be. */
  #failures = 0;
  #idle: NodeJS.Timeout | undefined;
  readonly #onExit = (): void => {
    for (const child of this.#children) child.kill();
  };

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#renewAt = options.renewAfterRequests;
    process.on('exit', this.#onExit);
  }

  /** Starts a process, or joins the start under way; fails with what the model file is refused for. */
  start(): Promise<Ready> {
    this.#starting ??= this.#open().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  encode(request: ProcessRequest): Promise<Uint32Array> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      void this.#answerAll();
    });
  }

  /** Ends all processes; what waits fails with shutting_down. May be called more than once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    process.off('exit', this.#onExit);
    await Promise.all(Array.from(this.#children, (child) => child.end()));
  }

  async #answerAll(): Promise<void> {
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    clearTimeout(this.#idle);
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      await this.#answer(job.request).then(job.resolve, job.reject);
      this.#replace();
      if (this.#child !== undefined && this.#child.requestCount >= this.#renewAt) this.#renew();
    }
    this.#isAnswering = false;
    this.#watchIdle();
  }

  async #answer(request: ProcessRequest): Promise<Uint32Array> {
    if (this.#child === undefined && !this.#isClosed) await this.start();
    if (this.#child === undefined || this.#isClosed) throw new InwardError('shutting_down');
    this.#isBusy = true;
    try {
      return await this.#child.encode(request);
    } finally {
      this.#isBusy = false;
    }
  }

  async #open(): Promise<Ready> {
    const { modelPath } = this.#options;
    const child = new TextChild(this.#options, () => this.#lose(child));
    this.#children.add(child);
    void child.gone.then(() => this.#children.delete(child));
    try {
      const ready = await child.start(modelPath);
      // Another file would give ids that the loaded weights do not know.
      if (ready.fingerprint !== (this.#fingerprint ??= ready.fingerprint)) throw new InwardError('model_changed', { path: modelPath });
      this.#spare = child;
      this.#replace();
      return ready;
    } catch (error) {
      await child.end();
      throw error;
    }
  }

  /** Starts the next process in the background; the serving one goes on until it is there. */
  #renew(): void {
    if (this.#isClosed || this.#starting !== undefined || this.#spare !== undefined) return;
    this.start().catch(() => {
      // To be tried once more, after as many requests or as long a time; then without a next one.
      this.#failures++;
      this.#renewAt += this.#options.renewAfterRequests;
      this.#replace();
      this.#watchIdle();
    });
  }

  /** Between two requests: the spare takes over. One that could not be replaced twice ends: the next request starts a process or says why not. */
  #replace(): void {
    if (this.#isBusy || (this.#spare === undefined && this.#failures < 2)) return;
    const last = this.#child;
    this.#child = this.#spare;
    this.#spare = undefined;
    this.#failures = 0;
    this.#renewAt = this.#options.renewAfterRequests;
    void last?.end();
  }

  #watchIdle(): void {
    clearTimeout(this.#idle);
    if (this.#isAnswering || this.#isClosed || !this.#child?.requestCount) return;
    this.#idle = setTimeout(() => this.#renew(), this.#options.renewIdleMs);
    this.#idle.unref();
  }

  /** A process is of no more use. One that had served is replaced before anybody asks; another one might go the same way. */
  #lose(child: TextChild): void {
    if (child === this.#spare) this.#spare = undefined;
    if (child !== this.#child) return;
    this.#child = undefined;
    if (child.requestCount > 0) this.#renew();
  }
}

/**
 * Owns the search of long texts beside the event loop, which goes on answering others meanwhile: one thread, one text at a time, the others wait in their
 * order. The thread ends when it has had nothing to do for a while, and its memory with it. Refuses more than so many texts at once.
 */
import { Worker } from 'node:worker_threads';
import { InwardError } from '../../runtime/index.ts';
import { createDetector } from '../privacy/deid/detector.ts';
import { type FoundSpan, findIdentifiers } from '../privacy/deid/search.ts';
import type { Detector } from '../privacy/deid/types.ts';

/** UTF-16 units; what is shorter is searched at once, in some ten milliseconds. */
export const longLength: number = 2 ** 15;
/** Texts that are searched or wait. */
const placeLimit = 64;

export interface SearcherOptions {
  /** How long a thread without work is kept, in ms. */
  readonly idleMs?: number;
  /** How long the search of one text may take, in ms; then the thread is ended. */
  readonly longestMs?: number;
  readonly placeLimit?: number;
}

interface Job {
  /** Undefined once the thread has it. */
  text: string | undefined;
  readonly resolve: (spans: readonly FoundSpan[]) => void;
  readonly reject: (error: unknown) => void;
}

export class Searcher implements AsyncDisposable {
  readonly #options: Required<SearcherOptions>;
  /** The first is in the thread. */
  readonly #jobs: Job[] = [];
  #detector: Detector | undefined;
  #thread: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SearcherOptions = {}) {
    this.#options = { idleMs: 60_000, longestMs: 60_000, placeLimit, ...options };
  }

  /** Sorted, without overlaps. Throws InwardError `queue_full` and `internal`, and what the signal was aborted with. */
  async find(text: string, signal?: AbortSignal): Promise<readonly FoundSpan[]> {
    if (text.length < longLength) return findIdentifiers(text, (this.#detector ??= createDetector()));
    signal?.throwIfAborted();
    if (this.#jobs.length >= this.#options.placeLimit) throw new InwardError('queue_full', { limit: this.#options.placeLimit });
    const { promise, resolve, reject } = Promise.withResolvers<readonly FoundSpan[]>();
    const job: Job = { text, resolve, reject };
    const leave = (): void => this.#leave(job, signal?.reason);
    signal?.addEventListener('abort', leave);
    this.#jobs.push(job);
    if (this.#jobs.length === 1) this.#begin();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  /** Ends the thread; what waits is refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { reject } of this.#jobs.splice(0)) reject(new InwardError('shutting_down'));
    await this.#end();
  }

  /** A text that waits is let go; one in the thread is searched to its end, for nobody. */
  #leave(job: Job, reason: unknown): void {
    const at = this.#jobs.indexOf(job);
    if (at > 0) this.#jobs.splice(at, 1);
    job.reject(reason);
  }

  #begin(): void {
    clearTimeout(this.#timer);
    const [job] = this.#jobs;
    if (job?.text === undefined) return;
    this.#thread ??= this.#start();
    this.#thread.ref();
    // Of its own: a pooled one could not be given away.
    const units = new Uint8Array(job.text.length * 2);
    Buffer.from(units.buffer).write(job.text, 'utf16le');
    job.text = undefined;
    this.#thread.postMessage(units, [units.buffer]);
    this.#timer = setTimeout(() => this.#fail(), this.#options.longestMs);
  }

  #start(): Worker {
    // In a clone it is TypeScript, in the built package JavaScript.
    const thread = new Worker(new URL(import.meta.url.endsWith('.ts') ? 'thread.ts' : 'thread.js', import.meta.url));
    thread.on('message', (spans: readonly FoundSpan[]) => this.#finish((job) => job.resolve(spans)));
    thread.on('error', () => this.#fail());
    return thread;
  }

  #finish(settle: (job: Job) => void): void {
    const job = this.#jobs.shift();
    if (job !== undefined) settle(job);
    clearTimeout(this.#timer);
    if (this.#jobs.length > 0) {
      this.#begin();
      return;
    }
    this.#thread?.unref();
    this.#timer = setTimeout(() => void this.#end(), this.#options.idleMs).unref();
  }

  /** Its memory ran out, or it took too long; the next text gets a new one. */
  #fail(): void {
    void this.#end();
    this.#finish((job) => job.reject(new InwardError('internal', { part: 'the search for identifiers' })));
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    const thread = this.#thread;
    this.#thread = undefined;
    thread?.removeAllListeners();
    // What it still throws while it ends would be one of this process.
    thread?.on('error', () => undefined);
    await thread?.terminate();
  }
}

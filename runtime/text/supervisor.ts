/**
 * Owns the life of the worker thread and the queue before it. One request is with the worker at a time; the deadline
 * and the memory limit are enforced from here by ending the thread. A request that breaks a limit fails alone:
 * those behind it wait for the next worker. Refuses to wait for ever, at start as well.
 */
import { Worker } from 'node:worker_threads';
import { InwardError } from '../errors.ts';
import type { Pieces } from './pieces.ts';
import type { WorkerAnswer, WorkerRequest, WorkerStart } from './protocol.ts';
import type { TextInfo } from './types.ts';

export interface SupervisorOptions {
  readonly modelPath: string;
  /** For one request, in ms. */
  readonly deadlineMs: number;
  /** Heap of the worker, in MiB. */
  readonly memoryMiB: number;
}

export type Ready = Extract<WorkerAnswer, { kind: 'ready' }>;

interface Job {
  /** Undefined for the start of a worker. */
  readonly request: WorkerRequest | undefined;
  readonly resolve: (answer: WorkerAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** ms; a worker reads at most a few MB and parses no template before it is ready. */
const startDeadlineMs = 60_000;
const workerFile = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #queue: Job[] = [];
  #worker: Worker | undefined;
  #current: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts the first worker; fails with what the model file is refused for. */
  async start(): Promise<{ readonly info: TextInfo; readonly pieces: Pieces }> {
    const answer = await new Promise<WorkerAnswer>((resolve, reject) => this.#spawn({ request: undefined, resolve, reject }));
    if (answer.kind !== 'ready') throw new InwardError('internal', { part: 'text worker' });
    return answer;
  }

  async encode(request: WorkerRequest): Promise<Uint32Array> {
    if (this.#isClosed) throw new InwardError('shutting_down');
    const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      this.#next();
    });
    if (answer.kind !== 'ids') throw new InwardError('internal', { part: 'text worker' });
    return answer.ids;
  }

  /** Ends the worker; what waits fails with shutting_down. May be called more than once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#queue.splice(0)) job.reject(new InwardError('shutting_down'));
    await this.#drop(new InwardError('shutting_down'));
  }

  #next(): void {
    if (this.#current !== undefined || this.#queue.length === 0) return;
    if (this.#worker === undefined) {
      // The job that starts a worker has no caller: a failure goes to the request that needed it.
      this.#spawn({ request: undefined, resolve: () => {}, reject: (error) => this.#queue.shift()?.reject(error) });
      return;
    }
    const job = this.#queue.shift() as Job;
    this.#begin(job, this.#options.deadlineMs);
    this.#worker.postMessage(job.request);
  }

  #spawn(job: Job): void {
    const worker = new Worker(workerFile, {
      workerData: { modelPath: this.#options.modelPath } satisfies WorkerStart,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.memoryMiB, maxYoungGenerationSizeMb: 16 },
      env: {},
      execArgv: [],
      // Nothing that is printed in the worker reaches a terminal or a log; the worker silences its console as well.
      stdout: true,
      stderr: true,
    });
    this.#worker = worker;
    this.#begin(job, startDeadlineMs);
    worker.on('message', (answer: WorkerAnswer) => this.#settle(worker, answer));
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, undefined));
  }

  #begin(job: Job, deadlineMs: number): void {
    this.#current = job;
    this.#worker?.ref();
    this.#timer = setTimeout(() => {
      void this.#drop(new InwardError('text_deadline', { limit: deadlineMs }));
      this.#next();
    }, deadlineMs);
  }

  #end(): Job | undefined {
    const job = this.#current;
    clearTimeout(this.#timer);
    this.#current = undefined;
    // An idle worker keeps no process alive.
    this.#worker?.unref();
    return job;
  }

  #settle(worker: Worker, answer: WorkerAnswer): void {
    if (worker !== this.#worker) return;
    const job = this.#end();
    if (answer.kind === 'failed') {
      // A worker that could not start is of no use.
      if (job?.request === undefined) void this.#drop();
      job?.reject(new InwardError(answer.code, answer.fields));
    } else job?.resolve(answer);
    this.#next();
  }

  /** The worker ended by itself: out of memory, or a bug of ours. */
  #lose(worker: Worker, error: unknown): void {
    if (worker !== this.#worker) return;
    const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    void this.#drop(isMemory ? new InwardError('text_memory', { limit: this.#options.memoryMiB }) : new InwardError('internal', { part: 'text worker' }));
    this.#next();
  }

  /** Ends the worker and fails its job. */
  async #drop(error?: InwardError): Promise<void> {
    const worker = this.#worker;
    const job = this.#end();
    this.#worker = undefined;
    if (error !== undefined) job?.reject(error);
    await worker?.terminate();
  }
}

/**
 * Owns one text process: started locked down, asked one thing at a time, ended. The deadline is enforced from here by
 * killing it, the memory limit by V8's own abort. (In a thread that abort takes the whole server along: V8 gives an
 * isolate over its limit 16 MiB to end in, and one growing array needs more.) Refuses to wait for ever, at start as well.
 */
import { InwardError } from '../errors.ts';
import { type Launched, launch, programBeside } from '../launch.ts';
import { type ProcessAnswer, type ProcessRequest, type ProcessStart, readAnswer } from './protocol.ts';

export interface TextLimits {
  /** For one request, in ms. */
  readonly deadlineMs: number;
  /** Heap of the process, in MiB. */
  readonly memoryMiB: number;
  /** It can write no file at all. */
  readonly keepsNothing: boolean;
}

type LaunchedText = Launched<ProcessStart | ProcessRequest, unknown>;

export type Ready = Extract<ProcessAnswer, { kind: 'ready' }>;

interface Job {
  readonly resolve: (answer: ProcessAnswer) => void;
  readonly reject: (error: InwardError) => void;
  readonly timer: NodeJS.Timeout;
}

/** ms; a process reads at most a few MB and parses no template before it is ready. */
const startDeadlineMs = 60_000;
/** How V8 ends a process whose heap is full, by platform; and how the system ends one when the machine is. */
const memorySignals: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGKILL']);
const file = programBeside(import.meta.url, 'process');
const failure = (): InwardError => new InwardError('internal', { part: 'the text process' });

export class TextChild {
  /** Resolves when the process has ended. */
  readonly gone: Promise<void>;
  requestCount = 0;
  readonly #process: LaunchedText['process'];
  readonly #link: LaunchedText['link'];
  readonly #limits: TextLimits;
  readonly #onLost: () => void;
  #job: Job | undefined;
  #isLost = false;

  /** `onLost` is called once, as soon as the process is of no more use. */
  constructor(limits: TextLimits, onLost: () => void) {
    this.#limits = limits;
    this.#onLost = onLost;
    ({ process: this.#process, link: this.#link } = start(limits));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    this.#link.listen({ message: (message) => this.#settle(readAnswer(message)), broken: () => this.#settle(undefined) });
    this.#process
      .on('error', () => {
        this.#lose(failure());
        if (this.#process.pid === undefined) resolve();
      })
      .on('exit', (_, signal) => {
        // It ended by itself: out of memory, or a bug of ours.
        const isMemory = signal !== null && memorySignals.has(signal);
        this.#lose(isMemory ? new InwardError('text_memory', { limit: limits.memoryMiB }) : failure());
        resolve();
      });
  }

  /** Builds tokenizer and template; fails with what the model file is refused for. */
  async start(modelPath: string): Promise<Ready> {
    const answer = await this.#ask({ modelPath }, startDeadlineMs);
    if (answer.kind === 'ready') return answer;
    throw answer.kind === 'refused' ? new InwardError(answer.code, answer.fields) : failure();
  }

  async encode(request: ProcessRequest): Promise<Uint32Array> {
    this.requestCount++;
    const answer = await this.#ask(request, this.#limits.deadlineMs);
    if (answer.kind === 'failed') throw new InwardError(answer.code, answer.code === 'internal' ? { part: 'the text process' } : answer.fields);
    if (answer.kind !== 'ids') throw failure();
    return answer.ids;
  }

  /** Ends the process; what it was asked fails with `error`. May be called more than once. */
  end(error: InwardError = new InwardError('shutting_down')): Promise<void> {
    this.#lose(error);
    this.#process.ref();
    this.#process.kill('SIGKILL');
    return this.gone;
  }

  /** For the end of this process, when nothing can be waited for: a busy child does not see that its parent is gone. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #ask(message: ProcessStart | ProcessRequest, limit: number): Promise<ProcessAnswer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => void this.end(new InwardError('text_deadline', { limit })), limit);
      this.#job = { resolve, reject, timer };
      this.#process.ref();
      this.#link.ref();
      if (this.#isLost) this.#lose(failure());
      // A dying process is noticed by its exit; a send that fails only comes earlier.
      else this.#link.send(message);
    });
  }

  #settle(answer: ProcessAnswer | undefined): void {
    const job = this.#release();
    if (job !== undefined && answer !== undefined) job.resolve(answer);
    // Nothing was asked, or this is no answer: nobody knows what else it would say.
    else if (!this.#isLost) {
      job?.reject(failure());
      void this.end();
    }
  }

  #lose(error: InwardError): void {
    this.#release()?.reject(error);
    if (this.#isLost) return;
    this.#isLost = true;
    this.#onLost();
  }

  /** The job that was under way. An idle child keeps no process alive. */
  #release(): Job | undefined {
    const job = this.#job;
    clearTimeout(job?.timer);
    this.#job = undefined;
    this.#process.unref();
    this.#link.unref();
    return job;
  }
}

function start({ memoryMiB, keepsNothing }: TextLimits): LaunchedText {
  return launch({
    file,
    flags: [`--max-old-space-size=${memoryMiB}`, '--max-semi-space-size=1', '--disallow-code-generation-from-strings'],
    reads: ['*'],
    writes: [],
    keepsNothing,
    environment: {},
  });
}

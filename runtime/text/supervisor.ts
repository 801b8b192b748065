/**
 * Owns the life of the text process and the queue before it. One request is with the process at a time; the deadline
 * is enforced from here by killing it, the memory limit by V8's own abort. (In a thread that abort takes the whole
 * server along: V8 gives an isolate over its limit 16 MiB to end in, and one growing array needs more.)
 * A request that breaks a limit fails alone: those behind it wait for the next process. Refuses to wait for ever,
 * at start as well.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { InwardError } from '../errors.ts';
import type { ProcessAnswer, ProcessRequest, ProcessStart } from './protocol.ts';

export interface SupervisorOptions {
  readonly modelPath: string;
  /** For one request, in ms. */
  readonly deadlineMs: number;
  /** Heap of the process, in MiB. */
  readonly memoryMiB: number;
}

type Ready = Extract<ProcessAnswer, { kind: 'ready' }>;

interface Job {
  /** Undefined for the start of a process. */
  readonly request: ProcessRequest | undefined;
  readonly resolve: (answer: ProcessAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** ms; a process reads at most a few MB and parses no template before it is ready. */
const startDeadlineMs = 60_000;
/** How V8 ends a process whose heap is full, by platform; and how the system ends one when the machine is. */
const memorySignals: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGKILL']);
/** .ts in a clone, .js in a published package. */
const file = new URL(`./process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/**
 * Since Node 24.21 a process can give its permissions back. Then it may write the compiled form of our sources to where
 * the command keeps it while it starts, which spares 18 MB, and nothing before its first request (see process.ts).
 */
const canLockFiles = compareVersions(process.versions.node, '24.21.0') >= 0;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #queue: Job[] = [];
  #child: ChildProcess | undefined;
  #current: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** A busy child does not see that its parent is gone. */
  readonly #onExit = (): void => void this.#child?.kill('SIGKILL');

  constructor(options: SupervisorOptions) {
    this.#options = options;
    process.on('exit', this.#onExit);
  }

  /** Starts the first process; fails with what the model file is refused for. */
  async start(): Promise<Ready> {
    const answer = await new Promise<ProcessAnswer>((resolve, reject) => this.#spawn({ request: undefined, resolve, reject }));
    if (answer.kind !== 'ready') throw new InwardError('internal', { part: 'the text process' });
    return answer;
  }

  async encode(request: ProcessRequest): Promise<Uint32Array> {
    if (this.#isClosed) throw new InwardError('shutting_down');
    const answer = await new Promise<ProcessAnswer>((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      this.#next();
    });
    if (answer.kind !== 'ids') throw new InwardError('internal', { part: 'the text process' });
    // A copy of its own: what the channel gives may lie in a buffer shared with other messages.
    return Uint32Array.from(answer.ids);
  }

  /** Ends the process; what waits fails with shutting_down. May be called more than once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    process.off('exit', this.#onExit);
    for (const job of this.#queue.splice(0)) job.reject(new InwardError('shutting_down'));
    await this.#drop(new InwardError('shutting_down'));
  }

  #next(): void {
    if (this.#current !== undefined || this.#queue.length === 0) return;
    if (this.#child === undefined) {
      // The job that starts a process has no caller: a failure goes to the request that needed it.
      this.#spawn({ request: undefined, resolve: () => {}, reject: (error) => this.#queue.shift()?.reject(error) });
      return;
    }
    const job = this.#queue.shift() as Job;
    this.#begin(job, this.#options.deadlineMs);
    this.#child.send(job.request as ProcessRequest);
  }

  #spawn(job: Job): void {
    const { modelPath, memoryMiB } = this.#options;
    const codeCache = canLockFiles ? process.env['NODE_COMPILE_CACHE'] : undefined;
    const child = fork(file, [], {
      ...launch([
        `--max-old-space-size=${memoryMiB}`,
        '--max-semi-space-size=1',

        '--disallow-code-generation-from-strings',
        '--permission',
        '--allow-fs-read=*',
        ...(codeCache === undefined ? [] : [`--allow-fs-write=${codeCache}`]),
      ]),
      serialization: 'advanced',
      // What V8 prints when it aborts, or a library warns of, reaches no terminal and no log.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: codeCache === undefined ? {} : { NODE_COMPILE_CACHE: codeCache },
    });
    this.#child = child;
    this.#begin(job, startDeadlineMs);
    child.on('message', (answer: ProcessAnswer) => this.#settle(child, answer));
    child.on('error', () => this.#lose(child, null));
    child.on('exit', (_, signal) => this.#lose(child, signal));
    child.send({ modelPath } satisfies ProcessStart);
  }

  #begin(job: Job, deadlineMs: number): void {
    this.#current = job;
    this.#child?.ref();
    this.#child?.channel?.ref();
    this.#timer = setTimeout(() => {
      void this.#drop(new InwardError('text_deadline', { limit: deadlineMs }));
      this.#next();
    }, deadlineMs);
  }

  #end(): Job | undefined {
    const job = this.#current;
    clearTimeout(this.#timer);
    this.#current = undefined;
    // An idle child keeps no process alive.
    this.#child?.unref();
    this.#child?.channel?.unref();
    return job;
  }

  #settle(child: ChildProcess, answer: ProcessAnswer): void {
    if (child !== this.#child) return;
    const job = this.#end();
    if (answer.kind === 'failed') {
      // A process that could not start is of no use.
      if (job?.request === undefined) void this.#drop();
      job?.reject(new InwardError(answer.code, answer.fields));
    } else job?.resolve(answer);
    this.#next();
  }

  /** The process ended by itself: out of memory, or a bug of ours. */
  #lose(child: ChildProcess, signal: NodeJS.Signals | null): void {
    if (child !== this.#child) return;
    const isMemory = signal !== null && memorySignals.has(signal);
    void this.#drop(isMemory ? new InwardError('text_memory', { limit: this.#options.memoryMiB }) : new InwardError('internal', { part: 'the text process' }));
    this.#next();
  }

  /** Ends the process and fails its job. */
  async #drop(error?: InwardError): Promise<void> {
    const child = this.#child;
    const job = this.#end();
    this.#child = undefined;
    if (error !== undefined) job?.reject(error);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('exit', () => resolve());
    child.ref();
    if (child.kill('SIGKILL')) await promise;
  }
}

/** How Node is started with these flags: through a shell that forbids core files, because an abort would write prompts into one. */
function launch(flags: readonly string[]): { readonly execPath: string; readonly execArgv: string[] } {
  if (process.platform === 'win32') return { execPath: process.execPath, execArgv: [...flags] };
  return { execPath: '/bin/sh', execArgv: ['-c', 'ulimit -c 0 && exec "$0" "$@"', process.execPath, ...flags] };
}

/** Of two versions in numbers: negative, zero or positive, as a sort wants it. */
function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

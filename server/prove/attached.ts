/**
 * Owns a running server that a proof looks at and does not own: its processes, what they had open for writing, where its standard streams
 * lead, and strace beside it where that may attach. Refuses to signal or end any process of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SiteError } from '../privacy/errors.ts';
import { traceCommand } from './child.ts';
import { readEnvironment } from './processes.ts';
import { type FoundProcess, listTree, type ProcessKind, readProcess, toKind, type Watched } from './tree.ts';

/** A descriptor of a process that may be written by. */
export interface OpenFile {
  readonly kind: ProcessKind;
  readonly descriptor: number;
  /** As the kernel names it: a path, or `pipe:[1]`. */
  readonly target: string;
}

/** Longest wait for strace to be everywhere, and for its end, in ms. */
const attachMs = 10_000;
const access = { readOnly: 0, mask: 3 } as const;

export class Attached implements Watched, AsyncDisposable {
  readonly pid: number;
  /** Every thread that was seen of it. */
  readonly seen: Map<number, ProcessKind> = new Map();
  #tracer: ChildProcess | undefined;

  /** Throws SiteError where there is no such server, or this user may not look at it. */
  constructor(pid: number) {
    this.pid = pid;
    const command = readProcess(pid, 'cmdline');
    if (command === '') throw new SiteError(`There is no process ${pid} that can be looked at: expected a running server of this user (or be root).`);
    if (toKind(pid) !== 'server' || !/\0(?:serve|evaluate)(?:\0|$)/.test(command))
      throw new SiteError(`The process ${pid} is no server: expected one that was started by inward serve or inward evaluate.`);
    if (readProcess(pid, 'environ') === '') throw new SiteError(`The process ${pid} is another user's: run this as that user, or as root.`);
    this.look();
  }

  /** Folder of the program that runs. */
  get program(): string {
    const script =
      readProcess(this.pid, 'cmdline')
        .split('\0')
        .find((word) => /\/bin\/inward\.mjs$/.test(word)) ?? '';
    return dirname(dirname(script));
  }

  /** Who it runs as. */
  get user(): number {
    return statSync(`/proc/${this.pid}`).uid;
  }

  get environment(): Readonly<Record<string, string>> {
    return readEnvironment(this.pid);
  }

  look(): FoundProcess[] {
    const found = listTree(this.pid).map((pid) => ({ pid, kind: toKind(pid) }));
    for (const { pid, kind } of found) for (const thread of [pid, ...listNumbers(`/proc/${pid}/task`)]) this.seen.set(thread, kind);
    return found;
  }

  /** What its processes have open for writing. */
  listOpen(): OpenFile[] {
    return this.look().flatMap(({ pid, kind }) =>
      listNumbers(`/proc/${pid}/fd`).flatMap((descriptor) => {
        const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(readProcess(pid, `fdinfo/${descriptor}`))?.[1] ?? '0', 8);
        const target = readTarget(`/proc/${pid}/fd/${descriptor}`);
        return target === undefined || (flags & access.mask) === access.readOnly ? [] : [{ kind, descriptor, target }];
      }),
    );
  }

  /** Whether strace follows all its processes from now on, and writes to this file. */
  async trace(file: string, environment: Readonly<Record<string, string | undefined>>): Promise<boolean> {
    const processes = this.look();
    const [command = '', ...values] = traceCommand(
      file,
      processes.flatMap(({ pid }) => ['-p', String(pid)]),
    );
    const tracer = spawn(command, values, { stdio: 'ignore', env: { ...environment } });
    this.#tracer = tracer;
    let hasEnded = false;
    const ended = Promise.race([once(tracer, 'exit'), once(tracer, 'error')]).finally(() => (hasEnded = true));
    const isEverywhere = (): boolean => processes.every(({ pid }) => listNumbers(`/proc/${pid}/task`).every((thread) => tracerOf(thread) === tracer.pid));
    for (const begun = Date.now(); !hasEnded && Date.now() - begun < attachMs; await pause()) if (isEverywhere()) return true;
    await this[Symbol.asyncDispose]();
    await ended.catch(() => undefined);
    return false;
  }

  /** Lets go of the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    const tracer = this.#tracer;
    this.#tracer = undefined;
    if (tracer?.pid === undefined || tracer.exitCode !== null || tracer.signalCode !== null) return;
    const ended = once(tracer, 'exit');
    // It lets its processes go on, and so does the kernel where it is killed.
    tracer.kill('SIGINT');
    const timer = setTimeout(() => tracer.kill('SIGKILL'), attachMs);
    await ended;
    clearTimeout(timer);
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

const tracerOf = (thread: number): number => Number(/^TracerPid:\s*(\d+)$/m.exec(readProcess(thread, 'status'))?.[1] ?? 0);

function listNumbers(folder: string): number[] {
  try {
    return readdirSync(folder).map(Number);
  } catch {
    // Ended meanwhile.
    return [];
  }
}

function readTarget(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** What was written to a file behind `offset`. */
export function readBehind(path: string, offset: number): Buffer {
  return readFileSync(path).subarray(offset);
}

/**
 * Owns how a measured process is asked: started with its driver's environment, one question at a time with a deadline, ended with the
 * bench. Refuses to know what it measures.
 */
import { type ChildProcess, fork } from 'node:child_process';

/** Longest wait for one answer, in ms: a CPU device compiles a peer's kernels for minutes at the very first run, a hang takes for ever. */
const deadlineMs = 1_200_000;
/** Longest wait for its process to end by itself, in ms. */
const closeDeadlineMs = 10_000;

/** The process did not do what it was asked; the reason is its own. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
}

export interface Question {
  readonly type: string;
  readonly [field: string]: unknown;
}

export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;

  /** Starts `file`, which answers each message with one message; a `failed` one has a `reason`. */
  constructor(file: string, environment: Readonly<Record<string, string>>) {
    this.#process = fork(file, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, ...environment },
      execArgv: [],
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Throws PeerError. */
  ask<Answer>(question: Question): Promise<Answer> {
    const child = this.#process;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const timer = setTimeout(() => reject(new PeerError(`it gave no answer in ${deadlineMs / 1000} s`)), deadlineMs);
    const onMessage = (answer: Answer & { readonly type: string; readonly reason?: string }): void =>
      answer.type === 'failed' ? reject(new PeerError(answer.reason)) : resolve(answer);
    const onExit = (code: number | null, signal: string | null): void => reject(new PeerError(`its process ended (${signal ?? `exit code ${code}`})`));
    const onError = (): void => onExit(-1, null);
    child.on('message', onMessage).on('exit', onExit).on('error', onError);
    if (child.connected) child.send(question, () => undefined);
    else onExit(child.exitCode, child.signalCode);
    return promise.finally(() => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit).off('error', onError);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.connected) child.send({ type: 'close' }, () => undefined);
    const timer = setTimeout(() => child.kill('SIGKILL'), closeDeadlineMs);
    await exited;
    clearTimeout(timer);
  }
}

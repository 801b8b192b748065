/**
 * Owns which process serves: the first one, and another one where it is lost, after a pause that doubles with each failure in a
 * row. Refuses to try for ever, and to go on with another model file.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver } from '../drivers.ts';
import { type ErrorCode, InwardError, toInwardError } from '../errors.ts';
import type { EngineInfo } from '../types.ts';
import { EngineChild, type SilenceLimits } from './child.ts';
import { type LaunchedEngine, launchStages } from './launcher.ts';
import type { FromEngine, PlainOptions } from './messages.ts';

/** How a lost process is replaced; times in ms. Tests have programs and times of their own. */
export interface RestartPolicy extends SilenceLimits {
  readonly launch: (options: PlainOptions, driver: Driver) => LaunchedEngine;
  /** Before the first try; doubled with each failure in a row. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** Time of service after which a failure is no longer one in a row. */
  readonly healthyMs: number;
  /** Failures in a row, the loss included, after which the engine has failed. */
  readonly failureLimit: number;
  /** Processes that a request without an event is given to. */
  readonly sendLimit: number;
}

export const standardPolicy: RestartPolicy = {
  launch: launchStages,
  openingMs: 600_000,
  servingMs: 60_000,
  firstDelayMs: 500,
  longestDelayMs: 30_000,
  healthyMs: 60_000,
  failureLimit: 10,
  sendLimit: 3,
};

export interface SupervisorListener {
  /** From the process that serves, or that opens. */
  message(message: FromEngine): void;
  /** Whether the process should be heard of: while there are requests. */
  isAwaited(): boolean;
  /** The serving process is gone; another one will be tried. */
  lost(code: ErrorCode): void;
  /** Another process serves; `code`: by what the one before was lost. */
  replaced(code: ErrorCode): void;
  failed(error: InwardError): void;
}

/** What a file is refused with: where it was good before, it is another one now, or gone. */
const fileErrors: ReadonlySet<ErrorCode> = new Set(['model_changed', 'file_missing', 'gguf_invalid', 'checkpoint_invalid', 'model_unsupported']);

export class Supervisor {
  readonly #options: PlainOptions;
  readonly #driver: Driver;
  readonly #policy: RestartPolicy;
  readonly #listener: SupervisorListener;
  readonly #closed = new AbortController();
  #serving: EngineChild | undefined;
  #opening: EngineChild | undefined;
  #restarting: Promise<void> | undefined;
  #servesSince = 0;
  #failuresInARow = 0;
  #fingerprint: string | undefined;
  readonly #onExit = (): void => {
    // A process that hangs would not see that its parent is gone.
    for (const child of [this.#serving, this.#opening]) void child?.kill();
  };

  constructor(options: PlainOptions, driver: Driver, policy: RestartPolicy, listener: SupervisorListener) {
    this.#options = options;
    this.#driver = driver;
    this.#policy = policy;
    this.#listener = listener;
  }

  /** The process that serves, undefined while there is none. */
  get child(): EngineChild | undefined {
    return this.#serving;
  }

  /** Starts the first process; fails with what it refuses. */
  async open(): Promise<EngineInfo> {
    process.on('exit', this.#onExit);
    try {
      return await this.#start();
    } catch (error) {
      process.off('exit', this.#onExit);
      throw error;
    }
  }

  /** Ends everything, what is under way included. */
  async close(): Promise<void> {
    process.off('exit', this.#onExit);
    this.#closed.abort();
    await Promise.all([this.#serving?.close(), this.#opening?.kill(), this.#restarting]);
    this.#serving = undefined;
  }

  async #start(): Promise<EngineInfo> {
    // Measured once; a process after the first finds it in the file.
    const { tune = 'off' } = this.#options;
    const options: PlainOptions = this.#fingerprint === undefined || tune === 'off' ? this.#options : { ...this.#options, tune: 'quick' };
    const { message, isAwaited } = this.#listener;
    const lost = (error: InwardError): void => this.#lose(child, error);
    const child: EngineChild = new EngineChild(this.#policy.launch(options, this.#driver), { message, isAwaited, lost }, this.#policy);
    this.#opening = child;
    try {
      const info = await child.open(options, this.#driver);
      if (info.fingerprint !== (this.#fingerprint ??= info.fingerprint)) throw this.#modelChanged();
      this.#serving = child;
      this.#servesSince = performance.now();
      return info;
    } catch (error) {
      await child.kill();
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  /** The loss of a process that opens is told by its `open`. */
  #lose(child: EngineChild, error: InwardError): void {
    if (child !== this.#serving) return;
    this.#serving = undefined;
    if (performance.now() - this.#servesSince >= this.#policy.healthyMs) this.#failuresInARow = 0;
    if (!this.#mayTry(error)) return;
    this.#listener.lost(error.code);
    this.#restarting = this.#restart(child, error.code);
  }

  async #restart(lost: EngineChild, cause: ErrorCode): Promise<void> {
    // Its memory on the device is needed; a process that hangs in the driver may never go.
    await Promise.race([lost.gone, this.#pause(this.#policy.longestDelayMs)]);
    for (;;) {
      await this.#pause(Math.min(this.#policy.longestDelayMs, this.#policy.firstDelayMs * 2 ** (this.#failuresInARow - 1)));
      if (this.#closed.signal.aborted) return;
      try {
        await this.#start();
        return this.#listener.replaced(cause);
      } catch (error) {
        if (!this.#mayTry(toInwardError(error, 'the start of the engine process'))) return;
      }
    }
  }

  /** After a failure: whether there is to be another try. */
  #mayTry(error: InwardError): boolean {
    if (this.#closed.signal.aborted) return false;
    const hasChanged = fileErrors.has(error.code);
    if (++this.#failuresInARow < this.#policy.failureLimit && !hasChanged) return true;
    process.off('exit', this.#onExit);
    this.#listener.failed(hasChanged ? this.#modelChanged() : error);
    return false;
  }

  async #pause(ms: number): Promise<void> {
    // The end of a pause is as good as its being cut short.
    await sleep(ms, undefined, { signal: this.#closed.signal }).catch(() => undefined);
  }

  #modelChanged(): InwardError {
    return new InwardError('model_changed', { path: this.#options.modelPath });
  }
}

/**
 * Owns how a witness is kept up to date: one checkpoint at a time, at most one a second, always the newest; after an error again, later
 * each time; and how far behind the witness is. Refuses to queue: what a newer checkpoint covers is not sent.
 */
import { type Witness, type WitnessCode, WitnessError, type Witnessed } from './contract.ts';

/** Shortest time from the beginning of one sending to that of the next, in ms. */
const paceMs = 1000;
/** Longest wait after an error, in ms. */
const longestWaitMs = 30_000;

/** For tests; what is left out is the process's own. */
export interface Timing {
  /** In ms, never backwards. */
  now(): number;
  /** Calls back once; gives how to take that back. */
  wait(ms: number, callback: () => void): () => void;
}

const processTiming: Timing = {
  now: () => performance.now(),
  wait: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export interface FollowerOptions {
  readonly timing?: Timing;
  /** Called when keeping begins to fail, fails in another way, and, with undefined, when it works again. */
  readonly onChange?: (code: WitnessCode | undefined) => void;
  /** From which lag on the witness is late, in ms; left out: never. */
  readonly lagLimitMs?: number;
  /** Called when the witness is late, or has found that the log is not what it was; and when neither is so any more. */
  readonly onLate?: (isLate: boolean) => void;
}

/** What more time does not heal. */
const findings: readonly (WitnessCode | undefined)[] = ['rolled_back', 'forked'];

interface Unkept {
  readonly checkpoint: Witnessed;
  /** When the oldest that it covers was offered. */
  readonly since: number;
}

export class WitnessFollower implements AsyncDisposable {
  readonly #witness: Witness;
  readonly #timing: Timing;
  readonly #onChange: (code: WitnessCode | undefined) => void;
  readonly #lagLimitMs: number;
  readonly #onLate: (isLate: boolean) => void;
  #isLate = false;
  #cancelAlarm: (() => void) | undefined;
  #waiting: Unkept | undefined;
  #sending: Unkept | undefined;
  #cancel: (() => void) | undefined;
  #began = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failure: WitnessCode | undefined;
  #isClosed = false;
  readonly #onSettled = new Set<() => void>();

  constructor(witness: Witness, options: FollowerOptions = {}) {
    const { timing = processTiming, onChange = () => undefined, lagLimitMs = Number.POSITIVE_INFINITY, onLate = () => undefined } = options;
    this.#witness = witness;
    this.#timing = timing;
    this.#onChange = onChange;
    this.#lagLimitMs = lagLimitMs;
    this.#onLate = onLate;
  }

  /** Takes the newest checkpoint, which covers all before it. */
  offer(checkpoint: Witnessed): void {
    if (this.#isClosed) return;
    const isFirst = this.#isCurrent;
    this.#waiting = { checkpoint, since: this.#waiting?.since ?? this.#timing.now() };
    this.#plan();
    if (isFirst) this.#judgeLag();
  }

  /** Age of the oldest checkpoint that the witness does not have, in ms; 0 when it has the newest. */
  get lagMs(): number {
    const oldest = this.#sending ?? this.#waiting;
    return oldest === undefined ? 0 : this.#timing.now() - oldest.since;
  }

  /** Why the last sending failed; undefined where it did not. */
  get failure(): WitnessCode | undefined {
    return this.#failure;
  }

  /** Sends what is left without waiting first; gives whether the witness has the newest within that time. */
  async flush(timeoutMs: number): Promise<boolean> {
    if (this.#isCurrent) return true;
    this.#began = Number.NEGATIVE_INFINITY;
    this.#failures = 0;
    this.#replan();
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        this.#onSettled.delete(end);
        resolve();
      };
      const cancel = this.#timing.wait(timeoutMs, end);
      this.#onSettled.add(end);
    });
    return this.#isCurrent;
  }

  /** Gives up what was not sent, and closes the witness. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    this.#cancelAlarm?.();
    this.#settle();
    await this.#witness[Symbol.asyncDispose]();
  }

  get #isCurrent(): boolean {
    return this.#sending === undefined && this.#waiting === undefined;
  }

  #replan(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#plan();
  }

  #plan(): void {
    if (this.#isClosed || this.#waiting === undefined || this.#sending !== undefined || this.#cancel !== undefined) return;
    const pause = Math.min(longestWaitMs, paceMs * 2 ** this.#failures);
    this.#cancel = this.#timing.wait(Math.max(0, this.#began + pause - this.#timing.now()), () => {
      this.#cancel = undefined;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    const unkept = this.#waiting;
    if (unkept === undefined) return;
    this.#waiting = undefined;
    this.#sending = unkept;
    this.#began = this.#timing.now();
    const code = await tryKeep(this.#witness, unkept.checkpoint);
    this.#sending = undefined;
    if (this.#isClosed) return;
    if (code !== undefined) this.#takeBack(unkept);
    this.#failures = code === undefined ? 0 : this.#failures + 1;
    if (code !== this.#failure) {
      this.#failure = code;
      this.#onChange(code);
    }
    if (this.#isCurrent) this.#settle();
    this.#plan();
    this.#judgeLag();
  }

  /** Now, and again when the limit is reached. */
  #judgeLag(): void {
    this.#cancelAlarm?.();
    this.#cancelAlarm = undefined;
    if (this.#lagLimitMs === Number.POSITIVE_INFINITY) return;
    const rest = this.#lagLimitMs - this.lagMs;
    const isLate = rest <= 0 || findings.includes(this.#failure);
    if (rest > 0 && !this.#isCurrent) this.#cancelAlarm = this.#timing.wait(rest, () => this.#judgeLag());
    if (isLate === this.#isLate) return;
    this.#isLate = isLate;
    this.#onLate(isLate);
  }

  /** What has been offered since is newer and covers it. */
  #takeBack({ checkpoint, since }: Unkept): void {
    this.#waiting = { checkpoint: this.#waiting?.checkpoint ?? checkpoint, since };
  }

  #settle(): void {
    for (const end of this.#onSettled) end();
  }
}

async function tryKeep(witness: Witness, checkpoint: Witnessed): Promise<WitnessCode | undefined> {
  try {
    await witness.keep(checkpoint);
    return undefined;
  } catch (error) {
    return error instanceof WitnessError ? error.code : 'protocol';
  }
}

/**
 * Owns how often something that may get better is tried, and how long it waits between: longer each time, or as long as the other side
 * asks for, within a limit. Refuses to try again what will not get better.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SiteError } from '../../privacy/errors.ts';
import { codeOf } from '../../privacy/files.ts';

/** What may be better the next time. */
export class Passing extends Error {
  override readonly name = 'Passing';
  readonly waitMs: number | undefined;

  constructor(found: string, waitMs?: number) {
    super(found);
    this.waitMs = waitMs;
  }
}

export interface Patience {
  readonly tries: number;
  /** First pause; it doubles. */
  readonly pauseMs: number;
  readonly longestMs: number;
  sleep(ms: number): Promise<unknown>;
}

export const standardPatience: Patience = { tries: 6, pauseMs: 500, longestMs: 60_000, sleep };

/** Tries in a row that brought little or nothing. */
export class Tries {
  readonly #patience: Patience;
  readonly #what: string;
  #failed = 0;

  /** `what`: for sentences, what is asked for and where. */
  constructor(patience: Patience, what: string) {
    this.#patience = patience;
    this.#what = what;
  }

  reset(): void {
    this.#failed = 0;
  }

  /** Waits before the next try. Throws SiteError where there is none. */
  async pause(error: unknown): Promise<void> {
    if (error instanceof SiteError) throw error;
    const { tries, pauseMs, longestMs, sleep: wait } = this.#patience;
    const found = error instanceof Passing ? error.message : codeOf(error);
    this.#failed++;
    if (this.#failed >= tries) {
      throw new SiteError(
        `${this.#what} cannot be fetched: expected an answer, found ${found}, ${tries} times in a row; give the same command again later: it goes on there.`,
      );
    }
    const asked = error instanceof Passing ? (error.waitMs ?? 0) : 0;
    await wait(Math.min(longestMs, Math.max(asked, pauseMs * 2 ** (this.#failed - 1))));
  }
}

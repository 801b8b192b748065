/**
 * Owns the time that agreements and keys are judged by: the system's clock, held against the monotonic one and against the
 * latest time that the site has ever seen. Refuses to say a time that may have been turned back.
 */
import { SiteError } from './errors.ts';

export const dayMs = 86_400_000;

/** How far a clock may be behind without having been turned back, in ms: time servers correct by less. */
export const clockTolerance = 5000;

/** Throws SiteError where a clock is behind the latest time that the site has seen. */
export function checkClock(now: number, kept: number): void {
  if (now >= kept - clockTolerance) return;
  throw new SiteError(
    `The clock of this machine says ${new Date(now).toISOString()}, and the site has already seen ${new Date(kept).toISOString()}: set the clock right (if the later time was an error: inward store reset-clock).`,
  );
}

export class TrustedClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  /** Wall time minus monotonic time. Only grows: a clock that is set back a little again and again gains nothing. */
  #offset: number;
  #latest: number;

  /** `kept`: the latest time of the store, in ms of the epoch. */
  constructor(kept: number, wall: () => number = Date.now, monotonic: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#offset = wall() - monotonic();
    this.#latest = kept;
  }

  /** Milliseconds of the epoch; undefined while the clock is behind a time that it has already shown. */
  read(): number | undefined {
    const wall = this.#wall();
    const expected = this.#monotonic() + this.#offset;
    if (wall < Math.max(expected, this.#latest) - clockTolerance) return undefined;
    // Ahead of the monotonic clock: the machine has slept, or the clock was set right.
    if (wall > expected) this.#offset += wall - expected;
    this.#latest = Math.max(this.#latest, wall);
    return this.#latest;
  }

  /** The least that the time is: what was trusted last, and what has passed since; so that what has an end ends also while the clock is wrong. */
  get latest(): number {
    return Math.floor(Math.max(this.#latest, this.#monotonic() + this.#offset));
  }

  /**
   * What the store says now. Where this clock is not trusted and that of the store is no longer ahead, an administrator has put it
   * back, and it begins anew: a clock that was only turned back is still behind the store.
   */
  follow(kept: number): void {
    if (this.read() !== undefined || this.#wall() < kept - clockTolerance) return;
    this.#offset = this.#wall() - this.#monotonic();
    this.#latest = kept;
  }
}

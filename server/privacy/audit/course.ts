/**
 * Owns the course of one request on record, from its intent to its one outcome. That is written when the answer has ended and, where
 * something may have been computed, when it is known what: whichever comes later. Refuses to begin what has ended.
 */
import { InwardError } from '../../../runtime/index.ts';
import type { RefusalCode } from '../errors.ts';
import type { Use } from '../gate.ts';
import { describeOutcome } from './describe.ts';
import type { EventOf } from './events.ts';
import type { Trail } from './trail.ts';

/** What the client was told. */
export interface Told {
  /** Of HTTP, if anything was sent. */
  readonly status?: number | undefined;
  readonly refusal?: RefusalCode | undefined;
}

export class Course {
  readonly #trail: Trail;
  readonly #request: string;
  readonly #recorded: Promise<void>;
  readonly #start = performance.now();
  #hasBegun = false;
  #use: Use | undefined;
  #end: { readonly told: Told; readonly duration: number } | undefined;
  #isOver = false;

  constructor(trail: Trail, intent: EventOf<'intent'>) {
    this.#trail = trail;
    this.#request = intent.request;
    this.#recorded = trail.record(intent);
    // Who begins waits for it.
    this.#recorded.catch(() => undefined);
  }

  /** Resolves when the intent is durable: nothing may be computed before. Throws Refusal. */
  async begin(): Promise<void> {
    if (this.#end !== undefined) throw new InwardError('aborted');
    this.#hasBegun = true;
    await this.#recorded;
  }

  settle(use: Use): void {
    this.#use = use;
    if (this.#end !== undefined) this.conclude();
  }

  end(told: Told): void {
    this.#end ??= { told, duration: performance.now() - this.#start };
    if (!this.#hasBegun || this.#use !== undefined) this.conclude();
  }

  /** Whatever is not known by now will not come. */
  conclude(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { told, duration } = this.#end ?? { told: {}, duration: performance.now() - this.#start };
    this.#trail.note(describeOutcome(this.#request, this.#use, duration, told));
  }
}

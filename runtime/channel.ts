/**
 * Owns the events of one request between the step loop, which pushes, and its consumer, who awaits. Starts the
 * request on the first next(); ending the loop or aborting the signal cancels it; a consumer that falls behind parks it.
 * Refuses to drop or reorder.
 */
import { InwardError } from './errors.ts';
import type { SequenceSink } from './scheduling/sequence.ts';
import type { TokenEvent } from './types.ts';

/** What the channel can do to the request that it has started. */
export interface RequestControl {
  cancel(): void;
  /** Parked, it computes nothing more; what is on its way still comes. */
  park(isParked: boolean): void;
}

/** Starts the request. May throw. */
export type Start = (sink: SequenceSink) => RequestControl;

/** Events not yet read at which a request is parked, and at which it goes on. */
const parkAt = 64;
const goOnAt = 16;

export class EventChannel implements AsyncIterable<TokenEvent>, AsyncIterator<TokenEvent> {
  readonly #signal: AbortSignal | undefined;
  readonly #start: Start;
  readonly #events: TokenEvent[] = [];
  #error: InwardError | undefined;
  #control: RequestControl | undefined;
  #waiter: (() => void) | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isStarted = false;
  #isDone = false;
  #isParked = false;
  readonly #onAbort = (): void => this.#close(new InwardError('aborted'));

  constructor(signal: AbortSignal | undefined, start: Start) {
    this.#signal = signal;
    this.#start = start;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<TokenEvent>> {
    if (!this.#isStarted) this.#open();
    // One reader at a time: calls that overlap are answered in the order in which they came.
    const turn = this.#turn.then(() => this.#read());
    this.#turn = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async return(): Promise<IteratorResult<TokenEvent>> {
    this.#isStarted = true;
    this.#close();
    this.#drop();
    return { done: true, value: undefined };
  }

  async #read(): Promise<IteratorResult<TokenEvent>> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) {
        if (this.#events.length <= goOnAt) this.#park(false);
        return { done: false, value: event };
      }
      if (this.#error !== undefined) {
        const error = this.#error;
        this.#error = undefined;
        throw error;
      }
      if (this.#isDone) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
      });
    }
  }

  #open(): void {
    this.#isStarted = true;
    if (this.#signal?.aborted) {
      this.#close(new InwardError('aborted'));
      return;
    }
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    try {
      this.#control = this.#start({
        event: (event) => {
          if (this.#isDone) return zero(event);
          this.#events.push(event);
          if (event.type === 'end') this.#settle();
          else if (this.#events.length >= parkAt) this.#park(true);
          this.#notify();
        },
        fail: (error) => {
          if (this.#isDone) return;
          this.#error = error;
          this.#settle();
          this.#notify();
        },
      });
    } catch (error) {
      this.#settle();
      throw error;
    }
  }

  /** Cancels a running request; with an error, the consumer gets it at once and events not yet read are dropped. */
  #close(error?: InwardError): void {
    if (this.#isDone) return;
    this.#error = error;
    this.#drop();
    const control = this.#control;
    this.#settle();
    control?.cancel();
    this.#notify();
  }

  /** Nobody reads them. */
  #drop(): void {
    for (const event of this.#events.splice(0)) zero(event);
  }

  #settle(): void {
    this.#isDone = true;
    this.#control = undefined;
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #park(isParked: boolean): void {
    if (this.#isParked === isParked || this.#control === undefined) return;
    this.#isParked = isParked;
    this.#control.park(isParked);
  }

  #notify(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.();
  }
}

/** Overwrites logits or the embedding of an event that nobody gets; ids are numbers, which cannot be overwritten. */
export function zero(event: TokenEvent): void {
  if (event.type === 'end') event.embedding?.fill(0);
  else event.logits?.fill(0);
}

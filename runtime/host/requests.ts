/**
 * Owns the requests of a hosted engine, whichever process works on them: their numbers, which are never used twice; their
 * bodies, kept until the first event so that another process can begin anew, then zeroed; their deadlines. Refuses to give a
 * request that has had events to a second process: it would get tokens twice.
 */
import { InwardError } from '../errors.ts';
import type { SequenceSink } from '../scheduling/sequence.ts';
import type { GenerateRequest, TokenEvent } from '../types.ts';

interface Entry {
  readonly sink: SequenceSink;
  /** Until the first event. */
  body: GenerateRequest | undefined;
  /** On the clock of performance.now(). */
  readonly deadline: number;
  readonly timer: NodeJS.Timeout | undefined;
  /** Whether the process that serves has it, and how many have had it. */
  isGiven: boolean;
  sends: number;
}

/** Longest delay that Node takes, in ms. */
const longestDelay = 2 ** 31 - 1;

export class Requests {
  readonly #entries = new Map<number, Entry>();
  #next = 0;

  get count(): number {
    return this.#entries.size;
  }

  has(id: number): boolean {
    return this.#entries.has(id);
  }

  /** Takes the request with ids of its own. `onLate`: its deadline has passed, with or without a process. */
  add(body: GenerateRequest, sink: SequenceSink, onLate: (id: number) => void): number {
    const id = this.#next++;
    const { deadlineMs: limit = Number.POSITIVE_INFINITY } = body;
    const late = (): void => {
      this.fail(id, new InwardError('deadline_exceeded', { limit }));
      onLate(id);
    };
    const timer = limit <= longestDelay ? setTimeout(late, limit) : undefined;
    this.#entries.set(id, { sink, body: { ...body, promptIds: body.promptIds.slice() }, deadline: performance.now() + limit, timer, isGiven: false, sends: 0 });
    return id;
  }

  /** What the serving process is to be sent; counted. Undefined if it has it, or if the request has begun or ended. */
  take(id: number): GenerateRequest | undefined {
    const entry = this.#entries.get(id);
    if (entry?.body === undefined || entry.isGiven) return undefined;
    entry.isGiven = true;
    entry.sends++;
    const { deadline, body } = entry;
    return deadline === Number.POSITIVE_INFINITY ? body : { ...body, deadlineMs: Math.max(1, deadline - performance.now()) };
  }

  event(id: number, event: TokenEvent): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    forget(entry);
    if (event.type === 'end') this.remove(id);
    entry.sink.event(event);
  }

  fail(id: number, error: InwardError): void {
    const entry = this.#entries.get(id);
    this.remove(id);
    entry?.sink.fail(error);
  }

  failAll(error: InwardError): void {
    for (const id of [...this.#entries.keys()]) this.fail(id, error);
  }

  /** The process is lost: what had begun fails, and what was given to `sendLimit` processes, for it may be what they are lost by. */
  lose(error: InwardError, sendLimit: number): void {
    for (const [id, entry] of [...this.#entries]) {
      if (entry.body === undefined || entry.sends >= sendLimit) this.fail(id, error);
      entry.isGiven = false;
    }
  }

  /** In the order in which they came. */
  get ids(): number[] {
    return [...this.#entries.keys()];
  }

  remove(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    forget(entry);
    this.#entries.delete(id);
  }
}

/** It has begun or ended, so nobody will need the prompt. */
function forget(entry: Entry): void {
  entry.body?.promptIds.fill(0);
  entry.body = undefined;
}

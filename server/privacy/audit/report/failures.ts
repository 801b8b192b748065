/**
 * Owns who was not let in: failed authentications by address and hour, and refusals by code. Refuses to grow with the addresses of an
 * attacker: beyond ten thousand places they count together.
 */
import type { AuditRecord } from '../events.ts';
import { formatTime } from '../export/fields.ts';

export interface Failure {
  /** `-`: none is known; `more`: those for which there was no place any more. */
  readonly address: string;
  /** When the hour began, UTC. */
  readonly hour: string;
  readonly count: number;
  /** Of the first. */
  readonly seq: number;
}

const hourMs = 3_600_000;
const placeCount = 10_000;

export class FailureCounter {
  readonly #failures = new Map<string, { address: string; hour: string; count: number; seq: number }>();
  readonly #refusals = new Map<string, number>();

  add(record: AuditRecord): void {
    if (record.event !== 'auth_failed' && record.event !== 'denied') return;
    this.#refusals.set(record.refusal, (this.#refusals.get(record.refusal) ?? 0) + 1);
    if (record.event === 'auth_failed') this.#addFailure(record.address ?? '-', record.time, record.seq);
  }

  #addFailure(from: string, time: number, seq: number): void {
    const hour = formatTime(Math.floor(time / hourMs) * hourMs);
    const isKnown = this.#failures.has(`${from} ${hour}`);
    const address = isKnown || this.#failures.size < placeCount ? from : 'more';
    const failure = this.#failures.get(`${address} ${hour}`) ?? { address, hour, count: 0, seq };
    this.#failures.set(`${address} ${hour}`, failure);
    failure.count++;
  }

  /** Most first. */
  listFailures(): Failure[] {
    return [...this.#failures.values()].sort((one, other) => other.count - one.count || one.seq - other.seq);
  }

  listRefusals(): { readonly name: string; readonly count: number }[] {
    const all = [...this.#refusals].map(([name, count]) => ({ name, count }));
    return all.sort((one, other) => other.count - one.count || (one.name < other.name ? -1 : 1));
  }
}

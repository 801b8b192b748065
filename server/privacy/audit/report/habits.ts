/**
 * Owns when keys are used: hours of the week, keys that were never used before, and nights that are out of the ordinary. Refuses to call a
 * night strange where too little is known of the key.
 */
import type { AuditRecord, EventOf } from '../events.ts';
import type { Calendar } from './calendar.ts';

const hourMs = 3_600_000;
/** Night by the clock on the wall: from 22:00 to 6:00. */
const nightFrom = 22;
const nightTo = 6;
/** Requests by day from which on a single night stands out. */
const leastByDay = 20;
const busiestCount = 5;

interface KeyHabit {
  byDay: number;
  /** Dates on which a night began. */
  readonly nights: Set<string>;
  /** Numbers of the requests at night in the period. */
  readonly seqs: number[];
}

export interface NewKey {
  readonly key: string;
  readonly seq: number;
}

export class HabitCounter {
  /** Requests by weekday (Monday first) and hour. */
  readonly hours: number[][] = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => 0));
  readonly newKeys: NewKey[] = [];
  readonly #calendar: Calendar;
  readonly #keys = new Map<string, KeyHabit>();
  /** By date and hour. */
  readonly #busy = new Map<string, number>();

  constructor(calendar: Calendar) {
    this.#calendar = calendar;
  }

  add(record: EventOf<'intent'> & AuditRecord, isCounted: boolean): void {
    const { date, weekday, hour } = this.#calendar(record.time);
    let habit = this.#keys.get(record.key);
    if (habit === undefined) {
      habit = { byDay: 0, nights: new Set(), seqs: [] };
      this.#keys.set(record.key, habit);
      if (isCounted) this.newKeys.push({ key: record.key, seq: record.seq });
    }
    if (nightTo <= hour && hour < nightFrom) habit.byDay++;
    else {
      // The small hours belong to the night before.
      habit.nights.add(this.#calendar(record.time - nightTo * hourMs).date);
      if (isCounted) habit.seqs.push(record.seq);
    }
    const row = this.hours[weekday];
    if (!isCounted || row === undefined) return;
    row[hour] = (row[hour] ?? 0) + 1;
    const name = `${date} ${String(hour).padStart(2, '0')}:00`;
    this.#busy.set(name, (this.#busy.get(name) ?? 0) + 1);
  }

  /** Keys that are used by day and had one night, in the period. */
  listNights(): { readonly key: string; readonly seqs: readonly number[] }[] {
    return [...this.#keys].flatMap(([key, { byDay, nights, seqs }]) => (byDay >= leastByDay && nights.size === 1 && seqs.length > 0 ? [{ key, seqs }] : []));
  }

  listBusiest(): { readonly name: string; readonly count: number }[] {
    const all = [...this.#busy].map(([name, count]) => ({ name, count }));
    return all.sort((one, other) => other.count - one.count || (one.name < other.name ? -1 : 1)).slice(0, busiestCount);
  }
}

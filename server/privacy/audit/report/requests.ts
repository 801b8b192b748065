/**
 * Owns the counts of requests by day, tenant, key and purpose. An outcome counts where its intent does. Refuses to guess a tenant or
 * purpose that no record names.
 */
import type { AuditRecord } from '../events.ts';
import type { Calendar } from './calendar.ts';
import { type Counts, findEnding, type Named, Tallies, type Tally } from './tallies.ts';

type What = 'total' | 'day' | 'tenant' | 'key' | 'purpose';

export class RequestCounter {
  readonly #tallies = new Tallies<What>();
  readonly #calendar: Calendar;
  /** By the id of the request: where its outcome will count. */
  readonly #open = new Map<string, readonly Counts[]>();
  /** Of keys, as far as an intent has named it. */
  readonly #tenants = new Map<string, string>();

  constructor(calendar: Calendar, dates: readonly string[]) {
    this.#calendar = calendar;
    for (const date of dates) this.#tallies.find('day', date);
  }

  add(record: AuditRecord, isCounted: boolean): void {
    const { time } = record;
    if (record.event === 'outcome') {
      this.#tallies.end(this.#open.get(record.request) ?? [], findEnding(record), time);
      this.#open.delete(record.request);
    } else if (record.event === 'intent') {
      const { request, tenant, key, purpose } = record;
      this.#tenants.set(key, tenant);
      if (isCounted) this.#open.set(request, this.#begin({ tenant, key, purpose }, time));
    } else if (record.event === 'denied' && isCounted) {
      const { key } = record;
      this.#tallies.end(this.#begin({ key, tenant: this.#tenants.get(key ?? '') }, time), 'refused', time);
    }
  }

  get total(): Tally {
    return this.#tallies.find('total', '').tally;
  }

  list(what: What): Named<Tally>[] {
    return what === 'day' ? this.#tallies.list(what) : this.#tallies.rank(what);
  }

  #begin(names: Partial<Record<What, string | undefined>>, time: number): readonly Counts[] {
    return this.#tallies.begin({ total: '', day: this.#calendar(time).date, ...names }, time);
  }
}

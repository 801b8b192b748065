/**
 * Owns counts of requests by any names: what came and how it ended, with the first and last time. Refuses to count an end twice: who began
 * a request holds what its end counts in.
 */
import type { EventOf } from '../events.ts';
import { formatTime } from '../export/fields.ts';

/** requests = answered + cancelled + refused + failed + open. */
export interface Tally {
  readonly requests: number;
  readonly answered: number;
  /** The client went away. */
  readonly cancelled: number;
  readonly refused: number;
  /** Also those that crashed. */
  readonly failed: number;
  /** Their outcome is not among the records. */
  readonly open: number;
}

export type Named<T> = T & { readonly name: string };
/** ISO 8601. */
export type Timed<T> = T & { readonly first: string; readonly last: string };
export type Ending = Exclude<keyof Tally, 'requests' | 'open'>;
export interface Counts {
  readonly tally: { -readonly [Name in keyof Tally]: number };
  first: number;
  last: number;
}

const endings: Readonly<Record<EventOf<'outcome'>['ending'], Ending>> = {
  ...{ stop: 'answered', length: 'answered', mixed: 'answered', cancelled: 'cancelled', refused: 'refused', failed: 'failed', crashed: 'failed' },
};

export function findEnding({ ending }: EventOf<'outcome'>): Ending {
  return endings[ending];
}

export class Tallies<What extends string> {
  readonly #counts = new Map<What, Map<string, Counts>>();

  /** Makes a place for a name, with nothing in it. */
  find(what: What, name: string): Counts {
    const names = this.#counts.get(what) ?? new Map<string, Counts>();
    this.#counts.set(what, names);
    const found = names.get(name) ?? {
      tally: { requests: 0, answered: 0, cancelled: 0, refused: 0, failed: 0, open: 0 },
      first: Number.POSITIVE_INFINITY,
      last: 0,
    };
    names.set(name, found);
    return found;
  }

  /** Counts a request under all its names; what is not known is left out. */
  begin(names: Readonly<Partial<Record<What, string | undefined>>>, time: number): readonly Counts[] {
    const counted = (Object.keys(names) as What[]).flatMap((what) => {
      const name = names[what];
      return name === undefined ? [] : [this.find(what, name)];
    });
    for (const counts of counted) {
      counts.tally.requests++;
      counts.tally.open++;
      counts.first = Math.min(counts.first, time);
      counts.last = Math.max(counts.last, time);
    }
    return counted;
  }

  end(counted: readonly Counts[], ending: Ending, time: number): void {
    for (const counts of counted) {
      counts.tally.open--;
      counts.tally[ending]++;
      counts.last = Math.max(counts.last, time);
    }
  }

  /** In the order in which they came. */
  list(what: What): Named<Tally>[] {
    return [...(this.#counts.get(what) ?? [])].map(([name, { tally }]) => ({ name, ...tally }));
  }

  /** Most requests first. */
  rank(what: What): Named<Tally>[] {
    return this.list(what).sort((one, other) => other.requests - one.requests || (one.name < other.name ? -1 : 1));
  }

  /** With times, by name. */
  listTimed(what: What): Timed<Named<Tally>>[] {
    const all = [...(this.#counts.get(what) ?? [])].map(([name, { tally, first, last }]) => ({
      name,
      ...tally,
      first: formatTime(first),
      last: formatTime(last),
    }));
    return all.sort((one, other) => (one.name < other.name ? -1 : 1));
  }
}

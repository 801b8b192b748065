/**
 * Owns days and hours by the clock on the wall of a time zone, fast enough for a million records. Refuses a zone that is not known.
 */
import { SiteError } from '../../errors.ts';

export interface Moment {
  /** `2026-11-26`. */
  readonly date: string;
  /** 0 Monday to 6 Sunday. */
  readonly weekday: number;
  /** 0 to 23. */
  readonly hour: number;
}

export type Calendar = (time: number) => Moment;

/** Offsets of all zones change at full quarters of an hour. */
const quarterMs = 900_000;
/** Quarters that are kept: about four months. */
const keptCount = 12_000;
const dayNames: readonly string[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** Throws SiteError. */
export function createCalendar(timeZone: string): Calendar {
  const format = createFormat(timeZone);
  const known = new Map<number, Moment>();
  return (time) => {
    const quarter = Math.floor(time / quarterMs);
    let moment = known.get(quarter);
    if (moment === undefined) {
      moment = readMoment(format, quarter * quarterMs);
      if (known.size === keptCount) known.clear();
      known.set(quarter, moment);
    }
    return moment;
  };
}

function createFormat(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      ...{ timeZone, weekday: 'short', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', hourCycle: 'h23' },
    });
  } catch {
    throw new SiteError('The time zone is not known; give one like Europe/Berlin or UTC.');
  }
}

function readMoment(format: Intl.DateTimeFormat, time: number): Moment {
  const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, value]));
  return {
    date: `${parts.get('year')?.padStart(4, '0')}-${parts.get('month')}-${parts.get('day')}`,
    weekday: dayNames.indexOf(parts.get('weekday') ?? ''),
    hour: Number(parts.get('hour')),
  };
}

/** Every date from one moment to another, the second not among them. */
export function listDates(calendar: Calendar, from: number, to: number): string[] {
  const dates = new Set<string>();
  // Days have 23 to 25 hours.
  for (let time = from; time < to; time += 12 * 3_600_000) dates.add(calendar(time).date);
  if (to > from) dates.add(calendar(to - 1).date);
  return [...dates];
}

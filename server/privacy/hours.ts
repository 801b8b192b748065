/**
 * Owns the hours in which a key may be used: their text form, and whether a moment lies within them by the clock on the wall
 * of their time zone. Refuses text with any doubt in it: a day or a zone that is not known, a part without length.
 */
import { type Hours, hoursSchema } from './grants.ts';

const dayNames: readonly string[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const dayMinutes = 24 * 60;

/** By time zone: to make one takes longer than to judge a thousand moments. The names come from the keys of administrators. */
const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * Whether a moment lies within the hours. A part that runs over midnight belongs to the day on which it begins. When clocks are
 * put forward the hour that is left out is nobody's; when they are put back the hour that comes twice counts both times.
 */
export function isWithin(hours: Hours, now: number): boolean {
  const { day, minute } = readWallClock(hours.timeZone, now);
  const [from, to] = [toMinutes(hours.from), toMinutes(hours.to)];
  if (from < to) return hours.days.includes(day) && from <= minute && minute < to;
  // Of equal times nothing says whether all day or never is meant.
  if (from === to) return false;
  const yesterday = day === 1 ? 7 : day - 1;
  return (hours.days.includes(day) && minute >= from) || (hours.days.includes(yesterday) && minute < to);
}

/** Day of the week (1 Monday) and minute of the day. */
function readWallClock(timeZone: string, now: number): { readonly day: number; readonly minute: number } {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    formats.set(timeZone, format);
  }
  const parts = new Map(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const day = dayNames.indexOf(parts.get('weekday')?.toLowerCase() ?? '') + 1;
  return { day, minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) };
}

function toMinutes(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

/** The hours that `mon-fri 07:00-19:00 America/Chicago` stands for; undefined for what has another form. */
export function parseHours(text: string): Hours | undefined {
  const [, dayText = '', from = '', to = '', zone = ''] = /^(\S+) (\d\d:\d\d)-(\d\d:\d\d) (\S+)$/.exec(text.trim()) ?? [];
  const result = hoursSchema.safeParse({ days: parseDays(dayText.toLowerCase()), from, to, timeZone: zone });
  if (!result.success || from === to || toMinutes(from) === dayMinutes) return undefined;
  return { ...result.data, timeZone: new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone };
}

/** `mon-fri,sun`: names and ranges, which may run over the end of the week; none where a name is not known. */
function parseDays(text: string): number[] {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    const ends = part.split('-').map((name) => dayNames.indexOf(name));
    const [first = -1, last = first] = ends;
    if (ends.length > 2 || first < 0 || last < 0) return [];
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day + 1);
      if (day === last) break;
    }
  }
  return [...days].sort((a, b) => a - b);
}

/** The text form of hours. */
export function formatHours({ days, from, to, timeZone }: Hours): string {
  const names = days.map((day) => dayNames[day - 1]);
  const isRun = days.length > 2 && days.every((day, index) => index === 0 || day === (days[index - 1] ?? 0) + 1);
  return `${isRun ? `${names[0]}-${names.at(-1)}` : names.join(',')} ${from}-${to} ${timeZone}`;
}

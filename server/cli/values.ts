/**
 * Owns what the options of administration stand for: lists of closed names, networks, hours, spans of time and the end of a
 * grant. Refuses a name twice, and a time that does not exist.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { type Kind, wholeNumber } from '../config/kinds.ts';
import { type Hours, hoursSchema, networkSchema } from '../privacy/grants.ts';
import { parseHours } from '../privacy/hours.ts';
import { normalizeAddress } from '../privacy/peer.ts';
import { codeLimit, forms } from '../privacy/words.ts';

export const dayMs = 86_400_000;
const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: dayMs };

const split = (text: string): string[] => text.split(',').map((part) => part.trim());
const isUnique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

/** Names of a closed list with commas between them. */
export function listOf<const T extends string>(choices: readonly T[]): Kind<T[]> {
  return {
    schema: z.array(z.enum(choices)).min(1).refine(isUnique),
    expected: `names of this list with commas between them: ${choices.join(', ')}`,
    read: split,
  };
}

function textOf(form: RegExp, expected: string, longest: number): Kind<string> {
  return { schema: z.string().max(longest).regex(form), expected, read: (text) => text };
}

export const code: Kind<string> = textOf(
  forms.code,
  `a code of small letters, digits and hyphens, as cardiology, of at most ${codeLimit} characters`,
  codeLimit,
);
export const region: Kind<string> = textOf(forms.region, 'a region, as us-east', 60);
export const personId: Kind<string> = textOf(forms.personId, 'an id of small letters, digits, dots, hyphens and underscores, as m.jones', 48);
export const agreementId: Kind<string> = textOf(forms.agreementId, 'the id of an agreement, as `inward agreement show` shows it', 36);
export const keyId: Kind<string> = textOf(forms.keyId, 'the id of a key, as `inward key list` shows it', 10);
export const requestId: Kind<string> = textOf(forms.uuid, 'a UUID in small letters, as 3f8a1c0d-9b72-4e11-8f5a-0c1d2e3f4a5b', 36);
export const ipAddress: Kind<string> = {
  schema: z.string().refine((text) => isIP(text) !== 0),
  expected: 'an address of IPv4 or IPv6, as 10.1.2.3',
  read: (text) => normalizeAddress(text.toLowerCase()),
};
export const hostId: Kind<string> = textOf(/^[0-9a-f]{16}$/, 'a host as records name it, 16 hexadecimal digits', 16);
export const claim: Kind<string> = textOf(forms.claim, 'text without blanks, as the identity provider writes it', 200);

export const models: Kind<string[]> = {
  schema: z.array(z.string().regex(forms.model)).min(1).max(64).refine(isUnique),
  expected: 'names of models as the server has them, with commas between them',
  read: split,
};

export const networks: Kind<string[]> = {
  schema: z.array(networkSchema).min(1).max(64).refine(isUnique),
  expected: 'networks or addresses with commas between them, as 10.1.0.0/16,2001:db8::/32',
  read: split,
};

export const hours: Kind<Hours> = {
  schema: hoursSchema,
  expected: 'days, times and a time zone, as "mon-fri 07:00-19:00 America/Chicago"; the whole day is 00:00-24:00',
  read: parseHours,
};

/** Tokens of a limit. */
export const tokenCount: Kind<number> = wholeNumber(1, 1e12);
/** The same, or `none` for no limit. */
export const tokenLimit: Kind<number | 'none'> = {
  schema: z.union([tokenCount.schema, z.literal('none')]),
  expected: `${tokenCount.expected}, or none`,
  read: tokenCount.read,
};

/** A span of time in ms, as `90d`, `24h`, `30m`. */
export function span(longestDays: number): Kind<number> {
  return {
    schema: z
      .int()
      .min(0)
      .max(longestDays * dayMs),
    expected: `a time of at most ${longestDays} days, as 7d, 24h or 30m`,
    read: readSpan,
  };
}

/** The end of a grant in ms of the epoch: a span from `now`, or a date, which is meant in UTC and ends the grant at its first moment. */
export function end(now: number, longestDays: number): Kind<number> {
  return {
    schema: z
      .int()
      .min(now + 1)
      .max(now + longestDays * dayMs),
    expected: `a time from now, as 90d or 12h, or a date, as 2027-01-31 (it ends at 00:00 UTC), of at most ${longestDays} days from now`,
    read: (text) => readDate(text) ?? now + readSpan(text),
  };
}

/** A moment in ms of the epoch that is over or is to come: a span before `now`, a date (its first moment in UTC), or a time in UTC. */
export function moment(now: number): Kind<number> {
  return {
    schema: z.int().min(0).max(8.64e15),
    expected: 'a time ago, as 7d, 24h or 30m, a date, as 2026-11-24 (its beginning, UTC), or a time, as 2026-11-24T08:30Z',
    read: (text) => readDate(text) ?? readInstant(text) ?? now - readSpan(text),
  };
}

function readInstant(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{3})?)?Z$/.test(text)) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(readDate(text.slice(0, 10))) ? Number.NaN : time;
}

/** The first moment of a week of ISO 8601, Monday 00:00 UTC, in ms of the epoch. */
export const week: Kind<number> = {
  schema: z.int(),
  expected: 'a week of ISO 8601 (Monday to Sunday, UTC), as 2026-W48',
  read: readWeek,
};

function readWeek(text: string): number {
  const [, year = '', number = ''] = /^(\d{4})-W(\d\d)$/.exec(text) ?? [];
  // Week 1 is the one with the 4th of January; each week belongs to the year of its Thursday.
  const fourth = Date.parse(`${year}-01-04T00:00:00Z`);
  const monday = beginWeek(fourth) + (Number(number) - 1) * 7 * dayMs;
  return new Date(monday + 3 * dayMs).getUTCFullYear() === Number(year) ? monday : Number.NaN;
}

/** The Monday of a time's week, 00:00 UTC, in ms of the epoch. */
export function beginWeek(time: number): number {
  const day = Math.floor(time / dayMs);
  // The epoch began on a Thursday.
  return (day - ((day + 3) % 7)) * dayMs;
}

function readSpan(text: string): number {
  const [, count, unit = ''] = /^(\d{1,5})([mhd])$/.exec(text) ?? [];
  return Number(count) * (units[unit] ?? Number.NaN);
}

function readDate(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const time = Date.parse(`${text}T00:00:00Z`);
  // The engine takes 30 February for 2 March.
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(text) ? time : Number.NaN;
}

/** `2026-11-25 14:03 UTC`; a hyphen for no time. */
export function formatTime(time: number | string | undefined): string {
  return time === undefined ? '-' : `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

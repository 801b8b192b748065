/**
 * Owns the kinds of values that settings and options have: how each is checked, how text stands for it, and how a
 * sentence names it. Refuses to know any setting.
 */
import { isIPv4 } from 'node:net';
import { z } from 'zod';
import { parseAddress } from '../privacy/address.ts';
import { parseWitness, witnessForms } from '../privacy/audit/witness/setting.ts';
import { forms } from '../privacy/words.ts';

export interface Kind<T = unknown> {
  readonly schema: z.ZodType<T>;
  /** Ends a sentence: `must be ...`. */
  readonly expected: string;
  /** What a text of the command line or the environment stands for; the schema judges it. */
  read(text: string): unknown;
  readonly choices?: readonly string[];
  /** On or off: its flag has no value, and a twin `--no-...`. */
  readonly isToggle?: boolean;
  /** The value names a file; a relative one means the folder of whoever wrote it. */
  readonly isPath?: boolean;
  /** It may be a name without a folder instead, which means the same wherever it is written. */
  readonly isName?: boolean;
}

export function wholeNumber(low: number, high: number): Kind<number> {
  return {
    schema: z.int().min(low).max(high),
    expected: `a whole number from ${low} to ${high}`,
    read: (text) => (/^\d{1,16}$/.test(text) ? Number(text) : text),
  };
}

export function decimal(low: number, high: number): Kind<number> {
  return {
    schema: z.number().min(low).max(high),
    expected: `a number from ${low} to ${high}`,
    read: (text) => (/^-?\d{1,16}(\.\d{1,16})?$/.test(text) ? Number(text) : text),
  };
}

export function choice<const T extends string>(choices: readonly T[]): Kind<T> {
  return { schema: z.enum(choices), expected: `one of ${choices.join(', ')}`, read: (text) => text, choices };
}

export const toggle: Kind<boolean> = {
  schema: z.boolean(),
  expected: 'true or false',
  read: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  isToggle: true,
};

const byteUnits: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 };

/** Bytes of `40GiB`; NaN: it is no size. */
export function readBytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([KMGT]i?B)$/i.exec(text.trim()) ?? [];
  return Math.floor(Number(number || Number.NaN) * (byteUnits[unit.toUpperCase()] ?? Number.NaN));
}

const mostBytes = 2 ** 50;

/** Bytes. */
export const byteSize: Kind<number> = { schema: z.number().positive().max(mostBytes), expected: 'a size with its unit, as 80GiB or 24GB', read: readBytes };

/** The same as it was written, which is how files have it. */
export const byteText: Kind<string> = {
  schema: z.string().refine((text) => readBytes(text) > 0 && readBytes(text) <= mostBytes),
  expected: byteSize.expected,
  read: (text) => text,
};

export const filePath: Kind<string> = { schema: z.string().min(1), expected: 'the path of a file', read: (text) => text, isPath: true };

/** The name of an imported model: a folder of its own. */
export const bareName: RegExp = /^\w[\w.+-]{0,119}$/;

/** The name of an imported model goes over the path of a file that is called the same. */
export const modelPlace: Kind<string> = { ...filePath, expected: 'the name of an imported model, or the path of a GGUF file or a folder', isName: true };

/** Set-up copies keys there: a URL would be one more way out of the machine. */
export const localFile: Kind<string> = {
  ...filePath,
  schema: z.string().regex(/^(?!.*\bhttps?:\/)./i),
  expected: 'the path of a file, not a URL',
};

export const sha256: Kind<string> = {
  schema: z.string().regex(forms.sha256),
  expected: 'a SHA-256 in 64 hexadecimal digits, letters small',
  read: (text) => text,
};

/** Only literal addresses, and the name `localhost`, which becomes 127.0.0.1, so that no hosts file can widen it. */
export const ipAddress: Kind<string> = {
  schema: z.union([z.literal('localhost'), z.ipv4(), z.ipv6()]).transform((host) => (host === 'localhost' ? '127.0.0.1' : host)),
  expected: 'an IP address or localhost',
  read: (text) => text,
};

/** Whether only this machine reaches an address. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'));
}

/** The second place of the audit log's checkpoints. */
export const witnessPlace: Kind<string> = {
  schema: z.string().refine((text) => parseWitness(text) !== undefined),
  expected: witnessForms,
  read: (text) => text,
};

/** Where models are fetched from. */
export const hubAddress: Kind<string> = {
  schema: z.string().refine((text) => parseAddress(text) !== undefined),
  expected: 'the https address of a model hub (http only on loopback)',
  read: (text) => text,
};

/** Origins of web pages as browsers send them, between commas; never `*`. */
export const origins: Kind<string> = {
  schema: z.string().regex(/^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?(?:,https?:\/\/[a-z0-9.-]+(?::\d{1,5})?)*$/),
  expected: 'origins like https://notes.example.org, with commas between them',
  read: (text) => text,
};

/** What names a server or a service in tokens. */
export const claim: Kind<string> = { schema: z.string().regex(forms.claim), expected: 'up to 200 printable characters without blanks', read: (text) => text };

/** `"80a"`, `70000`, `a list`: what stands where something else was expected; long text is cut. */
export function describeFound(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? quote(value) : String(value);
}

/** Text that somebody wrote, for a sentence on a terminal: short, without control characters. */
export function quote(text: string): string {
  const short = text.length > 40 ? `${text.slice(0, 40)}...` : text;
  return JSON.stringify(short).replace(/\p{Cc}/gu, '\ufffd');
}

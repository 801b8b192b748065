/**
 * Owns the server's settings: their types, defaults and limits. Refuses to read the environment (main.ts does) and,
 * until the agreement gate exists, any address but loopback.
 */
import { isIPv4 } from 'node:net';
import { z } from 'zod';

/** Temperature of a request that names none; 1 as in OpenAI's API. */
export const defaultTemperature = 1;

/** Sent with every answer until the agreement gate exists. */
export const modeHeader = { name: 'x-inward-mode', value: 'evaluation; not-for-phi' } as const;

const loopbackOnly = 'must be a loopback address (127.0.0.1, ::1 or localhost): without the agreement gate this server is for evaluation on one machine only';

export interface Settings {
  /** `localhost` becomes 127.0.0.1, so that no hosts file can widen it. Default 127.0.0.1. */
  readonly host: string;
  /** 0 takes a free port. Default 8080. */
  readonly port: number;
  /** Largest request body, in bytes. Default 8 MiB. */
  readonly bodyLimit: number;
  /** Longest time from the first byte of a request to its last, in ms. Default 60,000. */
  readonly requestTimeoutMs: number;
  /** Time that running requests get to end after a stop signal, in ms. Default 30,000. */
  readonly drainTimeoutMs: number;
  /** What a client that met a full queue or a stopping server is told to wait, in seconds. Default 2. */
  readonly retryAfterSeconds: number;
  /** Log lines: JSON, or for people. Default `auto`: for people on a terminal. */
  readonly log: 'auto' | 'json' | 'human';
}

const milliseconds = z.int().min(0).max(3_600_000);
const settingsSchema: z.ZodType<Settings, unknown> = z.strictObject({
  host: z
    .string()
    .refine(isLoopback, loopbackOnly)
    .transform((host) => (host === 'localhost' ? '127.0.0.1' : host))
    .default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(8080),
  bodyLimit: z.int().min(1024).max(1_073_741_824).default(8_388_608),
  requestTimeoutMs: milliseconds.min(10).default(60_000),
  drainTimeoutMs: milliseconds.default(30_000),
  retryAfterSeconds: z.int().min(1).max(3600).default(2),
  log: z.enum(['auto', 'json', 'human']).default('auto'),
});

export type SettingsInput = { readonly [Name in keyof Settings]?: Settings[Name] | undefined };

/** A setting of the operator's that cannot be used; the message is one sentence for the terminal. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** Defaults filled in and limits checked; throws SettingsError with the first broken rule. */
export function parseSettings(input: SettingsInput): Settings {
  const result = settingsSchema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new SettingsError(`The setting ${issue?.path.join('.') ?? '?'} cannot be used: ${issue?.message ?? 'unknown rule'}.`);
}

/** Only literal loopback addresses and the name `localhost` count. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

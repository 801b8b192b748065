/**
 * Owns what a client may say about how its request is served: OpenAI's `service_tier` and `prompt_cache_key`, vLLM's `priority` and `cache_salt`.
 * Refuses to pass a salt on: what leaves here is its hash.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Priority, saltLimit } from '../../runtime/index.ts';
import { ApiError } from './errors.ts';
import { document, text, wholeNumber } from './validate.ts';

/** OpenAI's names, and what an answer calls them; `auto` leaves it to `priority`. */
const tiers = { auto: undefined, default: 'default', scale: 'default', flex: 'flex', priority: 'priority', fast: 'priority' } as const;
type TierName = keyof typeof tiers;
/** What an answer names. */
export type ServiceTier = NonNullable<(typeof tiers)[TierName]>;

export interface ServiceBody {
  readonly service_tier: TierName | null | undefined;
  readonly priority: number | null | undefined;
  readonly cache_salt: Uint32Array | null | undefined;
  readonly prompt_cache_key: Uint32Array | null | undefined;
}

const salt = document(text.refine((value) => value.length > 0 && value.length <= 256, 'must have a length of 1 to 256').transform(hashSalt), {
  json: { type: 'string', minLength: 1, maxLength: 256 },
});

export const serviceShape: { readonly [Name in keyof ServiceBody]-?: z.ZodType<ServiceBody[Name]> } = {
  service_tier: z.enum(Object.keys(tiers) as TierName[]).nullish(),
  priority: wholeNumber(-(2 ** 31), 2 ** 31 - 1).nullish(),
  cache_salt: salt.nullish(),
  // OpenAI's, for prompts that begin alike; here those of another key do not share.
  prompt_cache_key: salt.nullish(),
};

export interface Service {
  readonly priority: Priority;
  /** As the answer says it; undefined: the request named none. */
  readonly serviceTier: ServiceTier | undefined;
  /** Narrows the prefix cache to requests with the same one. */
  readonly cacheSalt: Uint32Array | undefined;
}

/** Throws ApiError where tier and priority contradict each other. */
export function readService({ service_tier: name, priority, cache_salt, prompt_cache_key }: ServiceBody): Service {
  const tier = name == null ? undefined : tiers[name];
  // vLLM's numbers: the lower, the earlier.
  const isBatch = priority == null ? tier === 'flex' : priority > 0;
  if (tier !== undefined && isBatch !== (tier === 'flex')) {
    const rule = 'must be above 0 with "service_tier": "flex", and at most 0 with any other but "auto"';
    throw new ApiError('invalid_value', { path: 'priority', rule });
  }
  const serviceTier = name == null ? undefined : (tier ?? (isBatch ? 'flex' : 'default'));
  return { priority: isBatch ? 'batch' : 'interactive', serviceTier, cacheSalt: joinSalts([cache_salt, prompt_cache_key].filter((hash) => hash != null)) };
}

/** Prefixes are shared where all of them are the same. */
function joinSalts(hashes: readonly Uint32Array[]): Uint32Array | undefined {
  return hashes.length > 1 ? hashSalt(Buffer.concat(hashes.map(({ buffer }) => Buffer.from(buffer)))) : hashes[0];
}

/** SHA-256, as the words that the engine takes. */
function hashSalt(given: string | Buffer): Uint32Array {
  const digest = createHash('sha256').update(given).digest();
  return Uint32Array.from({ length: saltLimit }, (_, word) => digest.readUInt32BE(4 * word));
}

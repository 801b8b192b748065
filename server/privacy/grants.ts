/**
 * Owns what is granted: keys with their scopes, people with their roles, tenants with their quotas; their types and the
 * schemas that every reader of them goes through. A key is a grant; a secret, a token of the identity provider or a client
 * certificate is only how its holder is known.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { answerShapes, dataClasses, deidModes, forms, priorityClasses, purposes, roles, routeScopes } from './words.ts';

/** Milliseconds of the epoch. */
const time: z.ZodType<number> = z.int().min(0).max(253_402_300_799_999);
/** Tokens; 0 would be a key that can do nothing. */
const tokens: z.ZodType<number> = z.int().min(1).max(1e12);

/** Days of the week (1 Monday to 7 Sunday) and the part of the day, in a time zone. A part that ends before it begins runs over midnight. */
export interface Hours {
  readonly days: readonly number[];
  /** `07:00` */
  readonly from: string;
  /** `19:30`; 24:00 is the end of the day. */
  readonly to: string;
  /** `America/Chicago` */
  readonly timeZone: string;
}

const clockTime = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/);

export const hoursSchema: z.ZodType<Hours> = z.strictObject({
  days: z.array(z.int().min(1).max(7)).min(1).max(7).refine(isUnique),
  from: clockTime,
  to: clockTime,
  timeZone: z.string().max(64).refine(isTimeZone),
});

/** `10.1.0.0/16`, `2001:db8::/32`, or one address. */
export const networkSchema: z.ZodType<string> = z.string().max(64).refine(isNetwork);

export interface Scopes {
  /** Names of models; empty: every model of the server. */
  readonly models: readonly string[];
  readonly routes: readonly (typeof routeScopes)[number][];
  readonly purposes: readonly (typeof purposes)[number][];
  /** Where requests may come from; empty: from anywhere. */
  readonly networks: readonly string[];
  readonly hours?: Hours | undefined;
  readonly tokensPerMinute?: number | undefined;
  /** A day of UTC. */
  readonly tokensPerDay?: number | undefined;
  /** The most urgent class that its requests get. */
  readonly priority: (typeof priorityClasses)[number];
  /** The only region where it is taken. */
  readonly region?: string | undefined;
  /** Left out, as in keys that were made before there was a choice: plain. */
  readonly shape?: (typeof answerShapes)[number] | undefined;
  /** What is done with identifiers, by purpose; off for those that are not named. */
  readonly deid?: Readonly<Partial<Record<(typeof purposes)[number], (typeof deidModes)[number]>>> | undefined;
}

const scopesSchema: z.ZodType<Scopes> = z.strictObject({
  models: z.array(z.string().regex(forms.model)).max(64),
  routes: z.array(z.enum(routeScopes)).min(1).max(routeScopes.length).refine(isUnique),
  purposes: z.array(z.enum(purposes)).min(1).max(purposes.length).refine(isUnique),
  networks: z.array(networkSchema).max(64),
  hours: hoursSchema.optional(),
  tokensPerMinute: tokens.optional(),
  tokensPerDay: tokens.optional(),
  priority: z.enum(priorityClasses),
  region: z.string().regex(forms.region).optional(),
  shape: z.enum(answerShapes).optional(),
  deid: z.partialRecord(z.enum(purposes), z.enum(deidModes)).optional(),
});

/** How a holder is known. */
export type Credential =
  /** SHA-256 over salt and secret, both in hexadecimal here. */
  | { readonly type: 'secret'; readonly salt: string; readonly hash: string }
  /** A bearer token of the identity provider. */
  | { readonly type: 'token'; readonly issuer: string; readonly subject: string }
  /** A client certificate, by the SHA-256 of its DER form. */
  | { readonly type: 'certificate'; readonly fingerprint: string };

export const credentialSchema: z.ZodType<Credential> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('secret'), salt: z.string().regex(/^[0-9a-f]{32}$/), hash: z.string().regex(forms.sha256) }),
  z.strictObject({ type: z.literal('token'), issuer: z.string().regex(forms.claim), subject: z.string().regex(forms.claim) }),
  z.strictObject({ type: z.literal('certificate'), fingerprint: z.string().regex(forms.sha256) }),
]);

interface Granted {
  readonly credential: Credential;
  readonly createdAt: number;
  /** Person who did it; `setup` for what a site begins with. */
  readonly createdBy: string;
  readonly expiresAt?: number | undefined;
  readonly revokedAt?: number | undefined;
  readonly revokedBy?: string | undefined;
}

const granted = {
  credential: credentialSchema,
  createdAt: time,
  createdBy: z.string().regex(forms.personId),
  expiresAt: time.optional(),
  revokedAt: time.optional(),
  revokedBy: z.string().regex(forms.personId).optional(),
};

/** A key of a program. */
export interface AccessKey extends Granted {
  readonly id: string;
  /** What it is for, as its administrator calls it. */
  readonly label: string;
  readonly tenant: string;
  readonly data: (typeof dataClasses)[number];
  readonly scopes: Scopes;
  /** A break-glass key: scopes of hours, networks, quotas and purposes do not bind it, its use is loud and ends some hours after the first. */
  readonly isSealed: boolean;
  /** First use of a break-glass key. */
  readonly openedAt?: number | undefined;
  /** The key that this one took the place of. */
  readonly replaces?: string | undefined;
}

export const accessKeySchema: z.ZodType<AccessKey> = z.strictObject({
  ...granted,
  id: z.string().regex(forms.keyId),
  label: z.string().max(40).regex(forms.code),
  tenant: z.string().max(40).regex(forms.code),
  data: z.enum(dataClasses),
  scopes: scopesSchema,
  isSealed: z.boolean(),
  openedAt: time.optional(),
  replaces: z.string().regex(forms.keyId).optional(),
});

export interface Person extends Granted {
  readonly id: string;
  readonly roles: readonly (typeof roles)[number][];
}

export const personSchema: z.ZodType<Person> = z.strictObject({
  ...granted,
  id: z.string().regex(forms.personId),
  roles: z.array(z.enum(roles)).min(1).max(roles.length).refine(isUnique),
});

/** A department: its own cache domain and quotas. */
export interface Tenant {
  readonly code: string;
  /** What the engine knows it by; never given twice. */
  readonly number: number;
  readonly tokensPerMinute?: number | undefined;
  readonly tokensPerDay?: number | undefined;
}

export const tenantSchema: z.ZodType<Tenant> = z.strictObject({
  code: z.string().max(40).regex(forms.code),
  number: z.int().min(0).max(4_294_967_295),
  tokensPerMinute: tokens.optional(),
  tokensPerDay: tokens.optional(),
});

function isUnique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}

/** Found before; the question takes long, and a store asks it for each of its keys. */
const timeZones = new Set<string>();

function isTimeZone(name: string): boolean {
  if (timeZones.has(name)) return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    timeZones.add(name);
    return true;
  } catch {
    return false;
  }
}

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  // The zone of an IPv6 address (`fe80::1%name`) would have room for any text.
  if (family === 0 || rest.length > 0 || text.includes('%')) return false;
  // IPv4 within IPv6: requests come with the plain address, so that it would admit nobody.
  if (family === 6 && new URL(`http://[${address}]/`).hostname.startsWith('[::ffff:')) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

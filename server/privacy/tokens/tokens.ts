/**
 * Owns bearer tokens of the hospital's identity provider (OpenID Connect; JWT, RFC 7519): their verification with keys from
 * a file, and what was verified lately. Refuses every token for the same reason in the same words; what was wrong is only
 * counted. Keeps no token, only its hash.
 */
import { createHash } from 'node:crypto';
import { type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import { Refusal } from '../errors.ts';
import { FileError, type FileFlaw, stampFiles, watchFiles } from '../watched.ts';
import { forms } from '../words.ts';
import { Flawed, nameFlaw, type TokenFlaw, tokenFlaws } from './flaws.ts';
import { readTokenKeys, type TokenAlgorithm, type TokenKeys, tokenAlgorithms } from './keys.ts';

/** How somebody proved who they are to the identity provider (RFC 8176). */
// biome-ignore format: a list
export const authenticationMethods = [
  'face', 'fpt', 'geo', 'hwk', 'iris', 'kba', 'mca', 'mfa', 'otp', 'pin', 'pop', 'pwd',
  'rba', 'retina', 'sc', 'sms', 'swk', 'tel', 'user', 'vbm', 'wia',
] as const;
export type AuthenticationMethod = (typeof authenticationMethods)[number];

export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string;
  /** By which the provider knows the token (jti); left out when there is none, or one of another form than records have room for. */
  readonly id?: string;
  /** From when on it is refused, in ms of the epoch; the tolerance is part of it. */
  readonly expiresAt: number;
  /** Those of the token that RFC 8176 knows; left out when the token has none of them. */
  readonly amr?: readonly AuthenticationMethod[];
}

export interface TokenVerifierOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Path of the provider's public keys. */
  readonly keysFile: string;
  /** How far clocks may be apart. Default 30. */
  readonly clockToleranceSeconds?: number;
  /** Milliseconds of the epoch. */
  readonly now?: () => number;
  /** Called when the file of keys has changed; with a flaw the old keys stay. */
  readonly onReload?: (flaw: FileFlaw | undefined) => void;
  /** Verified tokens that are remembered; the oldest goes first. Default 10,000. */
  readonly rememberedCount?: number;
  /** Time between two looks at the file. */
  readonly intervalMs?: number;
}

export interface TokenVerifier extends Disposable {
  /** Throws Refusal `token_invalid`, and nothing else. */
  verify(token: string): Promise<VerifiedToken>;
  /** Refused tokens since the start. */
  readonly refused: Readonly<Record<TokenFlaw, number>>;
}

/** Longest token, in characters: more than any provider sends, and headers have a limit too. */
export const tokenLimit = 8192;
/** Oldest token, in seconds, whatever it says of itself. */
const longestAge = 86_400;

/** Throws FileError when the keys cannot be used. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { keysFile, now = Date.now, onReload = () => undefined, rememberedCount = 10_000 } = options;
  const refused = Object.fromEntries(tokenFlaws.map((flaw) => [flaw, 0])) as Record<TokenFlaw, number>;
  const stamp = stampFiles([keysFile]);
  let current = createKeyring(readTokenKeys(keysFile), rememberedCount);
  const reload = (): void => {
    try {
      current = createKeyring(readTokenKeys(keysFile), rememberedCount);
    } catch (error) {
      return void onReload(error instanceof FileError ? error.flaw : 'form');
    }
    onReload(undefined);
  };
  const watch = watchFiles([keysFile], stamp, reload, options.intervalMs);
  const verify = async (token: string): Promise<VerifiedToken> => {
    if (typeof token !== 'string' || token.length > tokenLimit) throw new Flawed('size');
    const name = createHash('sha256').update(token).digest('base64');
    // Keys that were taken away meanwhile must not have the last word.
    for (;;) {
      const keyring = current;
      const verified = keyring.remembered.get(name) ?? (await verifyToken(token, keyring.keys, options, now()));
      if (verified.expiresAt <= now()) throw new Flawed('time');
      if (keyring !== current) continue;
      keyring.remember(name, verified);
      return verified;
    }
  };
  return {
    refused,
    verify: (token) =>
      verify(token).catch((error: unknown) => {
        refused[nameFlaw(error)]++;
        throw new Refusal('token_invalid');
      }),
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}

/** Keys, and what they have verified: both go together. */
interface Keyring {
  readonly keys: TokenKeys;
  readonly remembered: ReadonlyMap<string, VerifiedToken>;
  remember(name: string, verified: VerifiedToken): void;
}

function createKeyring(keys: TokenKeys, limit: number): Keyring {
  const remembered = new Map<string, VerifiedToken>();
  return {
    keys,
    remembered,
    remember: (name, verified) => {
      remembered.set(name, verified);
      const [oldest] = remembered.keys();
      if (remembered.size > limit && oldest !== undefined) remembered.delete(oldest);
    },
  };
}

/** As the types of media that they stand for (RFC 7515, 4.1.9): the case does not matter. */
const headerSchema = z.looseObject({ typ: z.string().regex(/^(?:application\/)?(?:jwt|at\+jwt)$/i) });
const claimsSchema = z.looseObject({
  sub: z.string().regex(forms.claim),
  exp: z.number(),
  iat: z.number(),
  jti: z.string().regex(forms.tokenId).optional().catch(undefined),
  amr: z.unknown().optional(),
});

async function verifyToken(token: string, keys: TokenKeys, options: TokenVerifierOptions, now: number): Promise<VerifiedToken> {
  const { issuer, audience, clockToleranceSeconds: clockTolerance = 30 } = options;
  const { payload, protectedHeader } = await jwtVerify(token, findKey(keys), {
    algorithms: [...tokenAlgorithms],
    issuer,
    audience,
    clockTolerance,
    currentDate: new Date(now),
    maxTokenAge: longestAge,
    requiredClaims: ['exp', 'sub'],
  });
  if (!headerSchema.safeParse(protectedHeader).success) throw new Flawed('type');
  const { success, data, error } = claimsSchema.safeParse(payload);
  if (!success) throw new Flawed(error.issues[0]?.path[0] === 'sub' ? 'subject' : 'time');
  const expiresAt = (Math.floor(Math.min(data.exp, data.iat + longestAge)) + clockTolerance) * 1000;
  const amr = readMethods(data.amr);
  return { issuer, subject: data.sub, ...(data.jti === undefined ? {} : { id: data.jti }), expiresAt, ...(amr.length > 0 ? { amr } : {}) };
}

/** The key that the token names, if it signs as the token says. */
function findKey(keys: TokenKeys): JWTVerifyGetKey {
  return ({ kid, alg }) => {
    const found = typeof kid === 'string' ? keys.get(kid) : undefined;
    if (found === undefined) throw new Flawed('key');
    if (!found.algorithms.includes(alg as TokenAlgorithm)) throw new Flawed('algorithm');
    return found.key;
  };
}

function readMethods(amr: unknown): AuthenticationMethod[] {
  return Array.isArray(amr) ? authenticationMethods.filter((method) => amr.includes(method)) : [];
}

/**
 * Owns the names of what can be wrong with a bearer token. They are counted, never told to whoever sent it.
 */

/** What a token is refused for. `time`: expired, too old, or not valid yet. */
export const tokenFlaws = ['size', 'form', 'algorithm', 'key', 'signature', 'type', 'issuer', 'audience', 'time', 'subject'] as const;
export type TokenFlaw = (typeof tokenFlaws)[number];

/** Thrown inside of the verification only. */
export class Flawed extends Error {
  readonly flaw: TokenFlaw;

  constructor(flaw: TokenFlaw) {
    super(flaw);
    this.flaw = flaw;
  }
}

const flawsByCode: Readonly<Record<string, TokenFlaw>> = {
  ERR_JOSE_ALG_NOT_ALLOWED: 'algorithm',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'signature',
  ERR_JWT_EXPIRED: 'time',
};
const flawsByClaim: Readonly<Record<string, TokenFlaw>> = { iss: 'issuer', aud: 'audience', sub: 'subject', exp: 'time', nbf: 'time', iat: 'time' };

/** Any error of the verification; the codes are those of jose. */
export function nameFlaw(error: unknown): TokenFlaw {
  if (error instanceof Flawed) return error.flaw;
  const { code, claim } = (error ?? {}) as { readonly code?: unknown; readonly claim?: unknown };
  return flawsByCode[String(code)] ?? (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED' ? flawsByClaim[String(claim)] : undefined) ?? 'form';
}

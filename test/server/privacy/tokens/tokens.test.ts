/** Bearer tokens: what is taken, what is not and how it is counted, keys that change. Tokens are signed here with Node's own crypto. */
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { jwtVerify } from 'jose';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { Refusal } from '../../../../server/privacy/errors.ts';
import type { TokenFlaw } from '../../../../server/privacy/tokens/flaws.ts';
import { readTokenKeys } from '../../../../server/privacy/tokens/keys.ts';
import { createTokenVerifier, type TokenVerifier, type TokenVerifierOptions, tokenLimit } from '../../../../server/privacy/tokens/tokens.ts';
import { FileError, type FileFlaw } from '../../../../server/privacy/watched.ts';
import { until } from '../../help.ts';

// Its calls are counted, and nothing else changed.
vi.mock('jose', { spy: true });

const folder = mkdtempSync(join(tmpdir(), 'inward-tokens-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type KeyName = 'rsa' | 'p256' | 'p384' | 'ed25519';

const pairs: Record<KeyName, { publicKey: KeyObject; privateKey: KeyObject }> = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ed25519: generateKeyPairSync('ed25519'),
};
const strangers = { ...pairs, p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }) };

const jwk = (name: KeyName, more: object = {}): object => ({ ...pairs[name].publicKey.export({ format: 'jwk' }), kid: name, use: 'sig', ...more });
const everyKey = (): object[] => (Object.keys(pairs) as KeyName[]).map((name) => jwk(name));

const encode = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** RFC 7518, 3.3 to 3.5, and RFC 8037. */
const signers: Record<string, (text: string, key: KeyObject) => Buffer> = {
  RS256: (text, key) => sign('sha256', Buffer.from(text), key),
  PS256: (text, key) => sign('sha256', Buffer.from(text), { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
  RS512: (text, key) => sign('sha512', Buffer.from(text), key),
  ES256: (text, key) => sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }),
  ES384: (text, key) => sign('sha384', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (text, key) => sign(null, Buffer.from(text), key),
};

/** Noon of a day, in seconds. */
const noon = Date.UTC(2026, 10, 24, 12) / 1000;
const claims = { iss: 'https://id.example.org', aud: 'inward', sub: 'staff-17', iat: noon - 60, exp: noon + 600 };
const header = { alg: 'ES256', kid: 'p256', typ: 'JWT' };

function makeToken(own: object = {}, ownHeader: object = {}, key: KeyObject = pairs.p256.privateKey): string {
  const head = { ...header, ...ownHeader };
  const text = `${encode(head)}.${encode({ ...claims, ...own })}`;
  return `${text}.${(signers[head.alg] as (typeof signers)[string])(text, key).toString('base64url')}`;
}

interface Clock {
  seconds: number;
}

let files = 0;

interface Bench {
  readonly verifier: TokenVerifier;
  readonly clock: Clock;
  readonly keysFile: string;
  readonly reloads: (FileFlaw | undefined)[];
  write(content: unknown): void;
}

function open(keys: object[] = everyKey(), options: Partial<TokenVerifierOptions> = {}): Bench {
  const keysFile = join(folder, `${++files}.json`);
  const write = (content: unknown): void => writeFileSync(keysFile, typeof content === 'string' ? content : JSON.stringify(content));
  write({ keys });
  const clock = { seconds: noon };
  const reloads: (FileFlaw | undefined)[] = [];
  const given = { issuer: claims.iss, audience: claims.aud, keysFile, now: () => clock.seconds * 1000, intervalMs: 10 };
  const verifier = createTokenVerifier({ ...given, onReload: (flaw) => reloads.push(flaw), ...options });
  onTestFinished(() => verifier[Symbol.dispose]());
  return { verifier, clock, keysFile, reloads, write };
}

/** That a token is refused in the one way that there is, and counted as this. */
async function expectRefused(verifier: TokenVerifier, token: unknown, flaw: TokenFlaw): Promise<void> {
  const before = verifier.refused[flaw];
  const error = await verifier.verify(token as string).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Refusal);
  expect(error).toMatchObject({ code: 'token_invalid', status: 401, message: 'The bearer token is not valid here.', fields: {} });
  expect(Object.keys(error as object).sort()).toEqual(['code', 'fields', 'name', 'status']);
  expect(verifier.refused).toMatchObject({ [flaw]: before + 1 });
}

test.each([
  ['RS256', 'rsa'],
  ['PS256', 'rsa'],
  ['ES256', 'p256'],
  ['ES384', 'p384'],
  ['EdDSA', 'ed25519'],
] as const)('%s is taken', async (alg, kid) => {
  const { verifier } = open();
  const token = makeToken({}, { alg, kid }, pairs[kid].privateKey);
  const expected = { issuer: claims.iss, subject: 'staff-17', expiresAt: (noon + 600 + 30) * 1000 };
  expect(await verifier.verify(token)).toEqual(expected);
  // Now from memory.
  expect(await verifier.verify(token)).toEqual(expected);
  const letter = token.at(-9) === 'A' ? 'B' : 'A';
  await expectRefused(verifier, `${token.slice(0, -9)}${letter}${token.slice(-8)}`, 'signature');
});

// biome-ignore format: a table
test.each<[string, TokenFlaw, () => string]>([
  ['no signature (alg none)', 'algorithm', () => `${encode({ alg: 'none', kid: 'p256', typ: 'JWT' })}.${encode(claims)}.`],
  ['no signature (alg None)', 'algorithm', () => `${encode({ alg: 'None', kid: 'p256', typ: 'JWT' })}.${encode(claims)}.`],
  ['HS256 with the public key in PEM as the secret', 'algorithm', () => {
    const text = `${encode({ alg: 'HS256', kid: 'rsa', typ: 'JWT' })}.${encode(claims)}`;
    return `${text}.${createHmac('sha256', pairs.rsa.publicKey.export({ type: 'spki', format: 'pem' })).update(text).digest('base64url')}`;
  }],
  ['an algorithm that is not taken', 'algorithm', () => makeToken({}, { alg: 'RS512', kid: 'rsa' }, pairs.rsa.privateKey)],
  ['another algorithm than that of the key', 'algorithm', () => makeToken({}, { alg: 'RS256', kid: 'p256' }, pairs.rsa.privateKey)],
  ['no algorithm', 'form', () => `${encode({ kid: 'p256', typ: 'JWT' })}.${encode(claims)}.AAAA`],
  ['a key that is not there', 'key', () => makeToken({}, { kid: 'p257' })],
  ['a key with a name that objects have', 'key', () => makeToken({}, { kid: '__proto__' })],
  ['a name that is no text', 'key', () => makeToken({}, { kid: ['p256'] })],
  ['no name of a key', 'key', () => makeToken({}, { kid: undefined })],
  ['a key that it brings along', 'signature', () => makeToken({}, { jwk: strangers.p256.publicKey.export({ format: 'jwk' }) }, strangers.p256.privateKey)],
  ['a signature of another key', 'signature', () => makeToken({}, {}, strangers.p256.privateKey)],
  ['a signature in DER', 'signature', () => { const text = `${encode(header)}.${encode(claims)}`; return `${text}.${sign('sha256', Buffer.from(text), pairs.p256.privateKey).toString('base64url')}`; }],
  ['an empty signature', 'signature', () => makeToken().replace(/[^.]*$/, '')],
  ['a signature of zeros', 'signature', () => makeToken().replace(/[^.]*$/, Buffer.alloc(64).toString('base64url'))],
  ['other claims under a good signature', 'signature', () => makeToken().replace(/\.[^.]*\./, `.${encode({ ...claims, sub: 'admin' })}.`)],
  ['an extension that must be understood', 'form', () => makeToken({}, { crit: ['x'], x: 1 })],
  ['a payload that is not encoded', 'form', () => makeToken({}, { crit: ['b64'], b64: false })],
  ['no type', 'type', () => makeToken({}, { typ: undefined })],
  ['another type', 'type', () => makeToken({}, { typ: 'logout+jwt' })],
  ['a type with more behind it', 'type', () => makeToken({}, { typ: 'JWT\n' })],
  ['no expiry', 'time', () => makeToken({ exp: undefined })],
  ['an expiry as text', 'time', () => makeToken({ exp: String(noon + 600) })],
  ['expired longer ago than clocks may be apart', 'time', () => makeToken({ exp: noon - 30 })],
  ['not valid before a time beyond that', 'time', () => makeToken({ nbf: noon + 31 })],
  ['a beginning as text', 'time', () => makeToken({ nbf: 'now' })],
  ['issued in the future', 'time', () => makeToken({ iat: noon + 31 })],
  ['no time of issue', 'time', () => makeToken({ iat: undefined })],
  ['issued more than a day ago', 'time', () => makeToken({ iat: noon - 86_431 })],
  ['another issuer', 'issuer', () => makeToken({ iss: 'https://id.example.com' })],
  ['an issuer with a slash more', 'issuer', () => makeToken({ iss: 'https://id.example.org/' })],
  ['no issuer', 'issuer', () => makeToken({ iss: undefined })],
  ['an issuer in a list', 'issuer', () => makeToken({ iss: ['https://id.example.org'] })],
  ['another audience', 'audience', () => makeToken({ aud: 'outward' })],
  ['several other audiences', 'audience', () => makeToken({ aud: ['outward', 'inward2'] })],
  ['no audience', 'audience', () => makeToken({ aud: undefined })],
  ['an empty list of audiences', 'audience', () => makeToken({ aud: [] })],
  ['an audience that is an object', 'audience', () => makeToken({ aud: { inward: true } })],
  ['no subject', 'subject', () => makeToken({ sub: undefined })],
  ['a subject that could hold a sentence', 'subject', () => makeToken({ sub: 'Jane Doe has diabetes' })],
  ['a subject that is too long', 'subject', () => makeToken({ sub: 'a'.repeat(201) })],
  ['a subject that is a number', 'subject', () => makeToken({ sub: 17 })],
  ['too much', 'size', () => makeToken({ x: 'a'.repeat(tokenLimit) })],
  ['nothing', 'form', () => ''],
  ['a secret of this server', 'form', () => `inw_phi_${'0'.repeat(68)}`],
  ['two parts', 'form', () => 'a.b'],
  ['five parts, as an encrypted token has', 'form', () => `${encode({ alg: 'dir', enc: 'A256GCM' })}....`],
  ['claims that are no object', 'form', () => { const text = `${encode(header)}.${encode('[1]')}`; return `${text}.${(signers['ES256'] as (typeof signers)[string])(text, pairs.p256.privateKey).toString('base64url')}`; }],
])('refused: %s', async (_, flaw, create) => {
  const { verifier } = open();
  await expectRefused(verifier, create(), flaw);
  expect(Object.values(verifier.refused).reduce((a, b) => a + b)).toBe(1);
});

test.each<[string, object, object]>([
  ['an access token (RFC 9068)', {}, { typ: 'at+jwt' }],
  ['a type as RFC 7515 has it', {}, { typ: 'application/at+jwt' }],
  ['a type in small letters', {}, { typ: 'jwt' }],
  ['several audiences', { aud: ['other', 'inward'] }, {}],
  ['just expired', { exp: noon - 29 }, {}],
  ['just issued, by a clock ahead', { iat: noon + 30, nbf: noon + 30 }, {}],
  ['fractions of seconds', { iat: noon - 0.5, exp: noon + 0.5 }, {}],
  ['claims that are none of our business', { name: 'x', roles: ['admin'] }, {}],
])('taken: %s', async (_, own, ownHeader) => {
  const { verifier } = open();
  expect(await verifier.verify(makeToken(own, ownHeader))).toMatchObject({ subject: 'staff-17' });
});

test('of the methods only those of RFC 8176 are told', async () => {
  const { verifier } = open();
  const methods = async (amr: unknown): Promise<unknown> => (await verifier.verify(makeToken({ amr }))).amr;
  expect(await methods(['pwd', 'mfa', 'my own way', 17, 'mfa'])).toEqual(['mfa', 'pwd']);
  expect(await methods(['my own way'])).toBeUndefined();
  expect(await methods('mfa')).toBeUndefined();
  expect(await methods({ mfa: true })).toBeUndefined();
});

test('a token that was taken is refused from its expiry on', async () => {
  const { verifier, clock } = open();
  const token = makeToken();
  const { expiresAt } = await verifier.verify(token);
  clock.seconds = expiresAt / 1000 - 1;
  await verifier.verify(token);
  clock.seconds++;
  await expectRefused(verifier, token, 'time');
});

test('a token that says to be valid for years is refused after a day, also when it was taken before', async () => {
  const { verifier, clock } = open();
  const token = makeToken({ exp: noon + 1e9 });
  expect((await verifier.verify(token)).expiresAt).toBe((claims.iat + 86_400 + 30) * 1000);
  clock.seconds = claims.iat + 86_400 + 29;
  await verifier.verify(token);
  clock.seconds++;
  await expectRefused(verifier, token, 'time');
});

test('keys that change: new tokens are taken, tokens of the key that is gone are not, not even remembered ones', async () => {
  const { verifier, reloads, write } = open([jwk('p256')]);
  const [old, next] = [makeToken(), makeToken({}, { alg: 'EdDSA', kid: 'ed25519' }, pairs.ed25519.privateKey)];
  await verifier.verify(old);
  await expectRefused(verifier, next, 'key');
  write({ keys: [jwk('ed25519')] });
  await until(() => reloads.length === 1);
  expect(reloads).toEqual([undefined]);
  await verifier.verify(next);
  await expectRefused(verifier, old, 'key');
});

test('keys that change while a token is being verified have the last word', async () => {
  const { verifier, reloads, write } = open([jwk('p256')]);
  const { jwtVerify: actual } = await vi.importActual<typeof import('jose')>('jose');
  vi.mocked(jwtVerify).mockImplementationOnce(async (...given) => {
    const verified = await actual(...given);
    write({ keys: [jwk('ed25519')] });
    await until(() => reloads.length === 1);
    return verified;
  });
  await expectRefused(verifier, makeToken(), 'key');
});

test.each<[string, FileFlaw, unknown]>([
  ['no JSON', 'form', '{"keys":['],
  ['no keys', 'form', { keys: [] }],
  ['a private key', 'form', { keys: [{ ...pairs.p256.privateKey.export({ format: 'jwk' }), kid: 'p256' }] }],
  ['too much', 'size', JSON.stringify({ keys: [jwk('p256')], x: 'a'.repeat(2 ** 18) })],
])('a new file with %s is refused, told once, and the old keys stay', async (_, flaw, content) => {
  const { verifier, reloads, write } = open([jwk('p256')]);
  const token = makeToken();
  await verifier.verify(token);
  write(content);
  await until(() => reloads.length === 1);
  await verifier.verify(token);
  await verifier.verify(makeToken({ jti: '2' }));
  write({ keys: everyKey() });
  await until(() => reloads.length === 2);
  expect(reloads).toEqual([flaw, undefined]);
  await verifier.verify(makeToken({}, { alg: 'RS256', kid: 'rsa' }, pairs.rsa.privateKey));
});

// Of Keycloak (with and without the kind in front), Okta and Auth0; base64url may begin with a minus. 64 characters are the most, 16 the least.
test.each([
  'onrtac:6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
  'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMUBO7uKkZ0o',
  '-iZ_Ab3kX9cQ2vLw7RtYpE',
  'a'.repeat(16),
  'a'.repeat(64),
])('the id of a token, %s, is kept with what was verified', async (jti) => {
  const { verifier } = open();
  const token = makeToken({ jti });
  expect(await verifier.verify(token)).toEqual({ issuer: claims.iss, subject: 'staff-17', id: jti, expiresAt: (noon + 630) * 1000 });
  // Now from memory.
  expect((await verifier.verify(token)).id).toBe(jti);
});

test.each([
  ...['The patient has diabetes.', 'a'.repeat(15), 'a'.repeat(65), '', `${'a'.repeat(16)}\n`, `.${'a'.repeat(16)}`, `Ärzte${'a'.repeat(16)}`, 'a"b'.repeat(8)],
  ...[1234567890123456, null, true, ['a'.repeat(16)], { id: 'a'.repeat(16) }],
])('of another form, %j, it is not, and the token is taken all the same', async (jti) => {
  const { verifier } = open();
  expect(await verifier.verify(makeToken({ jti }))).toEqual({ issuer: claims.iss, subject: 'staff-17', expiresAt: (noon + 630) * 1000 });
});

test('what was verified is not verified again; what is remembered is bounded, and the oldest goes first', async () => {
  const { verifier } = open(everyKey(), { rememberedCount: 2 });
  const [a, b, c] = ['a', 'b', 'c'].map((jti) => makeToken({ jti })) as [string, string, string];
  vi.mocked(jwtVerify).mockClear();
  const verifications = async (token: string): Promise<number> => {
    await verifier.verify(token);
    return vi.mocked(jwtVerify).mock.calls.length;
  };
  expect(await verifications(a)).toBe(1);
  expect(await verifications(a)).toBe(1);
  expect(await verifications(b)).toBe(2);
  expect(await verifications(c)).toBe(3);
  expect(await verifications(b)).toBe(3);
  expect(await verifications(a)).toBe(4);
  expect(await verifications(c)).toBe(4);
  expect(await verifications(b)).toBe(5);
});

const goodEntry = (): object => jwk('p256');
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
const small = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey.export({ format: 'jwk' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ format: 'jwk' });
const x25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' });

// biome-ignore format: a table
test.each<[string, unknown, string]>([
  ['nothing', '', 'expected JSON in UTF-8 without a field twice, found something else, or a file that was cut'],
  ['no JSON', 'Jane Doe', 'expected JSON in UTF-8 without a field twice, found something else, or a file that was cut'],
  ['keys twice', '{"keys":[],"keys":[]}', 'expected JSON in UTF-8 without a field twice, found something else, or a file that was cut'],
  ['bytes that are no text', Buffer.from([0x7b, 0xff, 0x7d]), 'expected JSON in UTF-8 without a field twice, found something else, or a file that was cut'],
  ['a list', '[]', 'expected a JSON object with 1 to 64 keys in "keys", found something else'],
  ['no keys', { keys: [] }, 'expected a JSON object with 1 to 64 keys in "keys", found something else'],
  ['one key by itself', jwk('p256'), 'expected a JSON object with 1 to 64 keys in "keys", found something else'],
  ['too many keys', { keys: Array.from({ length: 65 }, (_, i) => jwk('p256', { kid: `k${i}` })) }, 'expected a JSON object with 1 to 64 keys in "keys", found something else'],
  ['a key that is no object', { keys: ['p256'] }, 'expected a JSON object with 1 to 64 keys in "keys", found something else'],
  ['keys for encryption alone', { keys: [jwk('p256', { use: 'enc' })] }, 'expected a key for signatures, found none'],
  ['keys that only sign', { keys: [jwk('p256', { key_ops: ['sign'] })] }, 'expected a key for signatures, found none'],
  ['a private part', { keys: [goodEntry(), { ...pairs.rsa.privateKey.export({ format: 'jwk' }), kid: 'x' }] }, 'expected public keys only, found a private part in key number 2'],
  ['a private part in a key that is left out', { keys: [goodEntry(), { ...pairs.rsa.privateKey.export({ format: 'jwk' }), use: 'enc' }] }, 'expected public keys only, found a private part in key number 2'],
  ['a shared secret', { keys: [goodEntry(), { kty: 'oct', k: 'c2VjcmV0', kid: 'x' }] }, 'expected public keys only, found a private part in key number 2'],
  ['a key without a kid', { keys: [goodEntry(), jwk('rsa', { kid: undefined })] }, 'expected RSA, EC (P-256, P-384) and Ed25519 keys with a kid, found that key number 2 is none'],
  ['a kid with blanks', { keys: [jwk('rsa', { kid: 'a b' })] }, 'expected RSA, EC (P-256, P-384) and Ed25519 keys with a kid, found that key number 1 is none'],
  ['another curve', { keys: [goodEntry(), { ...p521, kid: 'x' }] }, 'expected RSA, EC (P-256, P-384) and Ed25519 keys with a kid, found that key number 2 is none'],
  ['a key for agreement', { keys: [{ ...x25519, kid: 'x' }] }, 'expected RSA, EC (P-256, P-384) and Ed25519 keys with a kid, found that key number 1 is none'],
  ['an algorithm that is not taken', { keys: [jwk('rsa', { alg: 'RS512' })] }, 'expected RSA, EC (P-256, P-384) and Ed25519 keys with a kid, found that key number 1 is none'],
  ['an algorithm of another kind of key', { keys: [jwk('rsa', { alg: 'ES256' })] }, 'expected an alg that fits the key (RS256, PS256), found another in key number 1'],
  ['an algorithm of another curve', { keys: [jwk('p384', { alg: 'ES256' })] }, 'expected an alg that fits the key (ES384), found another in key number 1'],
  ['a kid twice', { keys: [jwk('rsa', { kid: 'x' }), jwk('p256', { kid: 'x' })] }, 'expected that each kid is there once, found that of key number 2 twice'],
  ['a point that is not on the curve', { keys: [jwk('p256', { x: 'AAAA' })] }, 'expected valid keys, found that key number 1 is none'],
  ['a short RSA key', { keys: [{ ...weak, kid: 'x' }] }, 'expected RSA keys of 2048 to 8192 bits with an exponent from 65537 on, found another in key number 1'],
  ['a small exponent', { keys: [{ ...small, kid: 'x' }] }, 'expected RSA keys of 2048 to 8192 bits with an exponent from 65537 on, found another in key number 1'],
  ['an exponent of 1', { keys: [jwk('rsa', { e: 'AQ' })] }, 'expected RSA keys of 2048 to 8192 bits with an exponent from 65537 on, found another in key number 1'],
])('keys are refused at the start: %s', (_, content, reason) => {
  const path = join(folder, 'bad.json');
  writeFileSync(path, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
  expect(() => createTokenVerifier({ issuer: 'i', audience: 'a', keysFile: path })).toThrow(
    expect.objectContaining({ name: 'SiteError', flaw: 'form', message: `The file of token keys ${path} cannot be used: ${reason}.` }),
  );
});

test('keys that others may change, or that are not there, are refused', () => {
  const { keysFile } = open();
  chmodSync(keysFile, 0o664);
  expect(() => readTokenKeys(keysFile)).toThrow('expected one that only its owner may change, found mode 0664 (chmod go-w)');
  rmSync(keysFile);
  expect(() => readTokenKeys(keysFile)).toThrow('expected a readable file, found nothing');
});

test('keys as providers publish them: certificates beside them, keys for encryption among them', () => {
  const { keysFile } = open([
    jwk('rsa', { alg: 'RS256', x5c: ['MIIC'], x5t: 'abc', 'x5t#S256': 'abc' }),
    { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA', use: 'enc' },
    jwk('ed25519', { use: undefined, key_ops: ['verify'] }),
  ]);
  expect([...readTokenKeys(keysFile)].map(([kid, { algorithms }]) => [kid, algorithms])).toEqual([
    ['rsa', ['RS256']],
    ['ed25519', ['EdDSA']],
  ]);
});

test('a key that names its algorithm verifies no other', async () => {
  const { verifier } = open([jwk('rsa', { alg: 'PS256' })]);
  await verifier.verify(makeToken({}, { alg: 'PS256', kid: 'rsa' }, pairs.rsa.privateKey));
  await expectRefused(verifier, makeToken({}, { alg: 'RS256', kid: 'rsa' }, pairs.rsa.privateKey), 'algorithm');
});

test('whatever the file of keys holds, it is refused with one sentence that quotes none of it', () => {
  const path = join(folder, 'any.json');
  const keys = fc.array(
    fc.oneof(
      fc.json().map((text) => JSON.parse(text) as unknown),
      fc.constantFrom(...everyKey()),
    ),
    { maxLength: 4 },
  );
  const mixed = fc
    .tuple(keys, fc.constantFrom('n', 'e', 'x', 'y', 'crv', 'kty', 'alg', 'use', 'kid'), fc.json())
    .map(([all, member, value]) =>
      JSON.stringify({ keys: all.map((key) => (typeof key === 'object' && key !== null ? { ...key, [member]: JSON.parse(value) as unknown } : key)) }),
    );
  const content = fc.oneof(mixed, fc.json(), fc.string({ unit: 'binary' }), fc.uint8Array());
  fc.assert(
    fc.property(content, (bytes) => {
      writeFileSync(path, bytes);
      try {
        readTokenKeys(path);
      } catch (error) {
        expect(error).toBeInstanceOf(FileError);
        expect((error as Error).message.replace(path, '')).toMatch(/^The file of token keys {2}cannot be used: [\w ,.()"-]+\.$/);
      }
    }),
    { seed: 7, numRuns: 400 },
  );
});

test('whatever is presented, it is refused in the one way', async () => {
  const { verifier } = open();
  const good = makeToken();
  const changed = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
    const code = (good.charCodeAt(at) + by) % 256;
    return good.slice(0, at) + String.fromCharCode(code) + good.slice(at + 1);
  });
  const cut = fc.nat(good.length - 1).map((length) => good.slice(0, length));
  const parts = fc.array(fc.oneof(fc.json().map(encode), fc.base64String(), fc.string({ unit: 'binary' })), { maxLength: 6 }).map((all) => all.join('.'));
  const headed = fc
    .tuple(fc.json(), fc.json())
    .map(([own, body]) => `${encode({ ...header, ...(JSON.parse(own) as object) })}.${encode(body)}.${good.split('.')[2]}`);
  const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.anything() as fc.Arbitrary<string>);
  const token = fc.oneof(changed, cut, parts, headed, anything);
  await fc.assert(
    fc.asyncProperty(token, async (presented) => {
      const error = await verifier.verify(presented).catch((thrown: unknown) => thrown);
      // The last letter of a signature has bits that mean nothing, so another one may stand for the same bytes.
      if (!(error instanceof Refusal))
        expect(Buffer.from(presented.split('.')[2] ?? '', 'base64url')).toEqual(Buffer.from(good.split('.')[2] ?? '', 'base64url'));
      else expect(error.code).toBe('token_invalid');
    }),
    { seed: 7, numRuns: 600 },
  );
});

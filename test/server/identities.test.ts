/** The three ways to be known, on one server with a real gate behind TLS: a secret, a client certificate, a token of the identity provider. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import type { AuditEvent } from '../../server/privacy/audit/events.ts';
import { Gate } from '../../server/privacy/gate.ts';
import { createTokenVerifier } from '../../server/privacy/tokens/tokens.ts';
import { openTls } from '../../server/tls.ts';
import { FakeEngine } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';
import { begin, createSite, TestClock, type TestSite } from './privacy/agreed-site.ts';
import { createTestTrail, type TestTrail } from './privacy/test-trail.ts';
import { ask, type CertificateName, createTlsFolder, fingerprintOf, readPair, type TlsFolder } from './tls-help.ts';

const issuer = 'https://id.example.org';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let files: TlsFolder;
let site: TestSite;
let port: number;
let secret: string;
let certificateKey: string;
let trail: TestTrail;
let close: () => Promise<void>;

beforeAll(async () => {
  files = createTlsFolder();
  const keysFile = join(files.folder, 'jwks.json');
  writeFileSync(keysFile, JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' }] }), { mode: 0o644 });
  site = await createSite();
  const clock = new TestClock();
  await site.deploy(await site.agree());
  secret = (await site.key()).text;
  certificateKey = (await site.key({ credential: { type: 'certificate', fingerprint: fingerprintOf('client') ?? '' } })).id;
  await site.key({ credential: { type: 'token', issuer, subject: 'ehr-service' } });
  await site.store.addPerson({
    id: 'an-auditor',
    roles: ['auditor'],
    credential: { type: 'token', issuer, subject: 'staff-17' },
    createdAt: begin,
    createdBy: 'setup',
  });
  const tokens = createTokenVerifier({ issuer, audience: 'inward', keysFile, now: clock.wall });
  trail = createTestTrail();
  const gate = await Gate.open(site.store, { trail, isLocal: false, tokens, wall: clock.wall, monotonic: clock.monotonic });
  const settings = parseSettings({ host: '127.0.0.1', tlsCert: files.cert, tlsKey: files.key, tlsClientCa: files.clientCa });
  const engine = new FakeEngine({ script: say('Hello') });
  const app = buildApp({ models: { current: { engine, text: new FakeText() } }, gate, settings, tls: openTls(settings) });
  port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' })).port);
  close = async () => {
    await app.close();
    await gate[Symbol.asyncDispose]();
    files[Symbol.dispose]();
  };
});
afterAll(() => close());

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function makeToken(subject: string, changes: object = {}): string {
  const now = Math.floor(begin / 1000);
  const text = `${encode({ alg: 'ES256', kid: 'one', typ: 'JWT' })}.${encode({ iss: issuer, aud: 'inward', sub: subject, iat: now, exp: now + 600, ...changes })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

async function statusOf(path: string, bearer?: string, certificate?: CertificateName): Promise<number | undefined> {
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  return (await ask(port, path, { headers, ...(certificate === undefined ? {} : readPair(certificate)) })).status;
}

test('a secret', async () => {
  expect(await statusOf('/v1/models', secret)).toBe(200);
  expect(await statusOf('/v1/models')).toBe(401);
});

test('records have the address of the connection and the hash of a verified certificate, as openssl has it', async () => {
  const certificate = fingerprintOf('client');
  const post = async (name: CertificateName | undefined, headers: object = {}): Promise<object[]> => {
    const before = trail.events.length;
    const sent = { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.7', ...headers };
    await ask(port, '/v1/completions', { method: 'POST', headers: sent, ...(name && readPair(name)) });
    const made: AuditEvent['event'][] = ['intent', 'auth_failed', 'denied'];
    return trail.events.slice(before).filter(({ event }) => made.includes(event));
  };
  const from = { route: '/v1/completions', address: '127.0.0.1' };
  expect(certificate).toMatch(/^[0-9a-f]{64}$/);
  expect(await post('client')).toEqual([expect.objectContaining({ event: 'intent', ...from, key: certificateKey, certificate })]);
  // Of who is known by another way, too.
  expect(await post('client', { authorization: `Bearer ${secret}` })).toEqual([expect.objectContaining({ event: 'intent', ...from, certificate })]);
  expect(await post('client', { 'x-inward-region': 'eu-west' })).toEqual([expect.objectContaining({ event: 'denied', ...from, certificate })]);
  // Not of one that another authority has signed, or of none.
  for (const name of ['client-foreign', 'client-expired', undefined] as const) {
    const [refused, ...more] = await post(name);
    expect([refused, more]).toEqual([expect.objectContaining({ event: 'auth_failed', refusal: 'key_missing', ...from }), []]);
    expect(refused).not.toHaveProperty('certificate');
  }
});

test('records say how the holder was known, and the id of a token that was verified and stands for somebody', async () => {
  const post = async (path: string, bearer: string | undefined, name?: CertificateName): Promise<object[]> => {
    const before = trail.events.length;
    const headers = { 'content-type': 'application/json', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) };
    await ask(port, path, { method: 'POST', headers, ...(name && readPair(name)) });
    return trail.events.slice(before).filter(({ event }) => event !== 'outcome');
  };
  const path = '/v1/completions';
  const jti = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';
  expect(await post(path, secret)).toMatchObject([{ event: 'intent', known: 'secret' }]);
  expect(await post(path, undefined, 'client')).toMatchObject([{ event: 'intent', known: 'certificate' }]);
  expect(await post(path, makeToken('ehr-service', { jti }))).toMatchObject([{ event: 'intent', known: 'token', token: jti }]);
  expect(await post(path, makeToken('staff-17', { jti }))).toMatchObject([{ event: 'denied', known: 'token', token: jti, person: 'an-auditor' }]);
  // Without an id, or with one that has room for a sentence.
  for (const changes of [{}, { jti: 'The patient has diabetes.' }]) {
    const [intent] = await post(path, makeToken('ehr-service', changes));
    expect(intent).toMatchObject({ event: 'intent', known: 'token' });
    expect(intent).toHaveProperty('token', undefined);
  }
  // Nobody was found: of a stranger, of another audience, of a wrong signature.
  for (const token of [
    makeToken('a-stranger', { jti }),
    makeToken('ehr-service', { jti, aud: 'another' }),
    `${makeToken('ehr-service', { jti }).slice(0, -8)}AAAAAAAA`,
  ]) {
    const [failed] = await post(path, token);
    expect(failed).toEqual({ event: 'auth_failed', route: path, address: '127.0.0.1', refusal: 'token_invalid', key: undefined, person: undefined });
  }
});

test('a client certificate, of the site’s authority and known to it, until its key is revoked', async () => {
  expect(await statusOf('/v1/models', undefined, 'client')).toBe(200);
  expect(await statusOf('/v1/models', undefined, 'client-foreign')).toBe(401);
  expect(await statusOf('/v1/models', undefined, 'client-expired')).toBe(401);
  // It does not make up for a wrong secret.
  expect(await statusOf('/v1/models', `${secret.slice(0, -1)}${secret.endsWith('0') ? '1' : '0'}`, 'client')).toBe(401);
  await site.store.revokeKey(certificateKey, 'an-admin', begin + 1);
  expect(await statusOf('/v1/models', undefined, 'client')).toBe(401);
});

test('a token of a service and one of a person, each for what it is granted', async () => {
  expect(await statusOf('/v1/models', makeToken('ehr-service'))).toBe(200);
  expect(await statusOf('/inward/review', makeToken('ehr-service'))).toBe(403);
  expect(await statusOf('/inward/review', makeToken('staff-17'))).toBe(200);
  expect(await statusOf('/v1/models', makeToken('staff-17'))).toBe(403);
  expect(await statusOf('/v1/models', makeToken('a-stranger'))).toBe(401);
  expect(await statusOf('/v1/models', makeToken('ehr-service', { aud: 'another' }))).toBe(401);
  expect(await statusOf('/v1/models', makeToken('ehr-service', { exp: Math.floor(begin / 1000) - 600 }))).toBe(401);
});

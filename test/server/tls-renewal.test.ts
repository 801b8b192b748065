/** Certificates that are judged: at the start, when they are renewed while the server works, and before they end. */

import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { buildApp } from '../../server/app.ts';
import { parseSettings, type SettingsInput } from '../../server/config.ts';
import { createLog, type LogRecord } from '../../server/log.ts';
import { openTls } from '../../server/tls.ts';
import { FakeEngine } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';
import { openTo } from './doorkeeper.ts';
import { until, user } from './help.ts';
import { ask, ca, createTlsFolder, events, openAt, readFixture, readPair, secure, type TlsFolder } from './tls-help.ts';

test('a new certificate is taken up while a stream and a kept connection go on', async () => {
  await using bench = await secure({ engine: { script: say('x'.repeat(100_000)), stepMs: 2 } });
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  onTestFinished(() => agent.destroy());
  expect((await ask(bench.port, '/health', { agent })).commonName).toBe('Test server');
  const body = JSON.stringify({ model: 'default', messages: [user('Hi')], stream: true });
  const call = request({ host: '127.0.0.1', port: bench.port, path: '/v1/chat/completions', method: 'POST', ca, agent: false });
  const [stream] = await once(call.setHeader('content-type', 'application/json').end(body), 'response');
  await once(stream, 'data');
  bench.files.install('server-next');
  await until(() => events(bench, 'tls_reloaded').length === 1);
  expect((await ask(bench.port, '/health')).commonName).toBe('Test server with its next certificate');
  expect((await ask(bench.port, '/health', { agent })).commonName).toBe('Test server');
  expect(bench.engine.running).toBe(1);
  for (let count = 0; count < 3; count++) expect(String(await once(stream, 'data'))).toContain('data: ');
  stream.destroy();
  expect(events(bench, 'tls_reload_failed')).toEqual([]);
});

test('after a renewal the rules for clients are the same, with the authorities of the new file', async () => {
  await using bench = await secure({ settings: ({ clientCa }) => ({ tlsClientCa: clientCa, tlsClients: 'required', tlsMinVersion: '1.3' }) });
  expect((await ask(bench.port, '/health', readPair('client'))).status).toBe(200);
  writeFileSync(bench.files.clientCa, readFixture('stranger.crt'));
  await until(() => events(bench, 'tls_reloaded').length === 1);
  await expect(ask(bench.port, '/health', readPair('client'))).rejects.toThrow();
  await expect(ask(bench.port, '/health')).rejects.toThrow();
  await expect(ask(bench.port, '/health', { ...readPair('client-foreign'), maxVersion: 'TLSv1.2' })).rejects.toThrow(/alert protocol version/);
  expect((await ask(bench.port, '/health', readPair('client-foreign'))).status).toBe(200);
});

/** What is done to good files, and the name that the log then has for it. */
const damages: readonly (readonly [string, string, (files: TlsFolder) => void])[] = [
  ['a certificate of another key', 'mismatch', ({ cert }) => writeFileSync(cert, readFixture('server-next.crt'))],
  ['half a certificate', 'form', ({ cert }) => writeFileSync(cert, readFixture('server.crt').slice(0, 300))],
  ['a certificate with a letter changed', 'form', ({ cert }) => writeFileSync(cert, readFixture('server.crt').replace('MII', 'MIJ'))],
  ['an empty certificate', 'form', ({ cert }) => writeFileSync(cert, '')],
  ['no certificate', 'unreadable', ({ cert }) => rmSync(cert)],
  ['a certificate that all may change', 'access', ({ cert }) => chmodSync(cert, 0o666)],
  ['a key that all may read', 'access', ({ key }) => chmodSync(key, 0o644)],
  ['a key that a group may read', 'access', ({ key }) => chmodSync(key, 0o640)],
  ['no key', 'unreadable', ({ key }) => rmSync(key)],
  ['a key that is none', 'form', ({ key }) => writeFileSync(key, 'Jane Doe')],
  ['a file without an end', 'size', ({ key }) => writeFileSync(key, Buffer.alloc(2 ** 16 + 1, 'a'))],
  ['an expired pair', 'dates', (files) => files.install('client-expired')],
];

test.each(damages)('renewed with %s, the server goes on as it was and takes the next good one', async (_, flaw, damage) => {
  await using bench = await secure();
  damage(bench.files);
  await until(() => events(bench, 'tls_reload_failed').length === 1);
  expect(events(bench, 'tls_reload_failed')).toEqual([{ event: 'tls_reload_failed', flaw }]);
  expect((await ask(bench.port, '/health')).commonName).toBe('Test server');
  rmSync(bench.files.cert, { force: true });
  bench.files.install('server-next');
  await until(() => events(bench, 'tls_reloaded').length === 1);
  expect((await ask(bench.port, '/health')).commonName).toBe('Test server with its next certificate');
});

test('a link that is swapped for another is a renewal too', async () => {
  const versions = createTlsFolder();
  onTestFinished(() => versions[Symbol.dispose]());
  const link = join(versions.folder, 'live');
  for (const name of ['server', 'server-next'] as const) {
    mkdirSync(join(versions.folder, name));
    for (const [file, content] of Object.entries(readPair(name))) writeFileSync(join(versions.folder, name, file), content, { mode: 0o600 });
  }
  symlinkSync('server', link);
  await using bench = await secure({ settings: () => ({ tlsCert: join(link, 'cert'), tlsKey: join(link, 'key') }) });
  rmSync(link);
  symlinkSync('server-next', link);
  await until(() => events(bench, 'tls_reloaded').length === 1);
  expect((await ask(bench.port, '/health')).commonName).toBe('Test server with its next certificate');
});

test.each(damages)('a start with %s is refused', (_, flaw, damage) => {
  using files = createTlsFolder();
  expect(openAt(files)).not.toThrow();
  damage(files);
  expect(openAt(files)).toThrow(expect.objectContaining({ name: 'SiteError', flaw }));
});

test('the sentences at the start say what was expected, what was found and what to do, and quote no file', () => {
  using files = createTlsFolder();
  const { cert, key, clientCa, folder } = files;
  const expectSentence = (sentence: string, input: SettingsInput = {}, now?: () => number): void =>
    expect(openAt(files, input, now)).toThrow(expect.objectContaining({ message: sentence }));
  chmodSync(key, 0o640);
  expectSentence(`The private key ${key} cannot be used: expected one that only its owner may read, found mode 0640 (chmod 600).`);
  chmodSync(key, 0o600);
  expectSentence(
    `The certificate ${cert} cannot be used: expected one that is valid now, found one that begins at 2020-01-01T00:00:00.000Z; renew it, or set the clock right.`,
    {},
    () => Date.UTC(2019, 11, 31),
  );
  expectSentence(
    `The certificate ${cert} cannot be used: expected one that is valid now, found one that ended at 2070-01-01T00:00:00.000Z; renew it, or set the clock right.`,
    {},
    () => Date.UTC(2070, 0, 2),
  );
  expectSentence(`The authority of client certificates ${folder} cannot be used: expected a file, found a folder.`, { tlsClientCa: folder });
  writeFileSync(clientCa, readFixture('server.crt'));
  expectSentence(`The authority of client certificates ${clientCa} cannot be used: expected certificates of authorities only, found that number 1 is none.`, {
    tlsClientCa: clientCa,
  });
  writeFileSync(cert, readFixture('server.crt') + readFixture('server.test-only.key'));
  expectSentence(
    `The certificate ${cert} cannot be used: expected certificates in PEM form and nothing else, found a private key, which belongs in a file of its own.`,
  );
  files.install('server-next');
  writeFileSync(cert, readFixture('server.crt'));
  expectSentence(`The certificate ${cert} cannot be used: expected the one of the private key ${key} as the first in the file, found another.`);
  writeFileSync(
    key,
    generateKeyPairSync('ed25519', {
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' },
    }).privateKey,
  );
  expectSentence(`The private key ${key} cannot be used: expected a private key in PEM form without a passphrase, found something else.`);
});

test('a key that OpenSSL holds for too weak is refused', async (context) => {
  using files = createTlsFolder();
  const args = ['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-keyout', files.key, '-out', files.cert, '-subj', '/CN=weak', '-days', '2'];
  await promisify(execFile)('openssl', args).catch(() => context.skip('openssl makes no weak keys here'));
  expect(openAt(files)).toThrow(/^The certificate \S+ cannot be used: expected a key that OpenSSL takes for TLS/);
});

test('without a certificate there is no TLS', () => {
  expect(openTls(parseSettings({}))).toBeUndefined();
});

afterEach(() => vi.useRealTimers());

test('the last 30 days of a certificate are told at the start and then once a day, until there is another', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const dayMs = 86_400_000;
  using files = createTlsFolder();
  // It ends with 2069.
  let now = Date.UTC(2069, 11, 1, 12);
  const days: unknown[] = [];
  const settings = parseSettings({ tlsCert: files.cert, tlsKey: files.key });
  const log = (record: LogRecord): unknown => record.event === 'tls_ends' && days.push(record.days);
  await using app = buildApp({
    ...openTo({ engine: new FakeEngine({ script: say('') }), text: new FakeText() }),
    settings,
    log,
    tls: openTls(settings, () => now, dayMs),
  });
  await app.ready();
  expect(days).toEqual([]);
  const pass = (hours: number): void => {
    for (let hour = 0; hour < hours; hour++) {
      now += 3_600_000;
      vi.advanceTimersByTime(3_600_000);
    }
  };
  pass(24);
  expect(days).toEqual([29]);
  pass(48);
  expect(days).toEqual([29, 28, 27]);
  pass(40 * 24);
  expect(days.slice(-2)).toEqual([1, 0]);
});

test('lines of the log about TLS hold names and numbers only', () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), 'json');
  log({ event: 'tls_reload_failed', flaw: 'mismatch' });
  log({ event: 'tls_ends', days: 3 });
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { time: expect.any(String), level: 'error', event: 'tls_reload_failed', flaw: 'mismatch' },
    { time: expect.any(String), level: 'warn', event: 'tls_ends', days: 3 },
  ]);
});

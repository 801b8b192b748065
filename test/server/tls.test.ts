/** TLS as clients meet it: versions, client certificates, what is no TLS at all, and a served model. */

import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { connect, getCACertificates, setDefaultCACertificates } from 'node:tls';
import OpenAI from 'openai';
import { expect, onTestFinished, test } from 'vitest';
import { runCommand } from '../../server/cli/index.ts';
import { parseSettings, type SettingsInput } from '../../server/config.ts';
import { serve } from '../../server/main.ts';
import { normalizeAddress, type Peer, readPeer } from '../../server/privacy/peer.ts';
import { FakeWorld } from './fake-world.ts';
import { collect, until, user } from './help.ts';
import { ask, ca, createTlsFolder, events, fingerprintOf, handshake, openAt, readFixture, readPair, secure } from './tls-help.ts';

/** Everything that comes back for bytes sent in the clear, until the server ends the connection. */
function tellPlainly(port: number, bytes: Buffer | string): Promise<{ bytes: Buffer; isEnded: boolean }> {
  return new Promise((resolve, reject) => {
    const socket = connectPlain(port, '127.0.0.1', () => socket.write(bytes));
    const chunks: Buffer[] = [];
    let isEnded = false;
    socket.setTimeout(5000, () => socket.destroy(new Error('the server did not end the connection')));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => (isEnded = true));
    socket.on('error', reject);
    socket.on('close', () => resolve({ bytes: Buffer.concat(chunks), isEnded }));
  });
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is spoken', async (version) => {
  await using bench = await secure();
  expect(bench.url).toMatch(/^https:/);
  expect(await ask(bench.port, '/health', { minVersion: version, maxVersion: version })).toEqual({
    status: 200,
    body: '{"status":"alive"}',
    protocol: version,
    commonName: 'Test server',
  });
});

test.each([
  ['TLSv1', '1.2'],
  ['TLSv1.1', '1.2'],
  ['TLSv1.2', '1.3'],
] as const)('%s is refused where the oldest is %s', async (version, oldest) => {
  await using bench = await secure({ settings: () => ({ tlsMinVersion: oldest }) });
  // Security level 0: the client itself must be willing, so that it is the server that refuses.
  const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
  await expect(ask(bench.port, '/health', old)).rejects.toThrow(/alert protocol version/);
  await until(() => events(bench, 'connection_refused').length === 1);
  expect((await ask(bench.port, '/health')).status).toBe(200);
});

test('no session is resumed, and none is negotiated anew', async () => {
  await using bench = await secure();
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await handshake(bench.port, { maxVersion: version });
    let session = first.getSession();
    // In TLS 1.3 what could be resumed comes after the handshake.
    first.on('session', (ticket) => (session = ticket));
    first.write('GET /health HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(first, 'data');
    if (version === 'TLSv1.2') {
      const renegotiated = new Promise((resolve) => first.once('error', resolve).renegotiate({}, resolve));
      expect(await renegotiated).toMatchObject({ code: 'ERR_SSL_NO_RENEGOTIATION' });
    }
    const second = await handshake(bench.port, { maxVersion: version, ...(session ? { session } : {}) });
    expect(second.isSessionReused()).toBe(false);
    first.destroy();
    second.destroy();
  }
});

test('what is no TLS ends at once, gets no answer in the clear, and is counted', async () => {
  await using bench = await secure();
  for (const bytes of ['GET /health HTTP/1.1\r\nhost: a\r\n\r\n', 'SSH-2.0-OpenSSH_9.9\r\n', Buffer.alloc(4096, 0xa5)]) {
    const { bytes: answer, isEnded } = await tellPlainly(bench.port, bytes);
    expect(isEnded).toBe(true);
    // Nothing, or one TLS record with an alert.
    expect(answer.length === 0 || (answer[0] === 21 && answer.length === 7)).toBe(true);
  }
  await until(() => events(bench, 'connection_refused').length === 3);
  expect(events(bench, 'connection_refused')).toEqual(Array(3).fill({ event: 'connection_refused', status: 400 }));
  expect((await ask(bench.port, '/metrics')).body).toMatch(/^inward_http_connection_errors_total 3$/m);
});

test('a handshake that does not go on is ended', async () => {
  await using bench = await secure({ settings: () => ({ requestTimeoutMs: 20 }) });
  const idle = connectPlain(bench.port, '127.0.0.1').resume();
  await once(idle, 'close');
  await until(() => events(bench, 'connection_refused').length === 1);
  expect(events(bench, 'connection_refused')).toEqual([{ event: 'connection_refused', status: 400 }]);
});

test('a connection whose records break is ended', async () => {
  await using bench = await secure();
  const plain = connectPlain(bench.port, '127.0.0.1');
  const socket = connect({ socket: plain, ca, servername: 'localhost' });
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  // The head of a record of 64 bytes, and 64 that no key made.
  plain.write(Buffer.concat([Buffer.from('1703030040', 'hex'), Buffer.alloc(0x40)]));
  await once(plain, 'close');
  await until(() => events(bench, 'connection_refused').length === 1);
  expect((await ask(bench.port, '/health')).status).toBe(200);
});

test('bad HTTP inside of TLS gets the same answer as without', async () => {
  await using bench = await secure();
  const socket = await handshake(bench.port);
  socket.write('GET / HTTP/9.9\r\n\r\n');
  expect(await readText(socket)).toMatch(/^HTTP\/1\.1 400 Refused\r\n.*"code":"bad_request"/s);
});

test('the official client, over TLS with the authority of the hospital', async () => {
  await using bench = await secure();
  const standard = getCACertificates('default');
  onTestFinished(() => setDefaultCACertificates(standard));
  const ask = async (): Promise<string> => {
    const client = new OpenAI({ baseURL: `${bench.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const stream = await client.chat.completions.create({ model: 'default', messages: [user('Hi')], stream: true });
    return (await collect(stream)).map(({ choices }) => choices[0]?.delta.content ?? '').join('');
  };
  await expect(ask()).rejects.toThrow('Connection error');
  setDefaultCACertificates([...standard, ca]);
  expect(await ask()).toBe('Hello, world.');
});

const clients = ['client', 'client-foreign', 'client-expired', 'server'] as const;

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'client certificates that are optional, %s: only a good one has a fingerprint, and openssl has the same',
  async (version) => {
    await using bench = await secure({ settings: ({ clientCa }) => ({ tlsClientCa: clientCa }) });
    const peer = async (options: RequestOptions): Promise<Peer> => {
      const { status, body } = await ask(bench.port, '/peer', { ...options, minVersion: version, maxVersion: version });
      expect(status).toBe(200);
      return JSON.parse(body) as Peer;
    };
    expect(await peer({})).toEqual({ address: '127.0.0.1' });
    for (const name of clients.slice(1)) expect([name, await peer(readPair(name))]).toEqual([name, { address: '127.0.0.1' }]);
    const known = await peer(readPair('client'));
    expect(known).toEqual({ address: '127.0.0.1', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(known.fingerprint).toBe(fingerprintOf('client'));
  },
);

test.each(['TLSv1.2', 'TLSv1.3'] as const)('client certificates that are required, %s: none but a good one is let in', async (version) => {
  await using bench = await secure({ settings: ({ clientCa }) => ({ tlsClientCa: clientCa, tlsClients: 'required' }) });
  const versions = { minVersion: version, maxVersion: version };
  await expect(ask(bench.port, '/health', versions)).rejects.toThrow();
  for (const name of clients.slice(1)) await expect(ask(bench.port, '/health', { ...readPair(name), ...versions }), name).rejects.toThrow();
  expect((await ask(bench.port, '/health', { ...readPair('client'), ...versions })).status).toBe(200);
  expect(events(bench, 'request')).toHaveLength(1);
  await until(() => events(bench, 'connection_refused').length === clients.length);
});

test('clients are not asked for a certificate where no authority is set', async () => {
  await using bench = await secure();
  expect(JSON.parse((await ask(bench.port, '/peer', readPair('client'))).body)).toEqual({ address: '127.0.0.1' });
});

test('a fingerprint ends with its certificate, also on a connection that goes on', async () => {
  await using bench = await secure({ settings: ({ clientCa }) => ({ tlsClientCa: clientCa }) });
  const seen: Peer[] = [];
  bench.app.server.on('secureConnection', (socket) => {
    for (const year of [2069, 2070, 2069]) seen.push(readPeer(socket, Date.UTC(year, 5)));
  });
  await ask(bench.port, '/health', readPair('client'));
  expect(seen.map(({ fingerprint }) => fingerprint !== undefined)).toEqual([true, false, true]);
});

test('a client that is trusted for the first certificate of a file is so for each', async () => {
  await using bench = await secure({
    settings: ({ clientCa }) => {
      writeFileSync(clientCa, `${readFixture('stranger.crt')}\n${ca}`);
      return { tlsClientCa: clientCa };
    },
  });
  for (const name of ['client', 'client-foreign'] as const) {
    expect(JSON.parse((await ask(bench.port, '/peer', readPair(name))).body)).toHaveProperty('fingerprint', fingerprintOf(name));
  }
});

test('an authority below another one is trusted with the root beside it, and refused without', async () => {
  const branch = readFixture('branch.crt');
  await using bench = await secure({
    settings: ({ clientCa }) => {
      writeFileSync(clientCa, branch + ca);
      return { tlsClientCa: clientCa };
    },
  });
  expect(JSON.parse((await ask(bench.port, '/peer', readPair('client-branch'))).body)).toHaveProperty('fingerprint', fingerprintOf('client-branch'));
  const { clientCa } = bench.files;
  writeFileSync(clientCa, branch);
  expect(openAt(bench.files, { tlsClientCa: clientCa })).toThrow(
    `The authority of client certificates ${clientCa} cannot be used: expected authorities up to the root, found number 1 without the one above it.`,
  );
});

test.each([
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['::FFFF:10.0.0.1', '10.0.0.1'],
  ['10.0.0.1', '10.0.0.1'],
  ['::1', '::1'],
  ['2001:DB8::ffff:10.0.0.1', '2001:db8::ffff:10.0.0.1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['', ''],
])('address %j is %j', (address, normalized) => {
  expect(normalizeAddress(address)).toBe(normalized);
});

interface Served {
  readonly world: FakeWorld;
  readonly url: string;
  readonly code: Promise<number>;
}

async function start(input: SettingsInput): Promise<Served> {
  const world = new FakeWorld();
  const listening = Promise.withResolvers<string>();
  const site = mkdtempSync(join(tmpdir(), 'inward-tls-site-'));
  rmSync(site, { recursive: true });
  const settings = parseSettings({ port: 0, site, ...input });
  const served = serve({ settings, isEvaluation: true, onListening: listening.resolve }, world);
  const code = served.finally(() => rmSync(site, { recursive: true, force: true }));
  code.catch(listening.reject);
  return { world, url: await listening.promise, code };
}

test('a served model: the URL says https, and half a handshake does not hold up the end', async () => {
  using files = createTlsFolder();
  const { world, url, code } = await start({ tlsCert: files.cert, tlsKey: files.key });
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(world.printed).toContain(`curl ${url}/v1/chat/completions`);
  const port = Number(new URL(url).port);
  const half = connectPlain(port, '127.0.0.1').on('error', () => undefined);
  await once(half, 'connect');
  // The server has accepted the first connection once it answers on a second one.
  expect((await ask(port, '/ready')).status).toBe(200);
  world.send('SIGTERM');
  expect(await code).toBe(0);
  half.destroy();
});

test('a pair that cannot be used is told before anything is loaded', async () => {
  using files = createTlsFolder();
  chmodSync(files.key, 0o644);
  const world = new FakeWorld();
  expect(await runCommand(['serve', '--port', '0', '--tls-cert', files.cert, '--tls-key', files.key], world)).toBe(1);
  expect(world.complained).toBe(`The private key ${files.key} cannot be used: expected one that only its owner may read, found mode 0644 (chmod 600).\n`);
  expect([world.opened, world.openedTexts]).toEqual([[], []]);
});

test.each(['0.0.0.0', '::', '0:0:0:0:0:0:0:1'])('serve refuses host %s without TLS, before anything is opened', async (host) => {
  const world = new FakeWorld();
  expect(await runCommand(['serve', '--host', host, '--port', '0'], world)).toBe(1);
  expect(world.complained).toBe(`The setting host is ${host}, which other machines reach: set tlsCert and tlsKey, or a loopback address (127.0.0.1, ::1).\n`);
  expect([world.opened, world.openedTexts]).toEqual([[], []]);
});

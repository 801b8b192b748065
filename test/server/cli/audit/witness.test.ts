/** `inward audit witness` as its administrator meets it. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { runCommand } from '../../../../server/cli/index.ts';
import { openWitness } from '../../../../server/privacy/audit/witness.ts';
import { FakeWorld } from '../../fake-world.ts';
import { codeOf, SmallLog } from '../../privacy/audit/witness/small-log.ts';
import { ca, createTlsFolder } from '../../tls-help.ts';

const top = mkdtempSync(join(tmpdir(), 'inward-audit-witness-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));
let world: FakeWorld;
beforeEach(() => {
  world = new FakeWorld();
  world.folder = mkdtempSync(join(top, 'x-'));
});

/** Starts it, waits for its URL, and ends it by a signal. */
async function during(args: readonly string[], work: (url: string) => Promise<void>): Promise<number> {
  const running = runCommand(['audit', 'witness', ...args], world);
  const find = (): string | undefined => /auditWitness (\S+)/.exec(world.printed)?.[1];
  while (find() === undefined && world.complained === '') await new Promise((resolve) => setTimeout(resolve, 5));
  try {
    await work(find() ?? '');
  } finally {
    world.signals.emit('SIGTERM');
  }
  return running;
}

test('keeps what logs send, says what it finds, and has the same key the next time', async () => {
  const log = new SmallLog();
  const open = (url: string) => openWitness(url, () => [new URL(url).host], { id: log.id, folder: top });
  const args = ['--listen', '127.0.0.1:0', '--out', 'checkpoints', '--key', log.key];
  const twin = log.fork();
  const first = log.grow(3);
  const code = await during(args, async (url) => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await using witness = await open(url);
    await witness.keep(first);
    log.rotate();
    await witness.keep(log.grow(2));
    await witness.keep(log.grow(2));
    expect(await codeOf((await open(url)).keep(twin.grow(5, 'another')))).toBe('rolled_back');
    expect(await codeOf((await open(url)).keep(twin.grow(5, 'another')))).toBe('forked');
    expect(await codeOf((await open(url)).keep(twin.at(10)))).toBe('forked');
    expect(await codeOf((await open(url)).keep(new SmallLog().grow(1)))).toBe('unknown_log');
  });
  expect([code, world.complained]).toEqual([0, '']);
  const path = join(world.folder, 'checkpoints');
  expect(readFileSync(path, 'utf8')).toContain(first.note);
  expect(readFileSync(path, 'utf8').match(/^inward-audit/gm)).toHaveLength(3);
  expect([path, `${path}.key`].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
  const lines = world.printed.split('\n').filter((line) => / log [0-9a-f]{32}, /.test(line));
  expect(lines.map((line) => line.replace(/^.*?, /, '').replace(/key [0-9a-f]{8}/, 'key X'))).toEqual([
    '5 records: kept; from here on it is signed by key X, which was not given',
    '5 records: REFUSED: more records are kept, so the log was set back to an older copy',
    '10 records: REFUSED: it does not go on from what is kept, so the log was changed or forked',
    '1 records: refused: no key of that log was given',
  ]);
  const key = /Its own key: (.*)/.exec(world.printed)?.[1];
  world.printed = '';
  await during(args, async () => undefined);
  expect(/Its own key: (.*)/.exec(world.printed)?.[1]).toBe(key);
});

/** Whoever reaches it can send ids of logs that nobody has. */
test('of logs that it was given no key of, it tells the first ones', async () => {
  const args = ['--listen', '127.0.0.1:0', '--out', 'checkpoints', '--key', new SmallLog().key];
  await during(args, async (url) => {
    for (let index = 0; index < 20; index++) {
      const log = new SmallLog();
      const witness = await openWitness(url, () => [new URL(url).host], { id: log.id, folder: top });
      for (const checkpoint of [log.grow(1), log.grow(1)]) expect(await codeOf(witness.keep(checkpoint))).toBe('unknown_log');
      await witness[Symbol.asyncDispose]();
    }
  });
  expect(world.printed.match(/refused: no key of that log was given$/gm)).toHaveLength(16);
});

test('speaks TLS', async () => {
  using tls = createTlsFolder();
  const key = new SmallLog().key;
  const code = await during(['--listen', '127.0.0.1:0', '--out', 'x', '--key', key, '--tls-cert', tls.cert, '--tls-key', tls.key], async (url) => {
    const status = await new Promise((resolve, reject) => {
      https.get(`${url}/add-checkpoint`, { ca }, (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
    expect(status).toBe(405);
  });
  expect([code, world.complained]).toEqual([0, '']);
});

const key = new SmallLog().key;
test.each([
  [['--listen', '10.1.2.3:8089'], 2, /Other machines reach 10\.1\.2\.3: set --tls-cert and --tls-key/],
  [['--listen', '127.0.0.1:0', '--tls-cert', 'a'], 2, /go together/],
  [['--listen', 'witness.example.org:8089'], 2, /Expected an IP address and a port/],
  [['--listen', '127.0.0.1'], 2, /Expected an IP address and a port/],
  [['--listen', '127.0.0.1:0', '--key', `${key}x`], 2, /Expected a key of an audit log/],
  [['--listen', '127.0.0.1:0', '--out', '/dev/full'], 1, /expected a regular file/],
])('refuses %j', async (args, code, sentence) => {
  expect(await runCommand(['audit', 'witness', '--out', 'checkpoints', '--key', key, ...args], world)).toBe(code);
  expect(world.complained).toMatch(sentence);
});

test('refuses a key file that others may read or that holds something else', async () => {
  const path = join(world.folder, 'checkpoints.key');
  const args = ['audit', 'witness', '--listen', '127.0.0.1:0', '--out', 'checkpoints', '--key', key];
  writeFileSync(path, `${'0'.repeat(64)}\n`, { mode: 0o644 });
  expect(await runCommand(args, world)).toBe(1);
  expect(world.complained).toMatch(/can be used by others \(mode 0644\)/);
  rmSync(path);
  writeFileSync(path, 'something\n', { mode: 0o600 });
  expect(await runCommand(args, world)).toBe(1);
  expect(world.complained).toMatch(/expected 64 hexadecimal digits, found something else/);
});

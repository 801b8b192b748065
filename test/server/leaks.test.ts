/** What a server refuses to be started with: each flag and variable at a real process, and a signal that would open a debugger. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refuseLeaks } from '../../server/leaks.ts';
import { until } from './help.ts';

const command = join(import.meta.dirname, '../../bin/inward.mjs');
const fake = join(import.meta.dirname, 'serve-fake.ts');
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'inward-leaks-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:NODE_(?!EXTRA)|LD_(?:PRELOAD|AUDIT))/.test(name)));

const plain = { nodeFlags: [], environment: {}, isInspected: false };

interface Ended {
  readonly code: number | null;
  readonly err: string;
}

function start(args: readonly string[], environment: Record<string, string>, script: string = command): Promise<Ended> {
  const child = spawn(process.execPath, [...args, script, 'evaluate', '--port', '0', '--site', join(folder, 'site')], {
    cwd: folder,
    env: { ...clean, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, err })));
}

describe.concurrent('a real start ends with exit code 1 and one sentence', () => {
  test.each([
    '--inspect=127.0.0.1:0',
    '--inspect-port=127.0.0.1:0',
    '--heapsnapshot-signal=SIGUSR2',
    '--heapsnapshot-near-heap-limit=2',
    '--heap-prof',
    '--cpu-prof',
    '--report-on-signal',
    '--report-on-fatalerror',
    '--report-uncaught-exception',
    '--abort-on-uncaught-exception',
    '--diagnostic-dir=.',
    '--trace-event-categories=node',
    '--tls-keylog=keys',
  ])(
    '%s',
    async (flag) => {
      const name = flag.split('=')[0] as string;
      const onLine = await start([flag], {});
      expect(onLine).toMatchObject({ code: 1, err: expect.stringContaining(`The flag ${name} of Node on the command line `) });
      const inOptions = await start([], { NODE_OPTIONS: flag });
      // Some are refused there by Node itself, with code 9.
      if (inOptions.code === 9) expect(inOptions.err).toContain('is not allowed in NODE_OPTIONS');
      else expect(inOptions).toMatchObject({ code: 1, err: expect.stringContaining(`The flag ${name} of Node in NODE_OPTIONS `) });
    },
    120_000,
  );

  test.each([
    ['NODE_V8_COVERAGE', 'coverage'],
    ['NODE_DEBUG', 'http'],
    ['LD_AUDIT', '/nowhere.so'],
    ['LD_PRELOAD', '/nowhere.so'],
  ])(
    '%s',
    async (name, value) => {
      expect(await start([], { [name]: value })).toMatchObject({ code: 1, err: expect.stringContaining(`The variable ${name} is set, which `) });
    },
    60_000,
  );
});

test('what changes nothing of where content goes may be there', () => {
  const environment = { NODE_OPTIONS: '--max-old-space-size=4096 --use-openssl-ca --disable-warning="a b"', NODE_DEBUG: '', NODE_EXTRA_CA_CERTS: '/ca.pem' };
  expect(() => refuseLeaks({ ...plain, environment, nodeFlags: ['--disable-sigusr1', '--max_old_space_size=100'] })).not.toThrow();
});

test.each([
  ['--inspect_brk', /^The flag --inspect-brk of Node in NODE_OPTIONS opens a debugger/],
  ['"--require" "/a b/c.cjs"', /^The flag --require of Node in NODE_OPTIONS brings in code/],
  ['--max-old-space-size=10 --import=data:text/javascript,1', /^The flag --import of Node/],
  ['--max-old-space-size-x=10', /^The flag --max-old-space-size-x of Node in NODE_OPTIONS is not among those/],
  ['--unknown', /is not among those that a server may have/],
  ['secret', /^There is a value without a flag/],
])('NODE_OPTIONS %s', (options, sentence) => {
  expect(() => refuseLeaks({ ...plain, environment: { NODE_OPTIONS: options } })).toThrow(sentence);
});

test('an open debugger', () => {
  expect(() => refuseLeaks({ ...plain, isInspected: true })).toThrow(/^A debugger of Node is open/);
});

test('no value of a flag is repeated', () => {
  expect(() => refuseLeaks({ ...plain, nodeFlags: ['--inspect=marker-1'] })).toThrow(/^(?!.*marker-1)/);
  expect(() => refuseLeaks({ ...plain, environment: { NODE_OPTIONS: 'marker-1' } })).toThrow(/^(?!.*marker-1)/);
});

test('a real SIGUSR1 opens no debugger', async (context) => {
  if (process.platform !== 'linux') return context.skip('which sockets a process listens on is read from /proc');
  const child = spawn(process.execPath, [fake, 'evaluate', '--port', '0', '--site', join(folder, 'signal')], { env: clean, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  await until(() => /curl http/.test(out), 30_000);
  expect(countListeners(child.pid)).toBe(1);
  for (let count = 0; count < 3; count++) {
    child.kill('SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(countListeners(child.pid)).toBe(1);
  expect(err).not.toContain('Debugger');
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
}, 60_000);

/** Sockets of TCP on which a process listens. */
function countListeners(pid: number | undefined): number {
  const listening = new Set(
    ['tcp', 'tcp6'].flatMap((name) =>
      readFileSync(`/proc/${pid}/net/${name}`, 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        // 0A: TCP_LISTEN.
        .flatMap(([, , , state, , , , , , inode]) => (state === '0A' ? [`socket:[${inode}]`] : [])),
    ),
  );
  const handles = readdirSync(`/proc/${pid}/fd`).map((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return '';
    }
  });
  return handles.filter((target) => listening.has(target)).length;
}

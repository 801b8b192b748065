/** The witness that is a program: what it gets, and how it ends when it fails, hangs or leaves children behind. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { CommandWitness } from '../../../../../server/privacy/audit/witness/command.ts';
import { openWitness } from '../../../../../server/privacy/audit/witness.ts';
import { codeOf, SmallLog } from './small-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-witness-command-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function script(text: string, mode = 0o755): string {
  const path = join(folder, `program-${count++}`);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, mode);
  return path;
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** Waits until a file has a whole line. */
async function readLine(path: string): Promise<string> {
  while (!existsSync(path) || !readFileSync(path, 'utf8').endsWith('\n')) await sleep(5);
  return readFileSync(path, 'utf8').trim();
}

async function waitForEnd(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(5);
}

test('gets the note on its input, no arguments, and no environment but a fixed PATH', async () => {
  const out = join(folder, 'kept');
  const log = new SmallLog();
  process.env['INWARD_TEST_MARKER'] = 'a secret of the environment';
  await using witness = await openWitness(
    `command:${script(`cat > ${out}; cat /proc/self/environ | tr '\\0' '\\n' > ${out}.env; echo $# > ${out}.args`)}`,
    () => [],
    {
      id: log.id,
      folder,
    },
  );
  const checkpoint = log.grow(3);
  await witness.keep(checkpoint);
  delete process.env['INWARD_TEST_MARKER'];
  expect(readFileSync(out, 'utf8')).toBe(checkpoint.note);
  const names = readFileSync(`${out}.env`, 'utf8')
    .split('\n')
    .map((line) => line.split('=')[0]);
  // What a shell adds by itself.
  expect(names.filter((name) => !['', 'PWD', 'OLDPWD', 'SHLVL', '_'].includes(name ?? ''))).toEqual(['PATH']);
  expect(readFileSync(`${out}.args`, 'utf8')).toBe('0\n');
  expect(witness.lastSeen()).toBeUndefined();
});

test('any end but 0 is a failure; one that reads nothing is none', async () => {
  const checkpoint = new SmallLog().grow(1);
  await new CommandWitness(script('exit 0')).keep(checkpoint);
  expect(await codeOf(new CommandWitness(script('exit 3')).keep(checkpoint))).toBe('command_failed');
  expect(await codeOf(new CommandWitness(script('kill -9 $$')).keep(checkpoint))).toBe('command_failed');
  const gone = script('exit 0');
  const witness = new CommandWitness(gone);
  rmSync(gone);
  expect(await codeOf(witness.keep(checkpoint))).toBe('command_failed');
});

test('one that hangs ends with its children', async () => {
  const pids = join(folder, 'hanging');
  const witness = new CommandWitness(script(`sleep 1000 & echo $$ $! > ${pids}; wait`), 500);
  expect(await codeOf(witness.keep(new SmallLog().grow(1)))).toBe('timeout');
  const [own = 0, child = 0] = (await readLine(pids)).split(' ').map(Number);
  await waitForEnd(own);
  await waitForEnd(child);
});

test('what it leaves behind ends too, and is not waited for', async () => {
  const pids = join(folder, 'forking');
  await new CommandWitness(script(`sleep 1000 & echo $! > ${pids}; exit 0`)).keep(new SmallLog().grow(1));
  await waitForEnd(Number(await readLine(pids)));
});

test('closing it ends what runs', async () => {
  const pids = join(folder, 'closing');
  const witness = new CommandWitness(script(`echo $$ > ${pids}; sleep 1000`));
  const kept = codeOf(witness.keep(new SmallLog().grow(1)));
  const pid = Number(await readLine(pids));
  await witness[Symbol.asyncDispose]();
  expect(await kept).toBe('closed');
  await waitForEnd(pid);
  expect(await codeOf(witness.keep(new SmallLog().grow(1)))).toBe('closed');
});

test('refuses what cannot be run, and what others may change', () => {
  expect(() => new CommandWitness(join(folder, 'none'))).toThrow(/found none \(ENOENT\)/);
  expect(() => new CommandWitness(script('exit 0', 0o644))).toThrow(/found none \(EACCES\)/);
  expect(() => new CommandWitness(script('exit 0', 0o777))).toThrow(/found mode 0777 \(chmod go-w\)/);
  expect(() => new CommandWitness(folder)).toThrow(/found something that is no file/);
});

/** One process at a time: locks that appear whole, that outlive nobody, and that only their holder takes away. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { holdLock } from '../../../../server/cli/model/lock.ts';

/** Nobody has the highest number. */
const gone = 4194305;

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-lock-'));
  path = join(folder, '.tiny.lock');
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

test('is held once, says by whom, and leaves nothing', () => {
  const lock = holdLock(path, 'tiny');
  expect(readFileSync(path, 'latin1')).toBe(`${process.pid}\n`);
  expect(() => holdLock(path, 'tiny')).toThrow(`The model tiny is being imported: expected no other import of it, found process ${process.pid};`);
  expect(readdirSync(folder)).toEqual(['.tiny.lock']);
  lock[Symbol.dispose]();
  expect(readdirSync(folder)).toEqual([]);
});

test.each([`${gone}\n`, '', 'x'])('the lock %j of nobody is taken over', (content) => {
  writeFileSync(path, content);
  using _ = holdLock(path, 'tiny');
  expect(readFileSync(path, 'latin1')).toBe(`${process.pid}\n`);
  expect(readdirSync(folder)).toEqual(['.tiny.lock']);
});

test('of two that find the lock of nobody, one takes it', () => {
  writeFileSync(path, `${gone}\n`);
  const other = `${process.ppid}\n`;
  vi.spyOn(process, 'kill').mockImplementation((pid) => {
    if (pid !== gone) return true;
    // The other is faster.
    rmSync(path);
    writeFileSync(path, other);
    throw Object.assign(new Error('no such process'), { code: 'ESRCH' });
  });
  expect(() => holdLock(path, 'tiny')).toThrow(`found process ${process.ppid};`);
  expect(readFileSync(path, 'latin1')).toBe(other);
  expect(readdirSync(folder)).toEqual(['.tiny.lock']);
});

test('the lock of somebody else stays', () => {
  const lock = holdLock(path, 'tiny');
  writeFileSync(path, `${process.ppid}\n`);
  lock[Symbol.dispose]();
  expect(existsSync(path)).toBe(true);
});

test('a folder that is not there', () => {
  expect(() => holdLock(join(folder, 'none', '.tiny.lock'), 'tiny')).toThrow('cannot be written (ENOENT): expected a folder that this user may write.');
});

test('nobody sees half a lock', async () => {
  const source = new URL('../../../../server/cli/model/lock.ts', import.meta.url).href;
  const code = `const { holdLock } = await import(${JSON.stringify(source)});
    for (let count = 0; count < 3000; count++) holdLock(${JSON.stringify(path)}, 'tiny')[Symbol.dispose]();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  const end = once(child, 'exit');
  const seen = new Set<string>();
  while (child.exitCode === null) {
    for (let count = 0; count < 200; count++) {
      try {
        seen.add(readFileSync(path, 'latin1'));
      } catch {
        // It is not held now.
      }
    }
    await turn();
  }
  expect(await end).toEqual([0, null]);
  expect([...seen]).toEqual([`${child.pid}\n`]);
});

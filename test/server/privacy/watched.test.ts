/** Files that decide who is trusted: what may be read, and when a change is told. */
import { execFile } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FileError, type FileFlaw, readGuardedFile, stampFiles, watchFiles } from '../../../server/privacy/watched.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-files-'));
  path = join(folder, 'file');
  writeFileSync(path, 'content', { mode: 0o600 });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const rules = { what: 'The file', limit: 7 };
const expectRefused = (file: string, flaw: FileFlaw, reason: string, isSecret = false): void => {
  const read = (): unknown => readGuardedFile(file, { ...rules, isSecret });
  expect(read).toThrow(FileError);
  expect(read).toThrow(expect.objectContaining({ flaw, message: `The file ${file} cannot be used: ${reason}.` }));
};

test('a file that keeps the rules is read, also through a link', () => {
  const link = join(folder, 'link');
  symlinkSync('file', link);
  for (const name of [path, link]) expect(String(readGuardedFile(name, { ...rules, isSecret: true }))).toBe('content');
  chmodSync(path, 0o444);
  expect(String(readGuardedFile(path, rules))).toBe('content');
});

test.each([
  [0o604, true, 'expected one that only its owner may read, found mode 0604 (chmod 600)'],
  [0o640, true, 'expected one that only its owner may read, found mode 0640 (chmod 600)'],
  [0o610, true, 'expected one that only its owner may read, found mode 0610 (chmod 600)'],
  [0o620, false, 'expected one that only its owner may change, found mode 0620 (chmod go-w)'],
  [0o602, false, 'expected one that only its owner may change, found mode 0602 (chmod go-w)'],
])('mode %o is refused (secret: %s)', (mode, isSecret, reason) => {
  chmodSync(path, mode);
  expectRefused(path, 'access', reason, isSecret);
});

test('a file of another user is refused', (context) => {
  if (process.geteuid?.() !== 0) context.skip('only root can give files away');
  chownSync(path, 12_345, 0);
  expectRefused(path, 'access', 'expected one that belongs to the user of this process or to root, found that it belongs to another (chown)');
  expectRefused(path, 'access', 'expected one that belongs to the user of this process, found that it belongs to another (chown)', true);
});

test('what is too large is refused, and so is what says to be empty and is not', () => {
  appendFileSync(path, '!');
  expectRefused(path, 'size', 'expected at most 7 bytes, found more');
  expectRefused('/proc/self/status', 'size', 'expected at most 7 bytes, found more');
});

test('what is no file is refused, and a pipe is not waited for', async () => {
  expectRefused(folder, 'unreadable', 'expected a file, found a folder');
  expectRefused('/dev/zero', 'unreadable', 'expected a file, found something else');
  const pipe = join(folder, 'pipe');
  await promisify(execFile)('mkfifo', [pipe]);
  expectRefused(pipe, 'unreadable', 'expected a file, found something else');
  expectRefused(join(folder, 'none'), 'unreadable', 'expected a readable file, found nothing');
  expectRefused(join(path, 'none'), 'unreadable', 'expected a readable file, found one that this user may not read');
});

function watch(paths: readonly string[]): { calls: () => number; look: () => void } {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const onChange = vi.fn();
  watchFiles(paths, stampFiles(paths), onChange, 100);
  return { calls: () => onChange.mock.calls.length, look: () => vi.advanceTimersByTime(100) };
}

test.each<[string, () => void]>([
  ['is written', () => writeFileSync(path, 'another')],
  [
    'is written with as many bytes, and the old time put back',
    () => {
      writeFileSync(path, 'CONTENT');
      utimesSync(path, 0, 0);
    },
  ],
  [
    'is replaced',
    () => {
      writeFileSync(`${path}2`, 'content');
      renameSync(`${path}2`, path);
    },
  ],
  ['gets another mode', () => chmodSync(path, 0o644)],
  ['is removed', () => rmSync(path)],
])('a change is told once, when it stands still: the file %s', (_, change) => {
  utimesSync(path, 0, 0);
  const other = join(folder, 'other');
  writeFileSync(other, 'x');
  const { calls, look } = watch([other, path]);
  look();
  look();
  expect(calls()).toBe(0);
  change();
  look();
  expect(calls()).toBe(0);
  writeFileSync(other, 'the second of two files');
  look();
  expect(calls()).toBe(0);
  look();
  expect(calls()).toBe(1);
  look();
  look();
  expect(calls()).toBe(1);
});

test('a change between the stamp and the first look is told too, and none after the end', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const stamp = stampFiles([path]);
  writeFileSync(path, 'another');
  const onChange = vi.fn();
  const watch = watchFiles([path], stamp, onChange, 100);
  vi.advanceTimersByTime(200);
  expect(onChange).toHaveBeenCalledTimes(1);
  watch[Symbol.dispose]();
  writeFileSync(path, 'later');
  vi.advanceTimersByTime(1000);
  expect(onChange).toHaveBeenCalledTimes(1);
});

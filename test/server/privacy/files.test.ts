/** Files with secrets and records, on a real disk. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SiteError } from '../../../server/privacy/errors.ts';
import { readSecretFile, readSmallFile, replaceFile, writeNewFile } from '../../../server/privacy/files.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function place(text = 'secret', mode = 0o600): string {
  const path = join(folder, `file-${count++}`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(SiteError);
    return (error as SiteError).message;
  }
  throw new Error('nothing was refused');
}

test('a secret that only its owner can read', () => {
  expect(readSecretFile(place(), 100).toString()).toBe('secret');
  expect(readSecretFile(place('secret', 0o400), 6).toString()).toBe('secret');
});

test.each([0o640, 0o604, 0o660, 0o610, 0o601, 0o602, 0o644, 0o777])('a secret of mode %o is refused, and the sentence says what to do', (mode) => {
  const path = place('secret', mode);
  const sentence = refusal(() => readSecretFile(path, 100));
  expect(sentence).toContain(`mode 0${mode.toString(8)}`);
  expect(sentence).toContain(`chmod 600 ${path}`);
  expect(sentence).not.toContain('secret');
});

test('what is no secret may be read by all', () => {
  expect(readSmallFile(place('open', 0o644), 100).toString()).toBe('open');
});

test('a secret of somebody else is refused', ({ skip }) => {
  if (process.getuid?.() !== 0) return skip('only root can give a file away');
  const path = place();
  chownSync(path, 12345, 12345);
  expect(refusal(() => readSecretFile(path, 100))).toContain('another owner');
});

test('a link is judged by what it leads to', () => {
  const [good, bad] = [join(folder, 'good-link'), join(folder, 'bad-link')];
  symlinkSync(place(), good);
  symlinkSync(place('secret', 0o644), bad);
  expect(readSecretFile(good, 100).toString()).toBe('secret');
  expect(refusal(() => readSecretFile(bad, 100))).toContain('0644');
});

test('limits: at the edge and above it', () => {
  const path = place('12345');
  expect(readSmallFile(path, 5)).toHaveLength(5);
  expect(refusal(() => readSmallFile(path, 4))).toContain('at most 4 bytes, found 5');
  expect(readSmallFile(place(''), 5)).toHaveLength(0);
});

test('a file that says it is empty and is not', ({ skip }) => {
  if (process.platform !== 'linux') return skip('there is no /proc here');
  expect(statSync('/proc/self/status').size).toBe(0);
  expect(refusal(() => readSmallFile('/proc/self/status', 10))).toContain('found more');
});

test('what is no file is refused: nothing, a folder, a pipe that nobody writes to', () => {
  const pipe = join(folder, 'pipe');
  execFileSync('sh', ['-c', 'mkfifo -m 600 "$0"', pipe]);
  for (const read of [readSmallFile, readSecretFile]) {
    expect(refusal(() => read(join(folder, 'nowhere'), 10))).toContain('found nothing');
    expect(refusal(() => read(folder, 10))).toContain('found a folder');
    expect(refusal(() => read(pipe, 10))).toContain('found something else');
  }
});

test('a new file has its mode and takes the place of nothing', () => {
  const path = join(folder, 'new');
  writeNewFile(path, 'first', 0o600);
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['first', 0o600]);
  expect(refusal(() => writeNewFile(path, 'second', 0o600))).toContain('is not overwritten');
  expect(readFileSync(path, 'utf8')).toBe('first');
  const link = join(folder, 'dangling');
  symlinkSync(join(folder, 'elsewhere'), link);
  expect(refusal(() => writeNewFile(link, 'second', 0o600))).toContain('is not overwritten');
  expect(readdirSync(folder)).not.toContain('elsewhere');
  expect(refusal(() => writeNewFile(join(folder, 'no', 'folder'), 'text', 0o600))).toContain('ENOENT');
});

test('a replaced file keeps its mode, and its name if that is a link', () => {
  const inner = join(folder, 'inner');
  mkdirSync(inner);
  const [path, link] = [join(inner, 'record'), join(inner, 'link')];
  writeFileSync(path, 'a longer first text');
  chmodSync(path, 0o664);
  symlinkSync(path, link);
  replaceFile(link, 'second');
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['second', 0o664]);
  // The link still leads there, and no draft is left.
  replaceFile(path, 'third');
  expect(readFileSync(link, 'utf8')).toBe('third');
  expect(readdirSync(inner).sort()).toEqual(['link', 'record']);
});

test('what cannot be replaced stays, without a draft beside it', () => {
  expect(refusal(() => replaceFile(join(folder, 'nowhere'), 'text'))).toContain('ENOENT');
  const inner = join(folder, 'a-folder', 'inside');
  mkdirSync(inner, { recursive: true });
  refusal(() => replaceFile(inner, 'text'));
  expect(readdirSync(join(folder, 'a-folder'))).toEqual(['inside']);
});

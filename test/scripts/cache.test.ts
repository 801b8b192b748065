import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startProgress } from '../../scripts/progress.mjs';
import { installAtomically, installUnlessJustFailed } from '../../scripts/setup/cache.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function fill(workFolder: string, text: string): Promise<string> {
  const made = join(workFolder, 'made');
  mkdirSync(made);
  writeFileSync(join(made, 'file'), text);
  return made;
}

test('what is installed has its name only when it is whole, and no work folder stays', async () => {
  const path = join(folder, 'deep', 'thing');
  await installAtomically(path, async (workFolder) => {
    expect(existsSync(path)).toBe(false);
    return fill(workFolder, 'one');
  });
  expect(readFileSync(join(path, 'file'), 'utf8')).toBe('one');
  expect(readdirSync(join(folder, 'deep'))).toEqual(['thing']);
});

test('what is there is left alone', async () => {
  const path = join(folder, 'thing');
  await installAtomically(path, (workFolder) => fill(workFolder, 'one'));
  await installAtomically(path, () => Promise.reject(new Error('must not be called')));
  expect(readFileSync(join(path, 'file'), 'utf8')).toBe('one');
});

test('what failed is not tried again for an hour; the reason is kept, and success forgets it', async () => {
  const path = join(folder, 'thing');
  let calls = 0;
  const fails = (): Promise<void> => {
    calls++;
    return Promise.reject(new Error('no mirror'));
  };
  await expect(installUnlessJustFailed(path, fails)).rejects.toThrow(/^no mirror$/);
  await expect(installUnlessJustFailed(path, fails)).rejects.toThrow(/^no mirror \(tried again after an hour/);
  expect(calls).toBe(1);
  const past = Date.now() / 1000 - 3601;
  utimesSync(`${path}.failed`, past, past);
  await installUnlessJustFailed(path, async () => void mkdirSync(path));
  expect(readdirSync(folder)).toEqual(['thing']);
});

test('an installation that fails leaves nothing', async () => {
  await expect(installAtomically(join(folder, 'thing'), () => Promise.reject(new Error('no network')))).rejects.toThrow('no network');
  expect(readdirSync(folder)).toEqual([]);
});

test('another set-up that was faster wins, and the slower one is content', async () => {
  const path = join(folder, 'thing');
  await installAtomically(path, async (workFolder) => {
    await fill(folder, 'faster')
      .then(() => import('node:fs'))
      .then((fs) => fs.renameSync(join(folder, 'made'), path));
    return fill(workFolder, 'slower');
  });
  expect(readFileSync(join(path, 'file'), 'utf8')).toBe('faster');
  expect(readdirSync(folder)).toEqual(['thing']);
});

test('the work folder of a process that is gone is removed, that of a living one stays', async () => {
  const gone = join(folder, 'thing.4194305.tmp'); // above the largest process id that Linux gives
  const alive = join(folder, 'thing.1.tmp');
  mkdirSync(gone);
  mkdirSync(alive);
  await installAtomically(join(folder, 'thing'), (workFolder) => fill(workFolder, 'one'));
  expect(readdirSync(folder).sort()).toEqual(['thing', 'thing.1.tmp']);
});

test('progress: plain lines without a terminal, one line that changes with one', () => {
  const record = (isTTY: boolean): string => {
    let text = '';
    const progress = startProgress('Job', { isTTY, write: (part: string) => (text += part) });
    for (const fraction of [0, 0.1, 0.3, 0.31, 0.8, 7]) progress.update(fraction);
    progress.end('done');
    return text;
  };
  expect(record(false)).toBe('Job ...\n  25 %\n  75 %\nJob: done (0 s)\n');
  expect(record(true)).toMatch(/^\rJob \[-{30}\] 0 %\r[^\n]*\rJob \[#{30}\] 100 %\r.*Job: done \(0 s\)\n$/);
});

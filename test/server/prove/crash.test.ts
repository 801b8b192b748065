/** The copy that is to crash, by a program that never gets as far. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseSettings } from '../../../server/config.ts';
import { Child } from '../../../server/prove/child.ts';
import { crashCopy } from '../../../server/prove/crash.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-crash-'));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/inward.mjs'), 'setInterval(() => undefined, 1000);');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const options = () => ({ program: folder, settings: parseSettings({}), environment: process.env, folder: join(folder, 'copy') });

test('whoever ends the proof waits for no copy', { timeout: 20_000 }, async ({ skip }) => {
  skip(process.platform !== 'linux', 'processes are found in /proc');
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 300);
  expect(await crashCopy({ ...options(), signal: abort.signal })).toMatchObject({ crashed: [], files: [] });
});

test('none is started for a proof that was ended before', () => {
  expect(() => new Child({ ...options(), signal: AbortSignal.abort() })).toThrow(/aborted/);
});

/** What was searched, what is gone, and what could not be read. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { judgeTexts } from '../../../../server/prove/checks/texts.ts';
import { Markers } from '../../../../server/prove/markers.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-texts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const markers = new Markers();
const file = (name: string): { name: string; path: string } => ({ name, path: join(folder, name) });

writeFileSync(join(folder, 'clean'), 'abc');
writeFileSync(join(folder, 'dirty'), Buffer.from(markers.next(), 'utf16le'));
// Nobody reads it: not even root opens a link that leads to itself.
symlinkSync('closed', join(folder, 'closed'));

test('files that are gone do not count as searched', () => {
  expect(judgeTexts('traces', [file('clean'), file('gone')], markers)).toMatchObject({
    result: 'passed',
    told: expect.stringContaining('3 bytes were searched (1 files)'),
  });
});

test('one that cannot be read leaves it unproven, and does not hide a marker in another one', () => {
  expect(judgeTexts('traces', [file('clean'), file('closed')], markers)).toMatchObject({
    result: 'not proven',
    told: '1 files could not be read; 1 were searched.',
  });
  expect(judgeTexts('traces', [file('dirty'), file('closed')], markers)).toMatchObject({ result: 'failed', places: [{ where: 'dirty', count: 1 }] });
  // Opened, and cannot be read.
  expect(judgeTexts('traces', [file('clean'), file('.')], markers).result).toBe('not proven');
});

test('a marker in a name counts, and is not told', () => {
  const [finding] = [judgeTexts('traces', [{ name: `x-${markers.next()}`, path: join(folder, 'clean') }], markers)];
  expect(finding).toMatchObject({ result: 'failed', places: [{ where: 'x-(marker)', count: 1 }] });
});

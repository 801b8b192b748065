/** Records for people and programs: filters, pages, several logs. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pair, SampleLog, startTime, uuid } from '../../privacy/audit/sample-log.ts';
import { TestSite } from '../../site-folder.ts';
import { AuditSite } from './audit-site.ts';

let made: AuditSite;
beforeAll(async () => {
  made = await AuditSite.create();
});
afterAll(() => made[Symbol.dispose]());

/** Numbers of the records that are shown. */
async function show(...args: readonly string[]): Promise<number[]> {
  const printed = await made.site.do('ada', 'audit', 'show', '--json', ...args);
  return printed.split('\n').flatMap((line) => (line === '' ? [] : [Number(JSON.parse(line).seq)]));
}

test('a line a record: when, what happened, who, and every field', async () => {
  const lines = (await made.site.do('carl', 'audit', 'show')).split('\n');
  expect(lines[0]).toMatch(/^record +time +event +who +what$/);
  expect(lines).toHaveLength(11);
  expect(lines[2]).toMatch(
    new RegExp(
      `^1 +2026-11-23T08:01:00\\.000Z +intent +k123456789 +request=${uuid(1)} route=/v1/chat/completions address=10\\.1\\.2\\.3 tenant=main purpose=documentation`,
    ),
  );
  expect(lines[8]).toMatch(/^7 +2026-11-24T08:03:00\.000Z +person_revoked +anna +person=m\.jones at=2026-11-24T08:02:55\.000Z$/);
  expect(lines[9]).toMatch(/^8 +2026-11-24T08:04:00\.000Z +gate_closed +-$/);
});

test('--json prints the records as they stand in the log', async () => {
  expect(await made.site.do('ada', 'audit', 'show', '--json')).toBe(`${made.log.texts.join('\n')}\n`);
});

test.each([
  [
    ['--event', 'intent'],
    [1, 4],
  ],
  [
    ['--key', 'k987654321'],
    [4, 6],
  ],
  [['--tenant', 'main'], [1]],
  [['--person', 'anna'], [7]],
  [['--person', 'm.jones'], [7]],
  [
    ['--request', uuid(2)],
    [4, 5],
  ],
  [['--correlation', uuid(2)], []],
  [['--key', 'k987654321', '--event', 'denied'], [6]],
  [
    ['--from', '2026-11-24'],
    [4, 5, 6, 7, 8],
  ],
  [
    ['--from', '2026-11-23T08:02Z', '--to', '2026-11-24T08:01Z'],
    [2, 3, 4],
  ],
  [
    ['--limit', '3'],
    [6, 7, 8],
  ],
  [
    ['--limit', '3', '--page', '2'],
    [3, 4, 5],
  ],
  [['--limit', '3', '--page', '4'], []],
  [
    ['--limit', '2', '--before', '4'],
    [2, 3],
  ],
  [['--event', 'intent', '--limit', '1', '--page', '2'], [1]],
])('%j', async (args, expected) => expect(await show(...args)).toEqual(expected));

test('the way to the older ones is told, and none where there are none', async () => {
  expect(await made.site.do('ada', 'audit', 'show', '--limit', '3')).toMatch(/\nThere are more: --before 6\n$/);
  expect(await made.site.do('ada', 'audit', 'show', '--limit', '9')).not.toMatch(/more/);
  expect(await made.site.do('ada', 'audit', 'show', '--event', 'gap')).toBe('No record fits.\n');
});

test('several logs, by their time', async () => {
  using own = made.copy();
  const { site } = own;
  const second = new SampleLog(join(site.folder, 'audit', '2'), 'second');
  second.time = startTime + 90_000;
  second.commit(...pair(9));
  const lines = (await site.do('ada', 'audit', 'show', '--to', '2026-11-24', '--limit', '5')).split('\n');
  expect(lines[0]).toMatch(/^log +record +time/);
  expect(lines.slice(1, 6).map((line) => line.split(/ +/).slice(0, 2).join(' '))).toEqual(['1 1', '2 1', '1 2', '2 2', '1 3']);
  expect(lines[6]).toBe('There are more: --page 2');
  expect(await site.do('ada', 'audit', 'show', '--json', '--log', '2')).toBe(`${second.texts.join('\n')}\n`);
  expect((await site.run('ada', 'audit', 'show', '--before', '3')).complained).toMatch(
    /^--before is a number of one log, and the site has several logs: name one with --log \(1, 2\)\.$/m,
  );
  expect((await site.run('ada', 'audit', 'show', '--log', '3')).complained).toBe('The site has no audit log 3: expected one of 1, 2.\n');
});

test('refused: an admin, and a site without a log', async () => {
  expect((await made.site.run('anna', 'audit', 'show')).complained).toMatch(/^anna may not do this: it needs audit\.read, which/);
  using empty = await TestSite.create();
  rmSync(join(empty.folder, 'audit'), { recursive: true, force: true });
  expect((await empty.run('carl', 'audit', 'show')).complained).toMatch(/has no audit log yet: a server begins one when it starts\.$/m);
});

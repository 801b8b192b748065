/** The rules of records, checkpoints, events and purges, each broken alone: with right checks, and where it can be with right signatures. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AuditEvent } from '../../../../server/privacy/audit/events.ts';
import { openFolder, verifyLog } from '../../../../server/privacy/audit/verify.mjs';
import { listFrames, places, readFixture, readLog, reframe, toFrame, verify } from './logs.ts';
import { pair, SampleLog, startTime } from './sample-log.ts';

const logs = { plain: readLog('plain') };
const second = '00000002.log';

// Each with a right check, so that only the rule of the record itself can find it.
test.each([
  ['blanks', (text: string) => text.replace(':', ': '), 'record'],
  ['keys in another order', (text: string) => text.replace(/^\{(.*?),(.*)\}$/, '{$2,$1}'), 'record'],
  ['a key twice', (text: string) => text.replace('{', '{"address":"a",'), 'record'],
  ['an escape that is not needed', (text: string) => text.replace('batch', '\\u0062atch'), 'record'],
  ['half a character', (text: string) => text.replace('batch', '\\ud800'), 'record'],
  ['a fraction', (text: string) => text.replace('"seq":12', '"seq":12.5'), 'record'],
  ['a fraction that is whole', (text: string) => text.replace('"seq":12', '"seq":12.0'), 'record'],
  ['a list', (text: string) => text.replace('"batch"', '["batch"]'), 'record'],
  ['null', (text: string) => text.replace('"batch"', 'null'), 'record'],
  ['another number', (text: string) => text.replace('"seq":12', '"seq":9007199254740991'), 'seq'],
  ['no event', (text: string) => text.replace('"event"', '"evens"'), 'record'],
  ['a time that is none', (text: string) => text.replace(/"time":\d+/, '"time":"2026-03-02"'), 'record'],
  ['a time that goes back', (text: string) => text.replace(/"time":\d+/, '"time":1772000000000'), 'time'],
  ['a request that is no UUID', (text: string) => text.replace(/"request":"./, '"request":"g'), 'record'],
  ['a second first record', (text: string) => text.replace('"intent"', '"log_created"'), 'order'],
  ['a rotation in the middle', (text: string) => text.replace('"intent"', '"log_rotated"'), 'rotation'],
  ['an outcome without an intent', (text: string) => text.replace('"intent"', '"outcome"'), 'pair'],
])('a record with %s is refused for that', async (_, edit, code) => {
  const [, , frame] = listFrames(logs.plain.get(second)!);
  const text = Buffer.from(frame!.bytes.subarray(5, -8)).toString();
  expect(edit(text)).not.toBe(text);
  const log = reframe(logs.plain, second, (all) => all.with(2, { ...frame!, bytes: toFrame(0, edit(text)) }));
  const report = await verify(log);
  expect(places(report).map((place) => place.replace(/ \d+$/, ''))).toContain(`${code} ${second} ${frame!.offset}`);
  expect(report.flaws).toContainEqual(expect.objectContaining({ code: 'altered', file: second, offset: frame!.offset, seq: 12 }));
});

// A signature or root of the same form, but wrong.
const spoil = (text: string): string => (text.startsWith('AAAA') ? `BBBB${text.slice(4)}` : `AAAA${text.slice(4)}`);

test.each([
  ['another signature', (text: string) => text.replace(/(\S{8})(\S{8})(\S+)\n$/, (_, a, b, c) => `${a}${spoil(b)}${c}\n`), ['signature']],
  ['the hash of another key', (text: string) => text.replace(/(\S+)\n$/, (_, all) => `${spoil(all)}\n`), ['signature']],
  ['another root', (text: string) => text.replace(/^(.*\n.*\n)(.*)/, (_, a, root) => `${a}${spoil(root)}`), ['root', 'signature']],
  ['another size', (text: string) => text.replace('\n17\n', '\n18\n'), ['signature', 'size']],
  ['the id of another log', (text: string) => text.replaceAll(/[0-9a-f]{32}/g, '0'.repeat(32)), ['checkpoint']],
  ['a line more', (text: string) => `${text}\n`, ['checkpoint']],
  ['another dash', (text: string) => text.replace('\u2014', '\u2013'), ['checkpoint']],
])('a checkpoint with %s is found for that', async (_, edit, expected) => {
  const frames = listFrames(logs.plain.get(second)!);
  const i = frames.findLastIndex(({ bytes }) => Buffer.from(bytes).includes('\n17\n'));
  const text = Buffer.from(frames[i]!.bytes.subarray(5, -8)).toString();
  expect(edit(text)).not.toBe(text);
  const report = await verify(reframe(logs.plain, second, (all) => all.with(i, { ...frames[i]!, bytes: toFrame(2, edit(text)) })));
  expect(report.flaws.map(({ code, file, offset }) => [code, file, offset]).sort()).toEqual(expected.map((code) => [code, second, frames[i]!.offset]));
});

test('a checkpoint that stands there twice is found', async () => {
  const frames = listFrames(logs.plain.get(second)!);
  const i = frames.findIndex(({ isRecord }) => !isRecord);
  const report = await verify(reframe(logs.plain, second, (all) => all.toSpliced(i, 0, frames[i]!)));
  expect(report.flaws).toEqual([expect.objectContaining({ code: 'size', file: second, offset: frames[i]!.end })]);
});

const oldRoot = (note: string): string => note.split('\n')[2]!;

test.each([
  ['right', {}, 0, 0],
  ['with another number of records', { records: 5 }, 0, 1],
  ['with another root', { root: oldRoot(readFixture('fork.witness')) }, 0, 1],
  ['of segments that are not before it', { last: 2 }, 0, 1],
  ['a millisecond too early', {}, -1, 1],
])('log_purged: %s', async (_, fields, lateMs, count) => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-purged-'));
  const log = new SampleLog(folder).commit(...pair(1)).rotate();
  // log_created, a request and log_rotated; each record of this writer is a minute after the one before.
  const end = startTime + 3 * 60_000;
  log.time = new Date(end).setUTCFullYear(2032) + lateMs;
  log.commit({ event: 'log_purged', first: 1, last: 1, records: 4, root: oldRoot(log.notes.at(-1)!), by: 'u-100', ...fields });
  const report = await verifyLog(await openFolder(folder));
  rmSync(folder, { recursive: true });
  expect(report.flaws.filter(({ code }) => code === 'purge' || code === 'record')).toHaveLength(count);
  expect(report.flawCount).toBe(count);
});

const [intent, outcome] = pair(1);
const rotated: AuditEvent = { event: 'log_rotated', segment: 2, key: Buffer.alloc(32, 0x66).fill(0x58, 0, 1).toString('base64'), open: 0 };

// All signed, so that nothing but the order of events can be wrong.
test.each([
  [
    'an intent and its outcome, twice',
    [
      [intent, outcome],
      [intent, outcome],
    ],
    [],
  ],
  ['an intent twice', [[intent], [intent]], ['pair 2']],
  ['an outcome twice', [[intent, outcome], [outcome]], ['pair 3']],
  ['an outcome before its intent', [[outcome], [intent]], ['pair 1']],
  ['a record behind log_rotated', [[rotated], [{ event: 'gate_closed' }]], ['missing undefined', 'rotation 2']],
  ['log_rotated not at the end of its commit', [[rotated, { event: 'gate_closed' }]], ['missing undefined', 'rotation 1', 'rotation 2']],
] satisfies [string, AuditEvent[][], string[]][])('events of a log: %s', async (_, commits, expected) => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-events-'));
  const log = new SampleLog(folder);
  for (const events of commits) log.commit(...events);
  const { flaws } = await verifyLog(await openFolder(folder));
  rmSync(folder, { recursive: true });
  expect(flaws.map(({ code, seq }) => `${code} ${seq}`).sort()).toEqual(expected);
});

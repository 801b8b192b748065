/** The offline verifier on golden logs of another writer, and against their witnesses: what it says, and what it cannot know. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type AuditRecord, decodeRecord } from '../../../../server/privacy/audit/events.ts';
import { describeReport, hashHere, parseKey } from '../../../../server/privacy/audit/verify.mjs';
import { change, codes, type Folder, flipBit, listFrames, places, readFixture, readLog, reframe, trusted, verify, witnessed } from './logs.ts';

const logs = { mini: readLog('mini'), plain: readLog('plain'), gap: readLog('gap'), purged: readLog('purged') };
const second = '00000002.log';
const third = '00000003.log';

test('SHA-256 is that of another implementation, at all lengths around its blocks', () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 255);
  for (let length = 0; length < 280; length++) {
    const expected = createHash('sha256')
      .update(bytes.subarray(7, 7 + length))
      .digest('hex');
    expect(Buffer.from(hashHere(bytes, 7, 7 + length)).toString('hex')).toBe(expected);
  }
});

// Numbers from test/fixtures/audit/make.py, counted there by hand.
test.each([
  ['mini', { records: 5, segments: 2, purgedSegments: 0, checkpoints: 4, open: 0 }, { intent: 1, log_created: 1, log_rotated: 1, outcome: 1, started: 1 }],
  ['plain', { records: 28, segments: 3, purgedSegments: 0, checkpoints: 12, open: 1 }, { intent: 12, outcome: 11, log_rotated: 2, started: 1 }],
  ['gap', { records: 5, segments: 1, purgedSegments: 0, checkpoints: 4, open: 0 }, { gap: 1, intent: 1, outcome: 1 }],
  ['purged', { records: 23, segments: 2, purgedSegments: 3, purgedRecords: 14, checkpoints: 8 }, { intent: 3, outcome: 3, log_purged: 2, log_rotated: 1 }],
] as const)('%s is intact: key, signatures, roots, witness', async (name, numbers, counts) => {
  const report = await verify(logs[name], witnessed(name));
  expect(report.flaws).toEqual([]);
  expect(report).toMatchObject({ ...numbers, counts, key: readFixture(`${name}.key`).trim(), unchecked: [], flawCount: 0 });
  expect(Buffer.from(logs[name].get('head')!).toString()).toBe(report.checkpoint);
  expect(describeReport(report)).toContain('INTACT: every check passed.');
});

test('a gap is reported; what the log says of itself alone is not called checked', async () => {
  const report = await verify(logs.gap);
  expect(report.gaps).toEqual([{ seq: 2, time: Date.UTC(2026, 2, 2, 7, 0, 3), cause: 'torn', bytes: 777, records: 3 }]);
  expect(report.unchecked).toHaveLength(2);
  expect((await verify(logs.purged)).unchecked).toHaveLength(3);
});

test('records are handed on in order, as their text', async () => {
  const texts: string[] = [];
  const { records }: { records: string[] } = JSON.parse(readFixture('vectors.json')).log;
  await verify(logs.plain, { onRecord: (seq, text) => void (texts[seq] = text) });
  expect(texts).toEqual(records);
});

test('golden records are such as the server writes', async () => {
  const records: AuditRecord[] = [];
  for (const log of Object.values(logs)) await verify(log, { onRecord: (_, text) => void records.push(decodeRecord(text)) });
  expect(records).toHaveLength(5 + 28 + 5 + 9);
});

test('`hashes` may be missing or shorter, but not where records were purged', async () => {
  const { hashes } = { hashes: logs.plain.get('hashes')! };
  expect((await verify(change(logs.plain, 'hashes', undefined))).flaws).toEqual([]);
  for (const size of [0, 31, 32, 320, hashes.length - 1]) expect((await verify(change(logs.plain, 'hashes', hashes.subarray(0, size)))).flaws).toEqual([]);
  expect(places(await verify(change(logs.plain, 'hashes', Buffer.concat([hashes, new Uint8Array(32)]))))).toEqual([`hashes hashes ${hashes.length} 28`]);
  expect(codes(await verify(change(logs.purged, 'hashes', undefined)))).toContain('hashes hashes');
});

/** The log as it was when its last commit was the one before its newest. */
function rollBack(log: Folder): Map<string, Uint8Array> {
  const frames = listFrames(log.get(third)!);
  const last = frames.findLastIndex(({ isRecord }, i) => !isRecord && i < frames.length - 1);
  const older = reframe(log, third, (all) => all.slice(0, last + 1));
  // 26 records: 52 - popcount(26) nodes.
  older.set('hashes', log.get('hashes')!.subarray(0, 32 * 49));
  return older.set('head', frames[last]!.bytes.subarray(5, -8));
}

test('an older copy is found with a witness, and without one the report says that it cannot know', async () => {
  const older = rollBack(logs.plain);
  const alone = await verify(older, trusted('plain'));
  expect(alone.flaws).toEqual([]);
  expect(alone.unchecked).toEqual([expect.stringContaining('older state cannot be seen')]);
  const [newest] = [Buffer.from(logs.plain.get('head')!).toString()];
  const report = await verify(older, { ...trusted('plain'), checkpoints: [newest] });
  expect(report.flaws).toEqual([
    expect.objectContaining({ code: 'rollback', file: 'witness', seq: 27, text: expect.stringMatching(/ends at 26 records.* seen 28/) }),
  ]);
  expect(codes(await verify(older.set('head', logs.plain.get('head')!), trusted('plain')))).toEqual(['cut head']);
});

test('two histories are a fork; a checkpoint of another log or key is no witness', async () => {
  const fork = readFixture('fork.witness');
  expect(codes(await verify(logs.plain, { ...trusted('plain'), checkpoints: [fork] }))).toEqual(['fork witness']);
  expect(codes(await verify(change(logs.plain, 'head', Buffer.from(fork))))).toEqual(['fork head']);
  expect(codes(await verify(logs.plain, { checkpoints: [readFixture('gap.witness')] }))).toEqual(['witness witness', 'witness witness']);
  const spoilt = readFixture('plain.witness').replace(/— (.*) ..../, '— $1 AAAA');
  expect(codes(await verify(logs.plain, { checkpoints: [spoilt] }))).toEqual(['signature witness']);
  // Both logs' checkpoints in one file: those of the other are its own business.
  expect((await verify(logs.plain, { checkpoints: [readFixture('gap.witness'), readFixture('plain.witness')] })).flaws).toEqual([]);
});

test('a log of another key than the one that was noted is not that log', async () => {
  expect(codes(await verify(logs.plain, trusted('gap')))).toEqual(['key 00000001.log']);
  const key = parseKey(readFixture('plain.key'))!;
  expect(parseKey(key.text.replace(key.keyHash, '00000000'))).toBeUndefined();
  expect(codes(await verify(logs.plain, { keys: ['no key'] }))).toEqual(['key ']);
});

test('damage of one place leaves the rest checked: two flips, two flaws', async () => {
  const log = change(logs.plain, second, flipBit(logs.plain.get(second)!, 8 * 700));
  const flaws = places(await verify(change(log, third, flipBit(logs.plain.get(third)!, 8 * 400)), witnessed('plain')));
  expect(flaws).toHaveLength(2);
});

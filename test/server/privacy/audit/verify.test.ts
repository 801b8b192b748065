/** The offline verifier on golden logs of another writer, whole and tampered with: what is wrong is found, and where. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type AuditEvent, type AuditRecord, decodeRecord } from '../../../../server/privacy/audit/events.ts';
import { describeReport, hash, type LogReport, openFolder, parseKey, verifyLog } from '../../../../server/privacy/audit/verify.mjs';
import { change, type Folder, type Frame, flipBit, joinFrames, listFrames, readFixture, readLog, trusted, verify, witnessed } from './logs.ts';
import { pair, SampleLog, startTime } from './sample-log.ts';

const logs = { mini: readLog('mini'), plain: readLog('plain'), gap: readLog('gap'), purged: readLog('purged') };
const second = '00000002.log';
const third = '00000003.log';
const places = ({ flaws }: LogReport): string[] => flaws.map(({ code, file, offset, seq }) => `${code} ${file} ${offset} ${seq}`);
const codes = ({ flaws }: LogReport): string[] => flaws.map(({ code, file }) => `${code} ${file}`);
/** A segment of a log with its frames changed. */
const reframe = (log: Folder, name: string, edit: (frames: Frame[]) => Frame[]): Map<string, Uint8Array> =>
  change(log, name, joinFrames(log.get(name)!, edit(listFrames(log.get(name)!))));

test('SHA-256 is that of another implementation, at all lengths around its blocks', () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 255);
  for (let length = 0; length < 280; length++) {
    const expected = createHash('sha256')
      .update(bytes.subarray(7, 7 + length))
      .digest('hex');
    expect(Buffer.from(hash(bytes, 7, 7 + length)).toString('hex')).toBe(expected);
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

test('each record that is dropped is named, whether or not `hashes` is there', async () => {
  for (const name of [second, third]) {
    const frames = listFrames(logs.plain.get(name)!);
    const start = name === second ? 11 : 23;
    for (const [i, frame] of frames.entries()) {
      if (!frame.isRecord) continue;
      const seq = start + frames.slice(0, i).filter(({ isRecord }) => isRecord).length;
      const dropped = reframe(logs.plain, name, (all) => all.toSpliced(i, 1));
      const { flaws } = await verify(dropped, trusted('plain'));
      // Seen at the next frame: the next record has another number, or the checkpoint another size.
      expect(flaws[0]).toMatchObject({ file: name, offset: frame.offset });
      expect(['seq', 'size', 'rotation']).toContain(flaws[0]?.code);
      expect(Math.abs(flaws[0]!.seq! - seq)).toBeLessThanOrEqual(1);
      expect((await verify(change(dropped, 'hashes', undefined), trusted('plain'))).flaws[0]).toMatchObject({ file: name, offset: frame.offset });
    }
  }
});

test('two records that change places are both named, and nothing else', async () => {
  const [, , a, b] = listFrames(logs.plain.get(second)!);
  const { flaws } = await verify(
    reframe(logs.plain, second, (all) => all.with(2, b!).with(3, a!)),
    trusted('plain'),
  );
  expect(a!.isRecord && b!.isRecord).toBe(true);
  expect(flaws.filter(({ code }) => code === 'altered').map(({ seq }) => seq)).toEqual([12, 13]);
  expect(new Set(flaws.map(({ file }) => file))).toEqual(new Set([second]));
});

test('two commits that change places are found', async () => {
  const frames = listFrames(logs.plain.get(second)!);
  const ends = frames.flatMap(({ isRecord }, i) => (isRecord ? [] : [i + 1]));
  const moved = [...frames.slice(0, ends[0]), ...frames.slice(ends[1], ends[2]), ...frames.slice(ends[0], ends[1]), ...frames.slice(ends[2])];
  expect((await verify(reframe(logs.plain, second, () => moved))).flaws[0]).toMatchObject({ file: second, offset: frames[ends[0]!]!.offset });
});

test('a record that is written anew, with a right check and right `hashes` above it, is named by `hashes`; without it by its commit', async () => {
  const frames = listFrames(logs.plain.get(second)!);
  const text = Buffer.from(frames[2]!.bytes.subarray(5, -8)).toString().replace('cardiology', 'cardiologx');
  const forged = { ...frames[2]!, bytes: toFrame(0, text) };
  const log = reframe(logs.plain, second, (all) => all.with(2, forged));
  expect(places(await verify(log, witnessed('plain')))).toEqual([`altered ${second} ${forged.offset} 12`]);
  const report = await verify(change(log, 'hashes', undefined), witnessed('plain'));
  expect(report.flaws[0]).toMatchObject({ code: 'root', file: second, offset: frames.slice(2).find(({ isRecord }) => !isRecord)!.offset });
});

function toFrame(type: number, text: string): Uint8Array {
  const data = Buffer.concat([Buffer.of(type), Buffer.from(text)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, data, createHash('sha256').update(data).digest().subarray(0, 8)]);
}

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

test('the newest segment cut at every byte: at a border of a commit `head` and `hashes` show it, elsewhere the frame too', async () => {
  const bytes = logs.mini.get(second)!;
  const frames = listFrames(bytes);
  for (let size = 0; size < frames.at(-1)!.end; size++) {
    const cut = bytes.subarray(0, size);
    const report = await verify(change(logs.mini, second, cut), trusted('mini'));
    const whole = frames.filter(({ end }) => end <= size);
    const rest = cut.subarray(whole.at(-1)?.end ?? 16);
    // The first bytes of a length are zeros, like those behind the end.
    const expected = size < 16 ? ['magic'] : [...(whole.at(-1)?.isRecord ? ['torn'] : []), ...(rest.some((byte) => byte !== 0) ? ['torn'] : [])];
    expect([size, codes(report)]).toEqual([size, [...expected.map((code) => `${code} ${second}`), 'hashes hashes', 'cut head']]);
    if (expected[0] === 'torn') expect(report.flaws[0]?.offset).toBe(whole.at(-1)?.offset ?? 16);
  }
});

test('an older segment cut at every byte is found there', async () => {
  const [first] = ['00000001.log'];
  const bytes = logs.mini.get(first)!;
  for (let size = 0; size < bytes.length; size++) {
    const { flaws } = await verify(change(logs.mini, first, bytes.subarray(0, size)), trusted('mini'));
    expect(flaws[0]?.file).toBe(first);
    expect(flaws.length).toBeLessThan(9);
  }
});

test.each([
  ['the first', 'plain', '00000001.log'],
  ['one in the middle', 'plain', second],
  ['the newest', 'plain', third],
  ['a stub', 'purged', '00000002.stub'],
] as const)('a segment that is taken away is missing: %s', async (_, name, file) => {
  const report = await verify(change(logs[name], file, undefined), trusted(name));
  expect(report.flaws).toContainEqual(expect.objectContaining({ code: 'missing', file: file.replace('stub', 'log') }));
  // What is left is read to its end.
  expect(report.records).toBe(file === third ? 23 : name === 'plain' ? 28 : 23);
});

test('the file of the next segment may be there before the newest one ends, with zeros only', async () => {
  const made = Buffer.concat([logs.plain.get(third)!.subarray(0, 16), new Uint8Array(64)]);
  const log = change(logs.plain, '00000004.log', made);
  expect((await verify(log, witnessed('plain'))).flaws).toEqual([]);
  expect(codes(await verify(change(log, '00000004.log', flipBit(made, 8 * 40))))).toContain(`rotation ${third}`);
  // Behind log_rotated it is the newest one.
  const ended = change(change(logs.plain, third, made), 'head', listFrames(logs.plain.get(second)!).at(-1)!.bytes.subarray(5, -8));
  expect((await verify(change(ended, 'hashes', undefined), trusted('plain'))).flaws).toEqual([]);
});

test('frames of another log, and a whole segment of one, are found', async () => {
  const strangers = listFrames(logs.gap.get('00000001.log')!);
  const frames = listFrames(logs.plain.get(second)!);
  for (let i = 0; i < frames.length; i++) {
    for (const stranger of [strangers[2]!, strangers.find(({ isRecord }) => !isRecord)!]) {
      const replaced = await verify(reframe(logs.plain, second, (all) => all.with(i, stranger)));
      expect(replaced.flaws).toContainEqual(expect.objectContaining({ file: second, offset: frames[i]!.offset }));
      const inserted = await verify(reframe(logs.plain, second, (all) => all.toSpliced(i, 0, stranger)));
      expect(inserted.flaws).toContainEqual(expect.objectContaining({ file: second, offset: frames[i]!.offset }));
    }
  }
  const swapped = await verify(change(logs.plain, second, logs.gap.get('00000001.log')), trusted('plain'));
  expect(swapped.flaws[0]?.file).toBe(second);
});

test('zeros behind an older segment, and a stub that is not the end of its segment, are flaws', async () => {
  const first = logs.plain.get('00000001.log')!;
  expect(places(await verify(change(logs.plain, '00000001.log', Buffer.concat([first, new Uint8Array(9)]))))).toEqual([
    `tail 00000001.log ${first.length} undefined`,
  ]);
  const frames = listFrames(first).slice(-2);
  const stub = Buffer.concat([first.subarray(0, 16), ...frames.map(({ bytes }) => bytes)]);
  expect((await verify(change(logs.plain, '00000001.stub', stub))).flaws).toEqual([]);
  expect(codes(await verify(change(logs.plain, '00000001.stub', flipBit(stub, 999))))).toEqual(['stub 00000001.stub']);
});

test('a purge without its record, or of the newest segments, is a flaw', async () => {
  const first = logs.plain.get('00000001.log')!;
  const frames = listFrames(first).slice(-2);
  const log = change(logs.plain, '00000001.log', undefined);
  log.set('00000001.stub', Buffer.concat([first.subarray(0, 16), ...frames.map(({ bytes }) => bytes)]));
  expect(places(await verify(log, trusted('plain')))).toEqual(['purge 00000001.stub undefined undefined']);
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

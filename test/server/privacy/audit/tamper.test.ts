/** Golden logs that were tampered with: what was dropped, moved, rewritten, brought from elsewhere, cut or taken away is found, and where. */
import { expect, test } from 'vitest';
import { change, codes, flipBit, listFrames, places, readLog, reframe, toFrame, trusted, verify, witnessed } from './logs.ts';

const logs = { mini: readLog('mini'), plain: readLog('plain'), gap: readLog('gap'), purged: readLog('purged') };
const second = '00000002.log';
const third = '00000003.log';

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

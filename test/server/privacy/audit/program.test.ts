/**
 * The verifiers as programs: exit codes, what they print, and the one in Python held to the same damage as ours. Without python3
 * its part is left out, with the reason.
 */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { root } from '../../../../scripts/node.mjs';
import { AuditLog } from '../../../../server/privacy/audit/log.ts';
import { openFolder, verifyLog } from '../../../../server/privacy/audit/verify.mjs';
import { fixtures, flipBit, joinFrames, listFrames, readFixture, readLog, trusted, verify } from './logs.ts';
import { pair, startTime, uuid } from './sample-log.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'inward-audit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hasPython = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0;
const python = hasPython ? test : test.skip;
const withoutPython = hasPython ? '' : ' (left out: python3 of 3.9 or later is missing)';

interface Result {
  readonly code: number;
  readonly output: string;
}

async function start(command: string, args: readonly string[]): Promise<Result> {
  try {
    const { stdout, stderr } = await run(command, args, { cwd: fixtures });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

const runOurs = (...args: string[]): Promise<Result> => start(process.execPath, [join(root, 'server/privacy/audit/verify.mjs'), ...args]);
const runPython = (...args: string[]): Promise<Result> => start('python3', ['-B', join(root, 'docs/verify-audit.py'), ...args]);
const verifiers = [
  ['ours', runOurs, test],
  [`the one in Python${withoutPython}`, runPython, python],
] as const;

/** A copy of a golden log with files changed, or left out where they are undefined. */
function writeLog(name: string, changes: Readonly<Record<string, Uint8Array | undefined>>): string {
  const path = join(folder, name);
  rmSync(path, { recursive: true, force: true });
  cpSync(join(fixtures, name), path, { recursive: true });
  for (const [file, bytes] of Object.entries(changes)) {
    if (bytes === undefined) rmSync(join(path, file));
    else writeFileSync(join(path, file), bytes);
  }
  return path;
}

for (const [who, runVerifier, test] of verifiers) {
  test(`${who}: golden logs and proofs are intact`, async () => {
    for (const name of ['mini', 'plain', 'gap', 'purged']) {
      const { code, output } = await runVerifier(name, '--key', `${name}.key`, '--witness', `${name}.witness`);
      expect([name, code]).toEqual([name, 0]);
      expect(output).toContain('INTACT');
    }
    for (const name of readdirSync(join(fixtures, 'proofs'))) {
      const key = name === 'after-purge.json' ? 'purged.key' : 'plain.key';
      const { code, output } = await runVerifier(`proofs/${name}`, '--key', readFixture(key).trim());
      expect([name, code, output.includes('INTACT'), output.includes('Not checked')]).toEqual([name, 0, true, false]);
    }
  });

  test(`${who}: damage has exit code 1 and its place, wrong use 2`, async () => {
    const plain = readLog('plain');
    const [second, third] = [plain.get('00000002.log')!, plain.get('00000003.log')!];
    const frames = listFrames(second);
    const dropped = joinFrames(second, frames.toSpliced(3, 1));
    const reordered = joinFrames(second, frames.with(2, frames[3]!).with(3, frames[2]!));
    const spliced = joinFrames(second, frames.with(2, listFrames(readLog('gap').get('00000001.log')!)[2]!));
    const cases: [string, Record<string, Uint8Array | undefined>, RegExp][] = [
      ['flip', { '00000002.log': flipBit(second, 8 * 700) }, placeOf('00000002.log', frames.find(({ end }) => end > 700)!.offset)],
      ['drop', { '00000002.log': dropped }, placeOf('00000002.log', frames[3]!.offset)],
      ['reorder', { '00000002.log': reordered }, placeOf('00000002.log', frames[2]!.offset)],
      ['splice', { '00000002.log': spliced }, placeOf('00000002.log', frames[2]!.offset)],
      ['cut within a frame', { '00000003.log': third.subarray(0, 500) }, placeOf('00000003.log', listFrames(third).find(({ end }) => end > 500)!.offset)],
      ['zeros that are none', { '00000003.log': flipBit(third, 8 * third.length - 1) }, placeOf('00000003.log', third.length - 1)],
      ['a segment away', { '00000002.log': undefined }, /00000002\.log(, record 11)?: .*missing/],
    ];
    for (const [what, changes, place] of cases) {
      const { code, output } = await runVerifier(writeLog('plain', changes), '--key', 'plain.key');
      expect([what, code]).toEqual([what, 1]);
      expect(output).toMatch(place);
    }
    expect((await runVerifier('plain', '--key', 'plain.key', '--witness', 'fork.witness')).output).toMatch(/witness, byte 0, record 27: .*two histories/);
    expect((await runVerifier('plain', '--key', 'gap.key')).code).toBe(1);
    expect((await runVerifier('fork.witness')).code).toBe(1);
    for (const wrong of [[], ['nowhere'], ['plain', '--key', 'fork.witness'], ['plain', '--unknown']]) expect((await runVerifier(...wrong)).code).toBe(2);
    expect((await runVerifier('--help')).code).toBe(0);
  });

  test(`${who}: an older copy, cut at the border of a commit, is found with a witness and by \`head\``, async () => {
    const third = readLog('plain').get('00000003.log')!;
    const frames = listFrames(third);
    const last = frames.findLastIndex(({ isRecord }, i) => !isRecord && i < frames.length - 1);
    const older = { '00000003.log': joinFrames(third, frames.slice(0, last + 1)), head: frames[last]!.bytes.subarray(5, -8), hashes: undefined };
    const path = writeLog('plain', older);
    expect((await runVerifier(path, '--key', 'plain.key')).code).toBe(0);
    writeFileSync(join(folder, 'newest'), readLog('plain').get('head')!);
    const found = await runVerifier(path, '--key', 'plain.key', '--witness', join(folder, 'newest'));
    expect([found.code, found.output]).toEqual([1, expect.stringMatching(/witness, byte 0, record 27: .*ends at 26 records/)]);
    writeFileSync(join(path, 'head'), readLog('plain').get('head')!);
    expect((await runVerifier(path, '--key', 'plain.key')).output).toMatch(/head, byte 0, record 27: .*ends at 26 records/);
  });
}

const placeOf = (file: string, offset: number): RegExp => new RegExp(`${file}, byte ${offset}\\b`);

/** Three segments of our own writer, with a request that is open. */
async function writeOwn(path: string): Promise<void> {
  const facts = { now: () => startTime, machine: { boot: uuid(9), host: '00112233445566aa' }, segmentSize: 2000, roomSize: 8192 };
  const log = await AuditLog.open(path, facts);
  for (let i = 0; i < 9; i++) for (const event of pair(i).slice(0, i === 8 ? 1 : 2)) await log?.append(event);
  await log?.[Symbol.asyncDispose]();
}

for (const [who, runVerifier, test] of verifiers) {
  test(`${who}: a log of our own writer is intact`, async () => {
    const path = join(folder, `own-${who.length}`);
    await writeOwn(path);
    const { code, output } = await runVerifier(path);
    expect([code, output]).toEqual([0, expect.stringMatching(/INTACT/)]);
    // As it is for a moment before a segment ends.
    writeFileSync(join(path, '99'.padStart(8, '0').concat('.log')), '');
    expect((await runVerifier(path)).code).toBe(1);
    const next = readdirSync(path).filter((name) => /^0.*[^9]\.log$/.test(name)).length + 1;
    renameSync(join(path, '00000099.log'), join(path, `${String(next).padStart(8, '0')}.log`));
    expect((await runVerifier(path)).code).toBe(0);
    expect(readdirSync(path).filter((name) => name.endsWith('.log')).length).toBeGreaterThan(2);
  });
}

test('a log that is being written is intact whenever it is read, over the begin of segments too', async () => {
  const path = join(folder, 'growing');
  let time = startTime;
  const machine = { boot: uuid(9), host: '00112233445566aa' };
  await using log = await AuditLog.open(path, { now: () => time++, machine, segmentSize: 50_000, roomSize: 2 ** 17 });
  let isDone = false;
  const writing = (async () => {
    for (let n = 0; !isDone; n++) for (const event of pair(n)) await log?.append(event);
  })();
  let segments = 0;
  for (const begun = Date.now(); segments < 5 && Date.now() < begun + 60_000; ) {
    const report = await verifyLog(await openFolder(path));
    expect(report.flaws).toEqual([]);
    segments = report.segments;
  }
  isDone = true;
  await writing;
  // Two may have begun since the last look.
  expect(segments).toBeGreaterThanOrEqual(5);
});

test('a head that becomes a digit longer while it is read is no damage', async () => {
  const path = join(folder, 'longer');
  cpSync(join(fixtures, 'plain'), path, { recursive: true });
  const source = await openFolder(path);
  // A whole file is read as long as it was when its size was asked for.
  const read = async (name: string): Promise<Uint8Array> => (await source.read(name)).subarray(0, name === 'head' ? -1 : undefined);
  expect((await verifyLog({ ...source, read })).flaws).toEqual([]);
});

test('a folder is a source: it gives the same report as one in memory', async () => {
  expect(await verifyLog(await openFolder(join(fixtures, 'purged')), trusted('purged'))).toEqual(await verify(readLog('purged'), trusted('purged')));
});

test('ours: a folder of several logs, each with its own key and witness', async () => {
  const site = join(folder, 'audit');
  for (const [number, name] of [
    ['1', 'plain'],
    ['2', 'gap'],
  ] as const)
    cpSync(join(fixtures, name), join(site, number), { recursive: true });
  const good = await runOurs(site, '--key', 'plain.key', '--key', 'gap.key', '--witness', 'plain.witness', '--witness', 'gap.witness', '--json');
  expect(good.code).toBe(0);
  expect(JSON.parse(good.output)).toMatchObject([
    { folder: '1', records: 28, unchecked: [] },
    { folder: '2', records: 5, unchecked: [] },
  ]);
  const missing = await runOurs(site, '--witness', 'mini.witness');
  expect([missing.code, missing.output]).toEqual([1, expect.stringContaining('No folder has the log')]);
});

// In one process: a start of Python for each flip would take minutes.
python(`the one in Python: a flip of any of 150 bits is found in its file, and each file that is cut${withoutPython}`, async () => {
  const script = `
import importlib.util, json, pathlib, random, shutil, sys
spec = importlib.util.spec_from_file_location("verifier", sys.argv[1])
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)
random.seed(8)
flips, cuts = [], []
for name in ("mini", "purged"):
    folder = pathlib.Path(sys.argv[3], name)
    shutil.copytree(pathlib.Path(sys.argv[2], name), folder, dirs_exist_ok=True)
    keys = [verifier.parse_key(pathlib.Path(sys.argv[2], name + ".key").read_text())]
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        for bit in random.sample(range(len(data) * 8), 15):
            path.write_bytes(data[: bit >> 3] + bytes([data[bit >> 3] ^ 1 << (bit & 7)]) + data[(bit >> 3) + 1 :])
            flips.append([name, path.name, bit, [flaw.args[:3] for flaw in verifier.LogCheck(folder, keys, [], True).run()]])
        for size in range(0, len(data.rstrip(b"\\0")), 37):
            path.write_bytes(data[:size])
            cuts.append([name, path.name, size, len(verifier.LogCheck(folder, keys, [], False).run())])
        path.write_bytes(data)
print(json.dumps([flips, cuts]))`;
  const { output } = await start('python3', ['-B', '-c', script, join(root, 'docs/verify-audit.py'), fixtures, join(folder, 'flips')]);
  type Flip = readonly [string, string, number, readonly (readonly [string, number, number | null])[]];
  type Cut = readonly [string, string, number, number];
  const [flips, cuts]: [Flip[], Cut[]] = JSON.parse(output);
  // `hashes` may be shorter, but not for the 14 records that were purged: the last one is in its stub, and those
  // before it have 2 * 13 - 3 nodes.
  const mayEnd = ([name, file, size]: Cut): boolean => file === 'hashes' && (name === 'mini' || size >= 23 * 32);
  for (const cut of cuts) expect([...cut.slice(0, 3), cut[3] > 0]).toEqual([...cut.slice(0, 3), !mayEnd(cut)]);
  expect(cuts.length).toBeGreaterThan(150);
  expect(flips.length).toBeGreaterThanOrEqual(150);
  for (const [name, file, bit, flaws] of flips) {
    const [found, offset] = flaws[0] ?? ['nothing', 0];
    expect([name, file, bit, found]).toEqual([name, file, bit, file]);
    const byte = bit >> 3;
    const frame = file.startsWith('0') && byte >= 16 ? listFrames(readLog(name).get(file)!).find(({ end }) => byte < end) : undefined;
    if (frame !== undefined) expect([bit, offset]).toEqual([bit, frame.offset]);
  }
});

python(`the golden files are what their maker makes${withoutPython}`, async () => {
  const made = join(folder, 'made');
  expect((await start('python3', ['-B', join(fixtures, 'make.py'), made])).code).toBe(0);
  const files = readdirSync(made, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(30);
  for (const { parentPath, name } of files) {
    const path = join(parentPath, name);
    expect(readFileSync(path).equals(readFileSync(join(fixtures, path.slice(made.length))))).toBe(true);
  }
});

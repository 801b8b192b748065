import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findPython } from '../../../runtime/launch.ts';
import { countInMemory, readMappings } from '../../../server/prove/memory.ts';

/** Holds words that it makes of two halves, so that none is in its program: 7 in Latin-1 and 3 in UTF-16, outside of V8's heap. */
const program = `
const word = process.argv[1] + process.argv[2];
const plain = Buffer.alloc(7 * 5_000_000);
for (let index = 0; index < 7; index++) plain.write(word, index * 5_000_000 + 77, 'latin1');
const wide = Buffer.alloc(3000);
for (let index = 0; index < 3; index++) wide.write(word, index * 1000, 'utf16le');
// Word on word, over every border of what is read at once.
const dense = Buffer.alloc(500_000 * 17, word.toUpperCase() + '.');
globalThis.kept = [plain, wide, dense];
process.stdout.write('ready');
setInterval(() => kept, 1000);
`;
const [first, second] = ['qwkzjvxp', 'mbhrtyud'];
let child: ChildProcess;

beforeAll(async () => {
  child = spawn(process.execPath, ['-e', program, first, second], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout !== null) await once(child.stdout, 'data');
});
afterAll(() => void child.kill('SIGKILL'));

test('what a child holds is counted from outside, in every mapping', ({ skip }) => {
  skip(process.platform !== 'linux', 'the memory of another process is read from /proc');
  const pid = child.pid ?? 0;
  // Halves that the program joins are not in its memory as one, but for strings that V8 flattened to write them: at most a few.
  const wide = countInMemory(pid, [Buffer.from(`${first}${second}`, 'utf16le')]);
  expect(wide?.total).toBe(3);
  const plain = countInMemory(pid, [Buffer.from(`${first}${second}`)]);
  expect(plain?.total).toBeGreaterThanOrEqual(7);
  expect(plain?.total).toBeLessThanOrEqual(7 + 2);
  expect(plain?.counts.anonymous).toBe(plain?.total);
  expect(plain?.size).toBeGreaterThan(35_000_000);
  const dense = countInMemory(pid, [Buffer.from(`${first}${second}`.toUpperCase()), Buffer.from('QQZZ')])?.total ?? 0;
  expect(dense).toBeGreaterThanOrEqual(500_000);
  expect(dense).toBeLessThanOrEqual(500_000 + 5);
  expect(countInMemory(pid, [Buffer.from('zzqqxxjjkkwwvvpp')])?.total).toBe(0);
});

/** Maps two mebibytes of a file, writes the word before a hole of one page and behind it, and takes the file's second half away. */
const holder = `
import mmap, sys, tempfile
word = (sys.argv[1] + sys.argv[2]).encode()
with tempfile.TemporaryFile() as file:
    file.truncate(2 ** 21)
    kept = mmap.mmap(file.fileno(), 2 ** 21)
    kept[2 ** 20 - 100:2 ** 20 - 100 + len(word)] = word
    file.truncate(2 ** 20)
    print('ready', flush=True)
    sys.stdin.read()
`;

test('what cannot be read is told, and what lies before it is', async ({ skip }) => {
  const python = findPython();
  skip(python === undefined, 'needs Linux with Python 3');
  const halves = ['wplzkqrm', 'xvbnjhty'] as const;
  const process = spawn(python ?? '', ['-c', holder, ...halves], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(process.stdout, 'data');
    const found = countInMemory(process.pid ?? 0, [Buffer.from(halves.join(''))]);
    expect(found).toMatchObject({ counts: { file: 1 }, closedSize: 2 ** 20, deviceSize: 0 });
  } finally {
    process.kill('SIGKILL');
  }
});

test('a process that is not there cannot be read', () => expect(countInMemory(2 ** 22 + 1, [Buffer.from('x')])).toBeUndefined());

test('not the own process', () => expect(() => countInMemory(process.pid, [Buffer.from('x')])).toThrow(/searched by itself/));

test('writable mappings are told from others, by what they are for', () => {
  const maps = [
    '00400000-00452000 r-xp 00000000 08:02 173521                             /usr/bin/node',
    '00651000-00652000 rw-p 00051000 08:02 173521                             /usr/bin/node',
    '00e03000-00e24000 rw-p 00000000 00:00 0                                  [heap]',
    '35b1800000-35b1820000 rw-p 00000000 00:00 0 ',
    '7fff2c000000-7fff2c021000 ---p 00000000 00:00 0 ',
    '7fffb2c0d000-7fffb2c2e000 rw-p 00000000 00:00 0                          [stack]',
    '7fffb2d48000-7fffb2d49000 rw-s 00000000 00:01 99                         /memfd:shared (deleted)',
    '7fffb2d50000-7fffb2d52000 rw-s 100000000 00:05 601                       /dev/dri/renderD128',
    '7fffb2d60000-7fffb2d63000 rw-s 00000000 00:0e 11                         anon_inode:i915.gem',
    '7fffb2d70000-7fffb2d74000 rw-s 00000000 00:19 3                          /dev/shm/held',
    '',
  ].join('\n');
  expect(readMappings(maps).map(({ kind, start, end, isDevice }) => [kind, end - start, isDevice])).toEqual([
    ['file', 0x1000, false],
    ['heap', 0x21000, false],
    ['anonymous', 0x20000, false],
    ['stack', 0x21000, false],
    ['shared', 0x1000, false],
    ['shared', 0x2000, true],
    ['shared', 0x3000, true],
    ['shared', 0x4000, false],
  ]);
});

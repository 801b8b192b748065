/** The tuner's file: what is read back, and everything that must not be. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { hashKernels } from '../../../kernels/compose.ts';
import { readTuning, tuningKey } from '../../../runtime/tuner.ts';
import { readTuningFile, type StoredShape, writeTuningFile } from '../../../runtime/tuning/file.ts';

const top = mkdtempSync(join(tmpdir(), 'inward-tuning-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));
let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(top, 'case-'));
  path = join(folder, 'cache', 'tuning.json');
});

const key = { device: 'a device', kernels: 'abc' };
const shape: StoredShape = { chosen: ['t1q1', 't2q1'], times: [{ tile: 't1q1', tokens: 1, ms: 0.5, usualMs: 0.6 }] };
const put = (content: string): void => {
  mkdirSync(join(folder, 'cache'), { recursive: true });
  writeFileSync(path, content);
};

test('what is written is read back: for this device and these kernels only', () => {
  expect(readTuningFile(path, key)).toEqual({ shapes: {} });
  expect(writeTuningFile(path, key, { one: shape })).toBeUndefined();
  expect(readTuningFile(path, key)).toEqual({ shapes: { one: shape } });
  expect(readTuningFile(path, { ...key, device: 'another' })).toEqual({ shapes: {} });
  expect(readTuningFile(path, { ...key, kernels: 'abd' })).toEqual({ shapes: {} });
  // Nothing else is left beside it.
  expect(readdirSync(join(folder, 'cache'))).toEqual(['tuning.json']);
});

test('shapes of another model and other devices stay; those of older kernels go', () => {
  writeTuningFile(path, key, { one: shape });
  writeTuningFile(path, { device: 'another', kernels: 'abc' }, { one: shape });
  const changed = { ...shape, chosen: ['t1q4'] };
  writeTuningFile(path, key, { two: changed });
  expect(readTuningFile(path, key).shapes).toEqual({ one: shape, two: changed });
  expect(readTuningFile(path, { ...key, device: 'another' }).shapes).toEqual({ one: shape });
  writeTuningFile(path, { ...key, kernels: 'new' }, { three: shape });
  expect(readTuningFile(path, key).shapes).toEqual({});
  expect(readTuningFile(path, { ...key, kernels: 'new' }).shapes).toEqual({ three: shape });
});

test('at most 32 devices: the one that was written longest ago goes', () => {
  for (let i = 0; i < 33; i++) writeTuningFile(path, { ...key, device: `device ${i}` }, { one: shape });
  expect(readTuningFile(path, { ...key, device: 'device 0' }).shapes).toEqual({});
  expect(readTuningFile(path, { ...key, device: 'device 1' }).shapes).toEqual({ one: shape });
  expect(Object.keys(JSON.parse(readFileSync(path, 'utf8')).devices)).toHaveLength(32);
});

const valid = (change: (content: { version: unknown; devices: Record<string, { kernels: unknown; shapes: Record<string, unknown> }> }) => void): string => {
  const content = { version: 1, devices: { 'a device': { kernels: 'abc', shapes: { one: structuredClone(shape) as unknown } } } };
  change(content);
  return JSON.stringify(content);
};

const isNoTimes = 'it holds something else than times of tiles';
const badShapes: readonly unknown[] = [
  { chosen: 't1q1', times: [] },
  { chosen: [1], times: [] },
  { chosen: [] },
  { chosen: [], times: [{ tile: 't1q1', tokens: 1.5, ms: 1, usualMs: 1 }] },
  { chosen: [], times: [{ tile: 't1q1', tokens: 1, ms: -1, usualMs: 1 }] },
  { chosen: [], times: [{ tile: 't1q1', tokens: 1, ms: 1, usualMs: null }] },
  { chosen: [], times: [null] },
];
const withShape = (shapes: unknown): string => valid(({ devices }) => Object.assign(devices['a device'] ?? {}, { shapes }));
const badFiles: readonly (readonly [what: string, content: string, reason: string])[] = [
  ['empty', '', 'it is not JSON'],
  ['cut off', valid(() => undefined).slice(0, -3), 'it is not JSON'],
  ['a list', '[]', 'it holds no object'],
  ['null', 'null', 'it holds no object'],
  ['another version', valid((content) => Object.assign(content, { version: 2 })), 'it is of another version, expected 1'],
  ['no version', '{"devices":{}}', 'it is of another version, expected 1'],
  ['no devices', '{"version":1}', isNoTimes],
  ['devices as a list', '{"version":1,"devices":[]}', isNoTimes],
  ['no kernels', valid(({ devices }) => Object.assign(devices['a device'] ?? {}, { kernels: 5 })), isNoTimes],
  ['shapes as a list', withShape([]), isNoTimes],
  ...badShapes.map((bad) => [JSON.stringify(bad), withShape({ one: bad }), isNoTimes] as const),
];

test.each(badFiles)('%s: ignored with one sentence, and made anew', (_, content, reason) => {
  put(content);
  const read = readTuningFile(path, key);
  expect(read).toEqual({ shapes: {}, notice: `The tuning file ${path} is ignored: ${reason}.` });
  expect(writeTuningFile(path, key, { one: shape })).toBeUndefined();
  expect(readTuningFile(path, key)).toEqual({ shapes: { one: shape } });
});

test('one that is too large is not read, a folder or a broken link is none', () => {
  put('{}');
  truncateSync(path, 2 ** 20 + 1);
  expect(readTuningFile(path, key).notice).toContain('it has 1048577 bytes, expected at most 1048576');
  expect(writeTuningFile(path, key, { one: shape })).toBeUndefined();
  expect(readTuningFile(path, key)).toEqual({ shapes: { one: shape } });
  rmSync(path);
  mkdirSync(path);
  expect(readTuningFile(path, key).notice).toContain('it is no file');
  expect(writeTuningFile(path, key, { one: shape })).toMatch(/cannot be written \(\w+\), so the next start measures again\.$/);
  rmSync(path, { recursive: true });
  symlinkSync(join(folder, 'nowhere'), path);
  expect(readTuningFile(path, key)).toEqual({ shapes: {} });
});

test('a file where the folder should be: one sentence, to root too', () => {
  writeFileSync(join(folder, 'cache'), '');
  expect(writeTuningFile(path, key, { one: shape })).toMatch(/^The tuning file .* cannot be written \(\w+\), so the next start measures again\.$/);
});

test('a folder that cannot be written to: one sentence, nothing left behind', ({ skip }) => {
  skip(process.getuid?.() === 0, 'root may write to every folder');
  mkdirSync(join(folder, 'cache'));
  chmodSync(join(folder, 'cache'), 0o500);
  expect(writeTuningFile(path, key, { one: shape })).toContain('EACCES');
  expect(existsSync(path)).toBe(false);
});

test('names that every object has are no devices and no shapes', () => {
  expect(writeTuningFile(path, key, {})).toBeUndefined();
  for (const device of ['__proto__', 'constructor', 'toString']) expect(readTuningFile(path, { ...key, device })).toEqual({ shapes: {} });
});

const work = { storage: 'Q4_1', rows: 64, columns: 64, activations: 'f32', isNormed: false, finish: 'add' } as const;
const device = { name: 'lavapipe', adapter: 'an adapter', subgroupSize: 8, family: 'narrow' } as const;
const name = 'Q4_1 64 x 64, f32, add';

test.each([
  ['known tiles', ['t1q4', 't2q2', 't4q1'], true],
  ['a tile that is no candidate', ['t1q4', 't16q1'], false],
  ['a name that is no tile', ['t1q2', '__proto__'], false],
  ['tiles that are not in order', ['t2q1', 't1q2'], false],
  ['two of one size', ['t1q1', 't1q2'], false],
  ['no tile at all', [], false],
])('%s', (_, chosen, isTaken) => {
  writeTuningFile(path, tuningKey(device), { [name]: { chosen, times: [] } });
  const { source, shapes } = readTuning([work, work], device, true, path);
  const builtIn = ['t1q2', 't2q1', 't4q1', 't8q1'];
  expect(source).toBe(isTaken ? 'stored' : 'built-in');
  expect(shapes).toMatchObject([{ shape: name, isMeasured: isTaken, builtIn, chosen: isTaken ? chosen : builtIn }]);
});

test('the hash of the kernels: the same each time, another after a byte or a name has changed', () => {
  const kernels = join(folder, 'kernels');
  const write = (name: string, text: string): void => writeFileSync(join(kernels, name), text);
  mkdirSync(join(kernels, 'lib'), { recursive: true });
  write('matmul.wgsl', 'one');
  write('lib/rows.wgsl', 'two');
  const [hash, ...rest] = [hashKernels(kernels), hashKernels(kernels)];
  expect(rest).toEqual([hash]);
  const others: readonly (() => void)[] = [
    () => write('lib/rows.wgsl', 'twp'),
    () => renameSync(join(kernels, 'matmul.wgsl'), join(kernels, 'matmul.ts')),
    () => renameSync(join(kernels, 'lib/rows.wgsl'), join(kernels, 'rows.wgsl')),
    () => write('new.wgsl', ''),
  ];
  const hashes = others.map((change) => {
    change();
    return hashKernels(kernels);
  });
  expect(new Set([hash, ...hashes]).size).toBe(1 + others.length);
});

test('what tunings are kept by is the hash of the kernels that run', () => {
  const kernels = join(import.meta.dirname, '../../../kernels');
  expect(readdirSync(kernels)).toContain('matmul_f32.wgsl');
  expect(tuningKey(device).kernels).toBe(hashKernels(kernels));
  expect(tuningKey(device).kernels).toMatch(/^[0-9a-f]{64}$/);
});

test('a file that would be too large to be read loses its oldest devices, then its oldest shapes', () => {
  const many = (count: number): Record<string, typeof shape> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`shape ${i} ${'x'.repeat(900)}`, shape]));
  writeTuningFile(path, { ...key, device: 'older' }, many(600));
  expect(writeTuningFile(path, key, many(600))).toBeUndefined();
  expect(Object.keys(readTuningFile(path, key).shapes)).toHaveLength(600);
  expect(readTuningFile(path, { ...key, device: 'older' })).toEqual({ shapes: {} });
  expect(writeTuningFile(path, key, many(3000))).toBeUndefined();
  const left = Object.keys(readTuningFile(path, key).shapes);
  expect(left.length).toBeGreaterThan(300);
  expect(left.at(-1)).toContain('shape 2999 ');
});

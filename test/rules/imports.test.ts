import { expect, test } from 'vitest';
import { listFiles, readTextFile } from '../../scripts/check/files.ts';
import { findCycles, type Import, judgeImport, readImports } from '../../scripts/check/imports.ts';

const value = (from: string, target: string): Import => ({ from, target, isType: false });

test('every import of the repository keeps the rules, and there is no cycle', async () => {
  const files = (await listFiles()).filter((path) => /\.[cm]?[jt]s$/.test(path) && !path.startsWith('test/fixtures/'));
  const imports = files.flatMap((path) => readImports(path, readTextFile(path) ?? ''));
  expect(imports.length).toBeGreaterThan(50);
  expect(imports.flatMap((entry) => judgeImport(entry) ?? [])).toEqual([]);
  expect(findCycles(imports)).toEqual([]);
});

test('imports are read in all their forms, comments are not', () => {
  const source = `/** import x from './comment.ts'; */
// import './line.ts';
import type { A } from './a.ts';
import { type B, b } from "../b/b.ts";
import './side.ts';
import {
  c,
  d,
} from './many.ts';
export * from './all.ts';
export type { E } from './e.ts';
const later = await import('../later.ts');
import pkg from 'pkg';
`;
  expect(readImports('server/x/y.ts', source)).toEqual([
    { from: 'server/x/y.ts', target: 'server/x/a.ts', isType: true },
    { from: 'server/x/y.ts', target: 'server/b/b.ts', isType: false },
    { from: 'server/x/y.ts', target: 'server/x/side.ts', isType: false },
    { from: 'server/x/y.ts', target: 'server/x/many.ts', isType: false },
    { from: 'server/x/y.ts', target: 'server/x/all.ts', isType: false },
    { from: 'server/x/y.ts', target: 'server/x/e.ts', isType: true },
    { from: 'server/x/y.ts', target: 'server/later.ts', isType: false },
    { from: 'server/x/y.ts', target: 'pkg', isType: false },
  ]);
});

for (const [from, target] of [
  ['server/app.ts', 'runtime/index.ts'],
  ['server/app.ts', 'runtime/text/index.ts'],
  ['server/cli/serve.ts', 'scripts/setup/index.ts'],
  ['runtime/runner.ts', 'models/index.ts'],
  ['runtime/text/index.ts', 'runtime/text/template.ts'],
  ['models/llama.ts', 'kernels/matmul.ts'],
  ['test/x.test.ts', 'server/app.ts'],
  ['kernels/x.ts', 'webgpu'],
] as const)
  test(`${from} may import ${target}`, () => expect(judgeImport(value(from, target))).toBeUndefined());

for (const [from, target] of [
  ['server/app.ts', 'runtime/engine.ts'],
  ['server/app.ts', 'kernels/matmul.ts'],
  ['server/app.ts', 'scripts/setup/index.ts'],
  ['runtime/engine.ts', 'runtime/text/index.ts'],
  ['runtime/engine.ts', 'server/app.ts'],
  ['runtime/engine.ts', 'scripts/setup/index.ts'],
  ['models/llama.ts', 'runtime/memory.ts'],
  ['kernels/matmul.ts', 'models/llama.ts'],
  ['kernels/matmul.ts', 'runtime/types.ts'],
  ['test/x.test.ts', '../elsewhere/x.ts'],
] as const)
  test(`${from} must not import ${target}`, () => expect(judgeImport(value(from, target))).toBeDefined());

test('types may come from anywhere, and make no cycle', () => {
  expect(judgeImport({ from: 'kernels/x.ts', target: 'runtime/types.ts', isType: true })).toBeUndefined();
  const there = value('kernels/a.ts', 'kernels/b.ts');
  const back = value('kernels/b.ts', 'kernels/c.ts');
  const again = value('kernels/c.ts', 'kernels/a.ts');
  expect(findCycles([there, back, { ...again, isType: true }])).toEqual([]);
  expect(findCycles([there, back, again])).toEqual(['cycle: kernels/a.ts -> kernels/b.ts -> kernels/c.ts -> kernels/a.ts']);
});

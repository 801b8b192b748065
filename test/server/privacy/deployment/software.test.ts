/** Digests of the program and of weights: what changes them, and what does not. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { root } from '../../../../scripts/node.mjs';
import { hashFile, hashSoftware } from '../../../../server/privacy/deployment/software.ts';
import { hashWeights } from '../../../../server/privacy/deployment/weights.ts';
import { SiteError } from '../../../../server/privacy/errors.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-software-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

test('the digest is over sorted paths, lengths and contents', () => {
  write('server/b.ts', 'two');
  write('server/a/z.js', '');
  write('kernels/k.wgsl', '\u00e4');
  write('package.json', '{}');
  const lines = ['inward.software.v1\n', 'kernels/k.wgsl\n2\n\u00e4', 'package.json\n2\n{}', 'server/a/z.js\n0\n', 'server/b.ts\n3\ntwo'];
  expect(hashSoftware(folder)).toBe(sha256(lines.join('')));
});

test('what does not run does not count', () => {
  write('package.json', '{}');
  write('runtime/index.js', 'x');
  const before = hashSoftware(folder);
  for (const path of [
    'README.md',
    'docs/a.ts',
    'test/a.ts',
    'bench/a.ts',
    'scripts/check/run.ts',
    'node_modules/x/a.js',
    '.git/a.json',
    'runtime/.hidden.ts',
    'runtime/notes.txt',
    'dist/server/a.js',
  ]) {
    write(path, 'something');
    expect(hashSoftware(folder), path).toBe(before);
  }
});

test('whatever runs counts', () => {
  write('package.json', '{}');
  write('runtime/index.js', 'x');
  const seen = new Set([hashSoftware(folder)]);
  const paths = [
    'bin/inward.mjs',
    'kernels/a.wgsl',
    'models/a.ts',
    'runtime/a.ts',
    'server/a.ts',
    'scripts/setup/a.ts',
    'scripts/setup.mjs',
    // Node would run these too.
    'runtime/node_modules/x/a.js',
    'runtime/test/a.ts',
    'runtime/a.cjs',
    'runtime/a.node',
    'runtime/a.mts',
    'runtime/a.wasm',
    'runtime/a.py',
    'scripts/node.mjs',
    'scripts/progress.mjs',
    'package-lock.json',
    'server/data.json',
  ];
  for (const path of paths) {
    write(path, '1');
    expect(seen.has(hashSoftware(folder)), path).toBe(false);
    seen.add(hashSoftware(folder));
    write(path, '2');
    expect(seen.has(hashSoftware(folder)), path).toBe(false);
    seen.add(hashSoftware(folder));
  }
  renameSync(join(folder, 'server/a.ts'), join(folder, 'server/b.ts'));
  expect(seen.has(hashSoftware(folder))).toBe(false);
});

test('a link among the files is refused, and a folder without the program', () => {
  expect(() => hashSoftware(folder)).toThrow('expected package.json');
  expect(() => hashSoftware(join(folder, 'nowhere'))).toThrow(SiteError);
  write('package.json', '{}');
  write('elsewhere/a.ts', '');
  mkdirSync(join(folder, 'server'));
  symlinkSync('../elsewhere', join(folder, 'server/linked'));
  expect(() => hashSoftware(folder)).toThrow('found a link or something else among them');
});

test('this program has a digest', () => {
  expect(hashSoftware(root)).toMatch(/^[0-9a-f]{64}$/);
});

test('a file of several pieces, with progress', async () => {
  const content = Buffer.alloc(2 ** 21 + 3, 'weights');
  write('model.gguf', content);
  const done: number[] = [];
  expect(await hashFile(join(folder, 'model.gguf'), (bytes) => done.push(bytes))).toBe(sha256(content));
  expect(done.at(-1)).toBe(content.length);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  write('empty', '');
  expect(await hashFile(join(folder, 'empty'))).toBe(sha256(''));
});

test('a note that a file was verified is not believed', async () => {
  write('model.gguf', 'changed');
  write('model.gguf.verified', `${sha256('original')} 0\n`);
  expect(await hashFile(join(folder, 'model.gguf'))).toBe(sha256('changed'));
});

test('what is no file is refused', async () => {
  await expect(hashFile(join(folder, 'missing.gguf'))).rejects.toThrow(
    'The file "missing.gguf" cannot be hashed: expected one that can be read and stays as it is, found none;',
  );
  await expect(hashFile(folder)).rejects.toThrow('found something else');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await expect(hashFile(join(folder, 'pipe'))).rejects.toThrow('found something else');
});

test('a file that changes while it is read is refused', async () => {
  const path = join(folder, 'model.gguf');
  const grow = (): void => {
    write('model.gguf', Buffer.alloc(2 ** 21 + 1));
    utimesSync(path, 500, 500);
  };
  for (const change of [grow, () => utimesSync(path, 1000, 1000)]) {
    write('model.gguf', Buffer.alloc(2 ** 21));
    utimesSync(path, 500, 500);
    await expect(hashFile(path, change)).rejects.toThrow('found one that changed meanwhile');
  }
});

test('a model of one file, and of a folder', async () => {
  write('a.gguf', 'one');
  expect(await hashWeights([join(folder, 'a.gguf')])).toEqual([{ name: 'a.gguf', sha256: sha256('one') }]);
  write('large/model.safetensors', 'weights');
  write('large/config.json', '{}');
  write('large/chat_template.jinja', 'template');
  write('large/additional_chat_templates/tool_use.jinja', 'tools');
  write('large/1_Pooling/config.json', 'mean');
  write('large/SHA256SUMS', 'sums');
  for (const path of [
    'large/README.md',
    'large/.hidden.json',
    'large/model.safetensors.verified',
    'large/picture.png',
    'large/additional_chat_templates/a.txt',
  ])
    write(path, '');
  const progress: (readonly [number, number])[] = [];
  const weights = await hashWeights([`${folder}/large/`], (done, total) => progress.push([done, total]));
  expect(weights).toEqual([
    { name: 'large/1_Pooling/config.json', sha256: sha256('mean') },
    { name: 'large/SHA256SUMS', sha256: sha256('sums') },
    { name: 'large/additional_chat_templates/tool_use.jinja', sha256: sha256('tools') },
    { name: 'large/chat_template.jinja', sha256: sha256('template') },
    { name: 'large/config.json', sha256: sha256('{}') },
    { name: 'large/model.safetensors', sha256: sha256('weights') },
  ]);
  expect(progress.at(-1)).toEqual([30, 30]);
});

test('a GGUF model in parts: all of them', async () => {
  const name = (part: number): string => `m-0000${part}-of-00003.gguf`;
  for (const part of [1, 2, 3]) write(name(part), `part ${part}`);
  write('m.gguf', 'another one');
  expect(await hashWeights([join(folder, name(1))])).toEqual([1, 2, 3].map((part) => ({ name: name(part), sha256: sha256(`part ${part}`) })));
  rmSync(join(folder, name(2)));
  await expect(hashWeights([join(folder, name(1))])).rejects.toThrow('The file "m-00002-of-00003.gguf" cannot be hashed');
});

test('several models, with different names only', async () => {
  write('a.gguf', 'one');
  write('b.gguf', 'two');
  write('other/a.gguf', 'three');
  const paths = ['a.gguf', 'b.gguf', 'other/a.gguf'].map((path) => join(folder, path));
  const progress: (readonly [number, number])[] = [];
  expect((await hashWeights(paths.slice(0, 2), (done, total) => progress.push([done, total]))).map(({ name }) => name)).toEqual(['a.gguf', 'b.gguf']);
  expect(progress.at(-1)).toEqual([6, 6]);
  await expect(hashWeights(paths)).rejects.toThrow('found one name twice');
});

test('weights that a manifest cannot name are refused', async () => {
  write('a model.gguf', '');
  await expect(hashWeights([join(folder, 'a model.gguf')])).rejects.toThrow('rename the file or folder');
  mkdirSync(join(folder, 'empty'));
  await expect(hashWeights([join(folder, 'empty')])).rejects.toThrow('expected 1 to 512 files of a model, found 0;');
  mkdirSync(join(folder, 'odd/config.json'), { recursive: true });
  await expect(hashWeights([join(folder, 'odd')])).rejects.toThrow('The file "config.json" cannot be hashed');
  await expect(hashWeights([join(folder, 'missing.gguf')])).rejects.toThrow('found none');
});

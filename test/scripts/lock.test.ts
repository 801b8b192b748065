import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { completeLock, type Lock } from '../../scripts/lock/complete.ts';
import { root } from '../../scripts/node.mjs';

test.for(['.', 'bench/peers'])('the lock of %s names every optional package, so that npm ci takes it', (folder) => {
  expect(completeLock(JSON.parse(readFileSync(join(root, folder, 'package-lock.json'), 'utf8')) as Lock).added).toEqual([]);
});

test('the script completes the lock of the folder that it is given, once, and says so when there is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'package-lock.json');
  const run = (): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
    spawnSync(process.execPath, [join(root, 'scripts/lock/run.ts'), folder], { encoding: 'utf8' });
  const refused = run();
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain(`found no ${path}. Run npm install there first.`);

  const tool = { version: '1.0.0', optionalDependencies: { '@tool/linux-arm64-gnu': '1.0.0' } };
  writeFileSync(path, JSON.stringify({ name: 'some', lockfileVersion: 3, packages: { 'node_modules/tool': tool } }));
  expect(run()).toMatchObject({ status: 0, stdout: `added to ${path}:\n@tool/linux-arm64-gnu@1.0.0\n` });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({
    name: 'some',
    lockfileVersion: 3,
    packages: {
      'node_modules/@tool/linux-arm64-gnu': { version: '1.0.0', cpu: ['arm64'], libc: ['glibc'], os: ['linux'], optional: true },
      'node_modules/tool': tool,
    },
  });
  expect(run()).toMatchObject({ status: 0, stdout: `${path} is complete\n` });
});

test('builds for other platforms are added with the platform that their name says', () => {
  const lock = {
    name: 'kept',
    packages: {
      '': {},
      'node_modules/tool': {
        version: '2.0.0',
        dev: true,
        optionalDependencies: { '@tool/linux-x64-musl': '2.0.0', '@tool/darwin-arm64': '2.0.0', '@tool/linux-x64': '2.0.0', loose: '^1.0.0', near: '1.0.0' },
      },
      'node_modules/@tool/linux-x64': { version: '2.0.0' },
      'node_modules/tool/node_modules/near': { version: '1.0.0' },
    },
  };
  const { lock: complete, added } = completeLock(lock);
  expect(added).toEqual(['@tool/linux-x64-musl@2.0.0', '@tool/darwin-arm64@2.0.0']);
  expect(complete.packages).toMatchObject({
    'node_modules/@tool/linux-x64-musl': { version: '2.0.0', os: ['linux'], cpu: ['x64'], libc: ['musl'], dev: true, optional: true },
    'node_modules/@tool/darwin-arm64': { version: '2.0.0', os: ['darwin'], cpu: ['arm64'], dev: true, optional: true },
  });
  expect(Object.keys(complete.packages)).toHaveLength(6);
  expect(complete.name).toBe('kept');
});

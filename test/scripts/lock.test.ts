import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { completeLock, type Lock } from '../../scripts/lock/complete.ts';
import { root } from '../../scripts/node.mjs';

test('the lock of this repository names every optional package, so that npm ci takes it', () => {
  expect(completeLock(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock).added).toEqual([]);
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

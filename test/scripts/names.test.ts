import { expect, test } from 'vitest';
import { judgeNames } from '../../scripts/check/names.ts';

const word = (...parts: string[]): string => parts.join('');

test('hosts of registries and mirrors, and paths of one machine, are found with their line', () => {
  const text = ['fine', word('https://registry.', 'npmjs.org/x'), word("open('/ho", "me/anna/x')"), word('http://deb.', 'debian.org/debian')].join('\n');
  expect(judgeNames('a.ts', text)).toEqual([
    'a.ts:2 names a registry or mirror host',
    'a.ts:3 names a path of one machine',
    'a.ts:4 names a registry or mirror host',
  ]);
});

test('paths of every Linux system, routes and relative paths are fine', () => {
  expect(judgeNames('a.ts', '/usr/share/vulkan/icd.d\n/etc/os-release\n./work/x\nsrc/work/x\n/v1/models\n$HOME/work/x')).toEqual([]);
});

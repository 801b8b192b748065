/** Small files of the system: bounded, inside of the root, and no waiting. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTree } from '../../../../server/privacy/deployment/tree.ts';
import { FakeHost } from './fake-host.ts';

test('text up to the limit, and nothing else', () => {
  using host = new FakeHost();
  const tree = createTree(host.root);
  host.write('proc/a', 'four');
  expect(tree.text('proc/a', 4)).toBe('four');
  expect(tree.text('proc/a', 3)).toBeUndefined();
  expect(tree.text('proc', 100)).toBeUndefined();
  expect(tree.text('proc/b', 100)).toBeUndefined();
  expect(tree.text('../../etc/passwd', 2 ** 20)).toBeUndefined();
  host.write('proc/bytes', Uint8Array.of(0xff, 0, 0x41));
  expect(tree.text('proc/bytes', 3)).toBe('\u00ff\u0000A');
  execFileSync('mkfifo', [join(host.root, 'proc/pipe')]);
  expect(tree.text('proc/pipe', 100)).toBeUndefined();
});

test('names of a folder', () => {
  using host = new FakeHost();
  const tree = createTree(host.root);
  for (const name of ['b', 'a', '.c']) host.write(`etc/names/${name}`, '');
  expect(tree.list('etc/names', 3)).toEqual(['.c', 'a', 'b']);
  expect(tree.list('etc/names', 2)).toBe('closed');
  expect(tree.list('etc/names/a', 3)).toBe('closed');
  expect(tree.list('nowhere', 3)).toBe('absent');
  host.link('out', '..');
  expect(tree.list('out', 1000)).toBe('closed');
  host.link('top', '.');
  expect(tree.list('top/etc/names', 3)).toEqual(['.c', 'a', 'b']);
});

test('what a link says, and the name of where it leads', () => {
  using host = new FakeHost();
  const tree = createTree(host.root);
  host.link('proc/fd', '/dev/nvidia0');
  expect(tree.link('proc/fd')).toBe('/dev/nvidia0');
  expect(tree.link('etc/machine-id')).toBeUndefined();
  expect(tree.target('proc/fd')).toBeUndefined();
  host.link('proc/device', '../etc/machine-id');
  expect(tree.target('proc/device')).toBe('machine-id');
});

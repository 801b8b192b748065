/** Swap and hibernation on machines that are made up: a folder that stands for the top of the file system. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { judgeHibernation } from '../../../runtime/layers/hibernation.ts';
import { judgeSwap } from '../../../runtime/layers/swap.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const head = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
const partition = `${head}/dev/sda2                               partition\t8388604\t\t0\t\t-2\n`;
const zram = `${head}/dev/zram0                              partition\t8388604\t\t512\t\t100\n`;

/** Texts by path, links as `-> target`. */
function machine(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'inward-swap-'));
  folders.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), join(root, path));
    else writeFileSync(join(root, path), text);
  }
  return root;
}

test.each([
  ['none', { 'proc/swaps': head }, 'held', 'no-swap'],
  ['a partition', { 'proc/swaps': partition }, 'not available', 'swap-on'],
  ['a file', { 'proc/swaps': `${head}/swapfile  file\t1048572\t0\t-2\n` }, 'not available', 'swap-on'],
  ['a kernel without swap', { 'proc/meminfo': 'MemTotal: 1 kB\nSwapTotal:       0 kB\n' }, 'held', 'no-swap'],
  ['nothing that can be read', {}, 'not available', 'unreadable'],
  ['our control group', { 'proc/swaps': partition, 'proc/self/cgroup': '0::/a/b\n', 'sys/fs/cgroup/a/b/memory.swap.max': '0\n' }, 'held', 'swap-forbidden'],
  ['a group above ours', { 'proc/swaps': partition, 'proc/self/cgroup': '0::/a/b\n', 'sys/fs/cgroup/a/memory.swap.max': '0\n' }, 'held', 'swap-forbidden'],
  ['in a container', { 'proc/swaps': partition, 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/memory.swap.max': '0\n' }, 'held', 'swap-forbidden'],
  ['a group with a limit', { 'proc/swaps': partition, 'proc/self/cgroup': '0::/a\n', 'sys/fs/cgroup/a/memory.swap.max': 'max\n' }, 'not available', 'swap-on'],
  ['another group', { 'proc/swaps': partition, 'proc/self/cgroup': '0::/a\n', 'sys/fs/cgroup/b/memory.swap.max': '0\n' }, 'not available', 'swap-on'],
  ['zram', { 'proc/swaps': zram }, 'held', 'swap-in-memory'],
  ['zram without a disk behind it', { 'proc/swaps': zram, 'sys/block/zram0/backing_dev': 'none\n' }, 'held', 'swap-in-memory'],
  ['zram with one', { 'proc/swaps': zram, 'sys/block/zram0/backing_dev': '/dev/sda3\n' }, 'not available', 'swap-on'],
  ['zram and a partition', { 'proc/swaps': `${zram}${partition.slice(head.length)}` }, 'not available', 'swap-on'],
  ['dm-crypt', { 'proc/swaps': `${head}/dev/dm-1 partition 8 0 -2\n`, 'sys/block/dm-1/dm/uuid': 'CRYPT-PLAIN-swap\n' }, 'held', 'swap-encrypted'],
  ['LVM', { 'proc/swaps': `${head}/dev/dm-1 partition 8 0 -2\n`, 'sys/block/dm-1/dm/uuid': 'LVM-abc\n' }, 'not available', 'swap-on'],
  [
    'dm-crypt by its name',
    { 'proc/swaps': `${head}/dev/mapper/s partition 8 0 -2\n`, 'dev/dm-1': '', 'dev/mapper/s': '-> ../dm-1', 'sys/block/dm-1/dm/uuid': 'CRYPT-LUKS2-1\n' },
    'held',
    'swap-encrypted',
  ],
] as const)('swap: %s', (_, files, state, reason) => {
  expect(judgeSwap(machine(files))).toEqual({ state, reason });
});

test('swap of another process: by its own control group', () => {
  const root = machine({ 'proc/swaps': partition, 'proc/self/cgroup': '0::/a\n', 'proc/7/cgroup': '0::/b\n', 'sys/fs/cgroup/b/memory.swap.max': '0\n' });
  expect(judgeSwap(root, 7)).toEqual({ state: 'held', reason: 'swap-forbidden' });
  expect(judgeSwap(root)).toEqual({ state: 'not available', reason: 'swap-on' });
});

/** As kernel/power/main.c writes the states. */
const [able, unable] = [{ 'sys/power/state': 'freeze mem disk\n' }, { 'sys/power/state': 'freeze mem\n' }];
test.each([
  ['a kernel that can, and swap', { ...able, 'proc/swaps': partition }, 'not available', 'hibernation-on'],
  [
    'whatever control groups say',
    { ...able, 'proc/swaps': partition, 'proc/self/cgroup': '0::/a\n', 'sys/fs/cgroup/a/memory.swap.max': '0\n' },
    'not available',
    'hibernation-on',
  ],
  ['a kernel that can, and nothing to write to', { ...able, 'proc/swaps': head }, 'held', 'no-swap'],
  ['memory to write to', { ...able, 'proc/swaps': zram }, 'held', 'swap-in-memory'],
  [
    'an encrypted device',
    { ...able, 'proc/swaps': `${head}/dev/dm-1 partition 8 0 -2\n`, 'sys/block/dm-1/dm/uuid': 'CRYPT-PLAIN-swap\n' },
    'held',
    'swap-encrypted',
  ],
  ['a kernel that cannot', { ...unable, 'proc/swaps': partition }, 'held', 'no-hibernation'],
  ['a kernel without power management', { 'sys/kernel/x': '', 'proc/swaps': partition }, 'held', 'no-hibernation'],
  ['a kernel that says disk in another word', { 'sys/power/state': 'freeze diskette\n', 'proc/swaps': partition }, 'held', 'no-hibernation'],
  ['nothing that can be read', {}, 'not available', 'unreadable'],
] as const)('hibernation: %s', (_, files, state, reason) => {
  expect(judgeHibernation(machine(files))).toEqual({ state, reason });
});

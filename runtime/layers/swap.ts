/**
 * Owns whether memory of our processes can get to a disk by swapping: /proc/swaps, the limit of our control group, and what the
 * swap devices are. Refuses to change any of it. Sources: proc(5), the kernel's admin-guide on cgroup-v2, zram and dm-crypt.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { held, lacking, type Verdict } from './types.ts';

/** `root`: top of the file system that describes the host; `process`: whose control group counts. */
export function judgeSwap(root = '/', process: number | 'self' = 'self'): Verdict {
  const areas = judgeAreas(root);
  return areas.reason === 'swap-on' && isForbidden(root, process) ? held('swap-forbidden') : areas;
}

/** What there is to swap to, whoever may. */
export function judgeAreas(root: string): Verdict {
  const swaps = readText(root, '/proc/swaps');
  // A kernel built without swap has no such file.
  if (swaps === undefined) return /^SwapTotal:\s+0 kB$/m.test(readText(root, '/proc/meminfo') ?? '') ? held('no-swap') : lacking('unreadable');
  const devices = listDevices(swaps);
  if (devices.length === 0) return held('no-swap');
  if (devices.every((device) => isInMemory(root, device))) return held('swap-in-memory');
  if (devices.every((device) => isInMemory(root, device) || isEncrypted(root, device))) return held('swap-encrypted');
  return lacking('swap-on');
}

/** First column of /proc/swaps, without its head. */
function listDevices(swaps: string): string[] {
  return swaps
    .split('\n')
    .slice(1)
    .flatMap((line) => (line.trim() === '' ? [] : [line.split(/\s+/)[0] ?? '']));
}

/** By its control group or one above it; version 2 only, since version 1 counts swap together with memory. */
function isForbidden(root: string, process: number | 'self'): boolean {
  const own = /^0::(\/.*)$/m.exec(readText(root, `/proc/${process}/cgroup`) ?? '')?.[1];
  if (own === undefined) return false;
  for (let group = own; ; group = dirname(group)) {
    if (readText(root, join('/sys/fs/cgroup', group, 'memory.swap.max'))?.trim() === '0') return true;
    if (group === '/') return false;
  }
}

/** zram, unless it writes what does not compress to a disk. */
function isInMemory(root: string, device: string): boolean {
  const name = deviceName(root, device);
  if (!/^zram\d+$/.test(name)) return false;
  const backing = readText(root, `/sys/block/${name}/backing_dev`)?.trim();
  return backing === undefined || backing === 'none';
}

function isEncrypted(root: string, device: string): boolean {
  const name = deviceName(root, device);
  return /^dm-\d+$/.test(name) && readText(root, `/sys/block/${name}/dm/uuid`)?.startsWith('CRYPT-') === true;
}

/** `/dev/mapper/cryptswap` -> `dm-1`. */
function deviceName(root: string, device: string): string {
  try {
    return basename(realpathSync(join(root, device)));
  } catch {
    return basename(device);
  }
}

export function readText(root: string, path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Owns whether the machine can write all of its memory to a disk and switch itself off: /sys/power/state, and what there is to write to. Who
 * may ask for it (a masked unit of systemd) is not the kernel's to tell. Sources: the kernel's admin-guide on sleep states, and
 * kernel/power/hibernate.c (without `nohibernate`, lockdown and the like, `disk` is one of the states).
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { judgeAreas, readText } from './swap.ts';
import { held, lacking, type Verdict } from './types.ts';

/** `root`: top of the file system that describes the host. */
export function judgeHibernation(root = '/'): Verdict {
  const states = readText(root, '/sys/power/state');
  // A kernel without power management has no such file.
  if (states === undefined && !existsSync(join(root, 'sys/kernel'))) return lacking('unreadable');
  if (!states?.trim().split(' ').includes('disk')) return held('no-hibernation');
  // It is written to a swap area, whatever control groups say; not to one in memory.
  const areas = judgeAreas(root);
  return areas.reason === 'swap-on' ? lacking('hibernation-on') : areas;
}

/**
 * Owns how records name the machine: by the hash that its manifest has of it, and by its start. Where a machine has no id (a
 * container without one, another system than Linux), records have zeros and a start of their own.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readHost } from '../deployment/host.ts';
import { forms } from '../words.ts';
import type { Place } from './events.ts';

const hostLength = 16;

/** `root`: top of the file system that describes the host. */
export function describeMachine(root?: string): Pick<Place, 'boot' | 'host'> {
  return { host: readHostHash(root).slice(0, hostLength), boot: readBoot() };
}

function readHostHash(root: string | undefined): string {
  try {
    return readHost(root).hosts[0] ?? '0'.repeat(hostLength);
  } catch {
    return '0'.repeat(hostLength);
  }
}

function readBoot(): string {
  try {
    const id = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    if (forms.uuid.test(id)) return id;
  } catch {
    // Another system than Linux.
  }
  return randomUUID();
}

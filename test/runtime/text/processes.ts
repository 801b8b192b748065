/** Owns what a test sees of the text processes from outside: which there are, and holding one still. Linux only, like the product. */
import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the text processes that this process started and that have not ended. */
export function textProcesses(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isOurs(pid));
}

function isOurs(pid: number): boolean {
  try {
    // Behind the name in brackets: state (Z: ended, not yet collected), parent.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return state !== 'Z' && Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/text/process.');
  } catch {
    return false;
  }
}

/** Waits until `look` gives something; fails after 20 s. */
export async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (const end = performance.now() + 20_000; performance.now() < end; ) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('nothing came within 20 s');
}

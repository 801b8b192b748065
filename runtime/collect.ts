/**
 * Owns how a process gets rid of what nobody in it needs any more: a collection of everything, whose memory V8 zeroes or gives
 * back. What goes back to malloc is overwritten by the C library then and there (launch.ts). It stops everything for some tens of milliseconds. What it is measured by:
 * server/prove/memory.ts.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'regular' | 'last-resort' }) => void;

/** Texts that are no longer reachable are gone from this process's memory when it returns, as far as a program can have it so. */
export function collectGarbage(): void {
  // The last text that a pattern has matched stays reachable until another one is.
  /^/.exec('');
  collectAll('regular');
  // Once more, until nothing is found: what only a cache holds goes too, and pages go back to the kernel.
  collectAll('last-resort');
}

function collectAll(flavor: 'regular' | 'last-resort'): void {
  findCollect()({ type: 'major', execution: 'sync', flavor });
}

let collect: Collect | undefined;

function findCollect(): Collect {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    // Of what such a collection leaves; without it free parts of pages keep what was there. Costs nothing at other times.
    setFlagsFromString('--zero-unused-memory');
    collect = runInNewContext('gc') as Collect;
  }
  return collect;
}

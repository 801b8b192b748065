/**
 * Owns how a process gets rid of what nobody in it needs any more: a collection of everything, whose memory V8 zeroes or gives back, and the
 * blocks that malloc has got back overwritten. It stops everything for some tens of milliseconds. What it is measured by: server/prove/memory.ts.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'regular' | 'last-resort' }) => void;

/**
 * Sizes of blocks in bytes, and how many are asked for. glibc keeps small ones by their size, in steps of 16, seven each for every
 * thread (the GNU C library's malloc/malloc.c, "tcache"); all others are cut from what is free.
 */
const blocks: readonly (readonly [size: number, count: number])[] = [
  ...Array.from({ length: 64 }, (_, step) => [8 + 16 * (step + 1), 8] as const),
  [65_536, 2 ** 25 / 65_536],
  ...[16_384, 4096, 1024].map((size) => [size, 2 ** 22 / size] as const),
];

/** Texts that are no longer reachable are gone from this process's memory when it returns, as far as a program can have it so. */
export function collectGarbage(): void {
  // The last text that a pattern has matched stays reachable until another one is.
  /^/.exec('');
  collectAll('regular');
  overwriteFreed();
  // Once more, until nothing is found: what only a cache holds goes too, and pages go back to the kernel.
  collectAll('last-resort');
}

/**
 * What malloc has got back keeps what was in it, as what sockets were written from does. It gives such blocks away first, and those that
 * are asked for zeroed are zeroed then.
 */
function overwriteFreed(): void {
  // All are held until the last is there: none is to be made of another.
  blocks.map(([size, count]) => Array.from({ length: count }, () => new ArrayBuffer(size)));
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

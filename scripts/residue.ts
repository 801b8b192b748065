/**
 * Owns the command line over the search in the memory of other processes (server/prove/memory.ts), for servers that are not ours too: how many
 * copies of given texts are in what they may write, as Latin-1 (UTF-8 of ASCII) and as UTF-16LE, the two forms that V8 keeps strings in.
 * Linux; who asks must be root or, where the kernel asks for that, an ancestor of the processes.
 *
 * As a program: node scripts/residue.ts PID... < file with one text a line. Exit code 1 where any is found.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { countInMemory, type MemoryCount } from '../server/prove/memory.ts';

/** What was found in one process. */
export interface Copies {
  readonly pid: number;
  readonly latin1: number;
  readonly utf16: number;
  /** Of both together, by the kind of mapping. */
  readonly places: MemoryCount['counts'];
  /** Bytes that were read. */
  readonly size: number;
  /** Bytes that could not be read. */
  readonly unreadSize: number;
}

/** Copies of texts, all together, in each process. Of texts that begin alike only the beginning need be given. Throws where a process cannot be read at all. */
export function countCopies(pids: readonly number[], texts: readonly string[]): readonly Copies[] {
  if (texts.length === 0 || texts.includes('')) throw new Error('Expected texts to look for, none of them empty.');
  const needles = (['latin1', 'utf16le'] as const).flatMap((form) => texts.map((text) => Buffer.from(text, form)));
  return pids.map((pid) => {
    const found = countInMemory(pid, needles);
    if (found === undefined) throw new Error(`The memory of process ${pid} cannot be read: it has ended, or this user may not.`);
    const latin1 = found.ofNeedles.slice(0, texts.length).reduce((sum, count) => sum + count, 0);
    return { pid, latin1, utf16: found.total - latin1, places: found.counts, size: found.size, unreadSize: found.closedSize + found.deviceSize };
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const pids = process.argv.slice(2).map(Number);
  const texts = readFileSync(0, 'latin1')
    .split('\n')
    .filter((line) => line !== '');
  const copies = countCopies(pids, texts);
  process.stdout.write(`${JSON.stringify(copies)}\n`);
  process.exitCode = copies.some(({ latin1, utf16 }) => latin1 + utf16 > 0) ? 1 : 0;
}

/**
 * Owns the search for given texts in the memory of other processes: how many copies are in what they may write, as Latin-1 (UTF-8
 * of ASCII) and as UTF-16LE, the two forms that V8 keeps strings in. Linux; who asks must be root or, where the kernel asks for
 * that, an ancestor of the processes. Refuses the process that it runs in: its own buffers would be counted.
 *
 * As a program: node scripts/residue.ts PID... < file with one text a line. Exit code 1 where any is found.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** What was found in one process. */
export interface Copies {
  readonly pid: number;
  readonly latin1: number;
  readonly utf16: number;
  /** Of both together, by the kind of mapping: `heap` (of malloc), `stack`, `anonymous` (V8, threads, large allocations), `file`. */
  readonly places: Readonly<Record<string, number>>;
  /** Bytes that were read. */
  readonly size: number;
  /** Bytes that could not be read. */
  readonly unreadSize: number;
}

interface Mapping {
  readonly from: number;
  readonly to: number;
  readonly place: string;
}

const pieceSize = 2 ** 22;

/** Copies of texts, all together, in each process. Of texts that begin alike only the beginning need be given. Throws where a process cannot be read at all. */
export function countCopies(pids: readonly number[], texts: readonly string[]): readonly Copies[] {
  if (texts.length === 0 || texts.includes('')) throw new Error('Expected texts to look for, none of them empty.');
  return pids.map((pid) => countIn(pid, texts));
}

function countIn(pid: number, texts: readonly string[]): Copies {
  if (pid === process.pid) throw new Error('A process cannot be searched by itself: what it looks for is in its memory.');
  const forms = texts.map((text) => ({ latin1: Buffer.from(text, 'latin1'), utf16: Buffer.from(text, 'utf16le') }));
  // A copy may lie over the end of a piece.
  const overlap = Math.max(...forms.map(({ utf16 }) => utf16.length)) - 1;
  const buffer = Buffer.alloc(pieceSize + overlap);
  const found = { latin1: 0, utf16: 0, size: 0, unreadSize: 0 };
  const places: Record<string, number> = {};
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const { from, to, place } of readMappings(pid)) {
      for (let at = from; at < to; at += pieceSize) {
        const size = tryRead(memory, buffer, at, Math.min(pieceSize + overlap, to - at));
        found.size += Math.min(size, pieceSize);
        found.unreadSize += Math.max(0, Math.min(pieceSize, to - at) - size);
        const bytes = buffer.subarray(0, size);
        for (const { latin1, utf16 } of forms) {
          const [narrow, wide] = [countOf(latin1, bytes), countOf(utf16, bytes)];
          found.latin1 += narrow;
          found.utf16 += wide;
          if (narrow + wide > 0) places[place] = (places[place] ?? 0) + narrow + wide;
        }
      }
    }
  } finally {
    closeSync(memory);
  }
  return { pid, ...found, places };
}

/** Those that begin in the first `pieceSize` bytes: the next piece has the others. */
function countOf(form: Buffer, bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(form); at >= 0 && at < pieceSize; at = bytes.indexOf(form, at + 1)) count++;
  return count;
}

/** What the process may write. */
function readMappings(pid: number): Mapping[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n');
  return lines.flatMap((line) => {
    const [, from = '', to = '', rights = '', name = ''] = /^(\S+)-(\S+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
    if (!rights.startsWith('rw')) return [];
    const place = name === '' || name.startsWith('[anon') ? 'anonymous' : name.startsWith('[') ? name.slice(1, -1) : 'file';
    return [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16), place }];
  });
}

/** Bytes that were read; a mapping may be gone by now. */
function tryRead(memory: number, buffer: Buffer, position: number, size: number): number {
  try {
    return readSync(memory, buffer, 0, size, position);
  } catch {
    return 0;
  }
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

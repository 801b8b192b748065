/**
 * Owns how `inward deid` reads: a whole file or standard input, or lines of it, as UTF-8 and nothing else. Refuses bytes that are no UTF-8
 * by their place, never by what stands there.
 */
import { createReadStream } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';

/** Longest text that is taken at once; a string of V8 has no more than twice of it. */
const mostSize = 256 * 2 ** 20;

/** The whole of it. Throws SiteError. */
export async function readText(path: string, world: World): Promise<string> {
  const bytes = await readFrom(path, async () => await buffer(openInput(path, world)));
  if (bytes.length > mostSize) throw new SiteError(`A text may have up to ${mostSize} bytes, this one has ${bytes.length}: give it as lines (--jsonl).`);
  return decode(bytes, '');
}

/** Its lines without their ends, one at a time; the last may lack one. Throws SiteError. */
export async function* readLines(path: string, world: World): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let size = 0;
  let count = 1;
  const stream = openInput(path, world)[Symbol.asyncIterator]();
  for (let read = await readFrom(path, () => stream.next()); read.done !== true; read = await readFrom(path, () => stream.next())) {
    const bytes = Buffer.from(read.value);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield decode(Buffer.concat([...parts, bytes.subarray(start, end)]), `line ${count}, `);
      [parts, size, count, start] = [[], 0, count + 1, end + 1];
    }
    parts.push(bytes.subarray(start));
    size += bytes.length - start;
    if (size > mostSize) throw new SiteError(`A line may have up to ${mostSize} bytes, line ${count} has more: cut it.`);
  }
  if (size > 0) yield decode(Buffer.concat(parts), `line ${count}, `);
}

function openInput(path: string, world: World): AsyncIterable<Buffer | string> {
  return path === '-' ? world.in : createReadStream(isAbsolute(path) ? path : join(world.folder, path));
}

/** Errors of the system quote paths, which say no more than the command line did. */
async function readFrom<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new SiteError(`Expected a file that can be read, or - for standard input; ${path} gave ${code}: name another.`);
  }
}

/** The mark at the beginning stays: offsets count from it. */
function decode(bytes: Buffer, where: string): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd')) return text;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SiteError(`Expected UTF-8; ${where}byte ${findFlaw(bytes)} is none: convert the file, with \`iconv -f LATIN1 -t UTF-8\` if it is Latin-1.`);
  }
}

/** How many bytes there are before the first that belongs to no character. */
function findFlaw(bytes: Buffer): number {
  const decodes = (size: number, stream: boolean): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, size), { stream });
      return true;
    } catch {
      return false;
    }
  };
  let [low, high] = [0, bytes.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (decodes(middle, true)) low = middle;
    else high = middle - 1;
  }
  // A character that was begun there is not finished by what follows.
  while (!decodes(low, false)) low -= 1;
  return low;
}

/**
 * Owns the search for markers in what a server left: files, standard streams, answers about its state. Files are read in pieces.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { type Claim, doubt, type Finding, judge, type Place } from '../claims.ts';
import type { Markers } from '../markers.ts';
import { pieceSize, Scan } from '../scan.ts';

/** Bytes that are here, or a file. */
export interface Text {
  readonly name: string;
  readonly path: string;
}
export interface Bytes {
  readonly name: string;
  readonly bytes: Buffer;
}

export function judgeTexts(claim: Claim, texts: readonly (Text | Bytes)[], markers: Markers): Finding {
  let [size, searched, closed] = [0, 0, 0];
  const places: Place[] = [];
  for (const text of texts) {
    const found = 'bytes' in text ? { count: markers.countIn(text.bytes), size: text.bytes.length } : countInFile(text.path, markers);
    if (found === 'closed') closed++;
    else if (found !== 'gone') searched++;
    const { count: inside, size: read } = typeof found === 'string' ? { count: 0, size: 0 } : found;
    size += read;
    // The name of a file can hold one as well.
    const count = inside + markers.countIn(Buffer.from(text.name));
    if (count > 0) places.push({ where: markers.hide(text.name), process: 'none', count });
  }
  if (closed > 0) return doubt(claim, places, `${closed} files could not be read; ${searched} were searched.`);
  return judge(
    claim,
    places,
    `${size} bytes were searched (${searched} ${claim === 'traces' ? 'files' : 'texts'}): plain, upper case, UTF-16, hexadecimal, base64, JSON escapes.`,
  );
}

/** `gone`: there is no such file any more; a draft that got its own name, or a journal. `closed`: it is there, and cannot be read to its end. */
function countInFile(path: string, markers: Markers): { readonly count: number; readonly size: number } | 'gone' | 'closed' {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'closed';
  }
  try {
    const scan = new Scan(markers.needles.map(({ bytes }) => bytes));
    while (scan.next((buffer, offset) => readSync(file, buffer, offset, pieceSize, null)) > 0);
    return { count: scan.total, size: scan.size };
  } catch {
    return 'closed';
  } finally {
    closeSync(file);
  }
}

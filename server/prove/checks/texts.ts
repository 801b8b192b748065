/**
 * Owns the search for markers in what a server left: files, standard streams, answers about its state. Files are read in pieces.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { type Claim, type Finding, judge, type Place } from '../claims.ts';
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
  let size = 0;
  const places: Place[] = [];
  for (const text of texts) {
    const found = 'bytes' in text ? { count: markers.countIn(text.bytes), size: text.bytes.length } : countInFile(text.path, markers);
    size += found.size;
    // The name of a file can hold one as well.
    const count = found.count + markers.countIn(Buffer.from(text.name));
    if (count > 0) places.push({ where: markers.hide(text.name), process: 'none', count });
  }
  return judge(
    claim,
    places,
    `${size} bytes were searched (${texts.length} ${claim === 'traces' ? 'files' : 'texts'}): plain, upper case, UTF-16, hexadecimal, base64, JSON escapes.`,
  );
}

function countInFile(path: string, markers: Markers): { readonly count: number; readonly size: number } {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // A name that is gone: a draft that got its own name, or a journal.
    return { count: 0, size: 0 };
  }
  try {
    const scan = new Scan(markers.needles.map(({ bytes }) => bytes));
    while (scan.next((buffer, offset) => readSync(file, buffer, offset, pieceSize, null)) > 0);
    return { count: scan.total, size: scan.size };
  } catch {
    return { count: 0, size: 0 };
  } finally {
    closeSync(file);
  }
}

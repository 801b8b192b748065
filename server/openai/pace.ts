/**
 * Owns what a paced answer shows to whoever watches the wire: bytes leave at ticks only, counted from the request's arrival,
 * and their number is a multiple of a grid. So sizes and gaps tell how many ticks an answer took, and not which tokens it has.
 * Source: Whisper Leak (arXiv 2511.03675), where topics are told from sizes and gaps of encrypted streams. Does not hide how long a
 * text is that outgrows the grid within one tick, nor that there is an answer.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Pace {
  /** Between two ticks, in ms. */
  readonly cadenceMs: number;
  /** What sizes are multiples of, in bytes. */
  readonly gridSize: number;
  /** When the request arrived, by performance.now(). */
  readonly start: number;
}

/** So much may a timer be early, in ms. */
const earlyMs = 2;

/** From now until the next tick, in ms. A tick that was missed is not made up for. */
export function untilTick({ cadenceMs, start }: Pace): number {
  return cadenceMs + earlyMs - ((performance.now() - start + earlyMs) % cadenceMs);
}

/** Resolves at the next tick; rejects when `signal` aborts before. */
export async function waitForTick(pace: Pace, signal: AbortSignal): Promise<void> {
  await sleep(untilTick(pace), undefined, { signal });
}

/** Frames of a stream, and behind them a comment line, which readers of server-sent events skip. */
export function padFrames(frames: string, gridSize: number): string {
  // A comment is a colon at least, and two ends of line.
  const length = fill(Buffer.byteLength(frames) + 3, gridSize);
  return `${frames}:${' '.repeat(length)}\n\n`;
}

/** JSON may end with blanks. */
export function padJson(text: string, gridSize: number): string {
  return text + ' '.repeat(fill(Buffer.byteLength(text), gridSize));
}

/** Bytes that `size` lacks to the next multiple. */
function fill(size: number, gridSize: number): number {
  return (gridSize - (size % gridSize)) % gridSize;
}

/** Owns how fast the detector is on one core: megabytes of notes a second of processor time, and the time of one note of some 4,000 tokens. */
import { createDetector } from '../../server/privacy/deid/detector.ts';

export interface Speed {
  /** 10^6 bytes of UTF-8 a second of processor time, the best of the rounds: what others do on the machine only ever slows it. */
  readonly megabytesPerSecond: number;
  /** Milliseconds for one note, the best of the rounds. */
  readonly noteMilliseconds: number;
  readonly noteLength: number;
}

const rounds = 15;
/** Some 4,000 tokens of a model, at four characters each. */
const noteLength = 16_000;

export function measureSpeed(texts: readonly string[]): Speed {
  const detector = createDetector();
  const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const note = texts.join('\n\n').slice(0, noteLength);
  const all = bestSeconds(() => {
    for (const text of texts) detector.detect(text);
  });
  return { megabytesPerSecond: size / 1e6 / all, noteMilliseconds: bestSeconds(() => detector.detect(note)) * 1000, noteLength: note.length };
}

function bestSeconds(work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1e6);
  }
  return best;
}

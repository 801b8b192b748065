/**
 * Owns how fast the detector is on one core: megabytes of notes a second, the time of one note of some 4,000 tokens, and that of the way back of one token of
 * an answer. In processor time, which others on the machine hardly change, and by the clock.
 */
import { deidentify } from '../../server/privacy/deid/deidentify.ts';
import { createDetector } from '../../server/privacy/deid/detector.ts';
import { createRestorer } from '../../server/privacy/deid/restore/restorer.ts';

/** Each the best of the rounds: what others do on the machine only ever slows it. */
export interface Timed {
  readonly processor: number;
  readonly clock: number;
}

export interface Speed {
  /** 10^6 bytes of UTF-8 a second. */
  readonly megabytesPerSecond: Timed;
  /** Milliseconds for one note. */
  readonly noteMilliseconds: Timed;
  readonly noteLength: number;
  /** Milliseconds for one part of an answer, of the length of a token. */
  readonly restoreMilliseconds: Timed;
}

const rounds = 15;
/** Characters of a token of a model, and of a note of some 4,000. */
const tokenLength = 4;
const noteLength = 4000 * tokenLength;

export function measureSpeed(texts: readonly string[]): Speed {
  const detector = createDetector();
  const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const note = texts.join('\n\n').slice(0, noteLength);
  const all = bestSeconds(() => {
    for (const text of texts) detector.detect(text);
  });
  const one = bestSeconds(() => detector.detect(note));
  return {
    megabytesPerSecond: scale(all, (seconds) => size / 1e6 / seconds),
    noteMilliseconds: scale(one, (seconds) => seconds * 1000),
    noteLength: note.length,
    restoreMilliseconds: measureRestore(note),
  };
}

/** The answer says the whole note again, so that it is full of what has to be put back. */
function measureRestore(note: string): Timed {
  const { text, mapping } = deidentify(note);
  using _ = mapping;
  const parts = Math.ceil(text.length / tokenLength);
  const whole = bestSeconds(() => {
    const restorer = createRestorer(mapping);
    for (let part = 0; part < parts; part++) restorer.push(text.slice(part * tokenLength, (part + 1) * tokenLength));
    restorer.end();
  });
  return scale(whole, (seconds) => (seconds * 1000) / parts);
}

function scale({ processor, clock }: Timed, write: (seconds: number) => number): Timed {
  return { processor: write(processor), clock: write(clock) };
}

function bestSeconds(work: () => unknown): Timed {
  let [processor, clock] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < rounds; round++) {
    const [before, start] = [process.cpuUsage(), performance.now()];
    work();
    clock = Math.min(clock, (performance.now() - start) / 1000);
    const { user, system } = process.cpuUsage(before);
    processor = Math.min(processor, (user + system) / 1e6);
  }
  return { processor, clock };
}

/**
 * Owns stop strings: text goes in piece by piece, only text before the first stop string comes out.
 * Holds back the end of the text while a stop string could still begin there. The result does not depend on how the
 * text was cut into pieces: the stop string that is complete first wins, and of those the longest.
 */
export interface Stopped {
  readonly isStopped: boolean;
  /** The stop string that it was. */
  readonly stop?: string;
}

export interface StopMatcher {
  push(piece: string): { readonly text: string } & Stopped;
  /** What was held back, once it is known that nothing follows. */
  end(): string;
}

export function createStopMatcher(stops: readonly string[]): StopMatcher {
  let held = '';
  return {
    push: (piece) => {
      held += piece;
      const found = findStop(held, stops);
      const cut = found?.start ?? held.length - countHeld(held, stops);
      const text = held.slice(0, cut);
      held = found === undefined ? held.slice(cut) : '';
      return found === undefined ? { text, isStopped: false } : { text, isStopped: true, stop: found.stop };
    },
    end: () => held,
  };
}

/** The stop string that ends first, and where it begins. */
function findStop(text: string, stops: readonly string[]): { readonly start: number; readonly stop: string } | undefined {
  let best: { readonly start: number; readonly end: number; readonly stop: string } | undefined;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    const end = start + stop.length;
    if (start >= 0 && (best === undefined || end < best.end || (end === best.end && start < best.start))) best = { start, end, stop };
  }
  return best;
}

/** Length of the longest end of `text` that begins a stop string. */
function countHeld(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}

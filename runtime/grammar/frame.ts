/**
 * Owns the form of an automaton over bytes: frames on a stack. The frame on top answers each byte: go on as another frame, put a
 * frame on top, or leave with an exit, which tells the frame below what was read. One stack is enough, because brackets and quotes
 * say when a value of JSON begins and ends; a grammar without such marks is one frame that holds all that it may be in.
 * Answers are remembered, so an automaton is made as far as it was used. Refuses nothing: no answer means that the byte cannot be.
 */
import type { Budget } from './refusal.ts';

/** Tokens that no text has are steps too: a token's id above this number in place of a byte. */
export const tokenBase = 256;

/** What a byte leads to: a frame instead of this one, a frame on top of another one instead of this one, or an exit. */
export type Outcome = Frame | Push | Exit;

/** `child` on top of `below`. */
export class Push {
  readonly kind = 'push';
  readonly below: Frame;
  readonly child: Frame;

  constructor(below: Frame, child: Frame) {
    this.below = below;
    this.child = child;
  }
}

/** A frame is done. `taken`: what it read, as numbers that the frame below knows; `isConsumed`: whether the byte was part of it. */
export class Exit {
  readonly kind = 'exit';
  readonly taken: readonly number[];
  readonly isConsumed: boolean;

  constructor(taken: readonly number[], isConsumed: boolean) {
    this.taken = taken;
    this.isConsumed = isConsumed;
  }
}

export abstract class Frame {
  readonly kind = 'frame';
  /** By the upper three bits of a byte, then the others; most frames take few bytes, and what they do not take is quick to say. */
  readonly #outcomes: (Outcome | undefined)[][] = [];
  #resumed: Map<Exit, Frame | null> | undefined;
  /** How many more characters of any text this frame takes, quotes, backslashes and controls aside; -1 where it depends on them. */
  readonly freedom: number;
  /** Of the frame that a grammar begins with: what bounds its work. */
  budget: Budget | undefined;
  /** What masks.ts remembers here. */
  known: unknown;
  /** Ids of tokens that the frame takes as such (`tokenBase`), whatever their bytes. */
  readonly tokens: readonly number[] = [];

  constructor(freedom = -1) {
    this.freedom = freedom;
  }

  /** What the byte leads to; null if it cannot come here. */
  step(byte: number): Outcome | null {
    const row = this.#outcomes[byte >> 5];
    const found = row?.[byte & 31];
    if (found !== undefined) return found;
    const answer = this.answer(byte);
    if (answer !== null) (row ?? (this.#outcomes[byte >> 5] = new Array(32)))[byte & 31] = answer;
    return answer;
  }

  /** The frame instead of this one once the frame above has left; null if what it read cannot be. */
  resume(exit: Exit): Frame | null {
    this.#resumed ??= new Map();
    const found = this.#resumed.get(exit);
    if (found !== undefined) return found;
    const frame = this.receive(exit.taken);
    this.#resumed.set(exit, frame);
    return frame;
  }

  /** Whether the text may end here, if this is the lowest frame. */
  get isComplete(): boolean {
    return false;
  }

  /** The exit that the end of the text causes. */
  get ending(): Exit | undefined {
    return undefined;
  }

  protected abstract answer(byte: number): Outcome | null;

  protected receive(_taken: readonly number[]): Frame | null {
    return null;
  }
}

/** Frames below the top one. */
export interface Stack {
  readonly frame: Frame;
  readonly below: Stack | null;
}

/** Where an automaton is. */
export interface Place {
  readonly frame: Frame;
  readonly stack: Stack | null;
}

/** Objects that are made once for each key. */
export class Interned<T> {
  readonly #limit: number;
  #made = new Map<string, T>();

  /** More than `limit` are not remembered together: what is forgotten is made anew, and what is in use stays. */
  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  get(key: string, make: () => T): T {
    const found = this.#made.get(key);
    if (found !== undefined) return found;
    if (this.#made.size >= this.#limit) this.#made = new Map();
    const made = make();
    this.#made.set(key, made);
    return made;
  }
}

/** Where a byte leads; undefined if it cannot come here. */
export function advance({ frame, stack }: Place, byte: number): Place | undefined {
  let [top, below] = [frame, stack];
  for (;;) {
    const outcome = top.step(byte);
    if (outcome === null) return undefined;
    if (outcome.kind === 'frame') return { frame: outcome, stack: below };
    if (outcome.kind === 'push') return { frame: outcome.child, stack: { frame: outcome.below, below } };
    const resumed = below?.frame.resume(outcome);
    if (below === null || resumed === undefined || resumed === null) return undefined;
    [top, below] = [resumed, below.below];
    if (outcome.isConsumed) return { frame: top, stack: below };
  }
}

/** Whether the text may end here. */
export function isComplete(place: Place): boolean {
  let last: Frame | undefined;
  for (const { frame, stack } of listEndings(place)) last = stack === null ? frame : undefined;
  return last?.isComplete === true;
}

/** The byte that must come; undefined where there are several, a token may come as such, or the text may end. */
export function findOnly(place: Place): number | undefined {
  if (place.frame.freedom > 0 || isComplete(place) || listTokens(place).length > 0) return undefined;
  let found: number | undefined;
  for (let byte = 0; byte < tokenBase; byte++) {
    if (advance(place, byte) === undefined) continue;
    if (found !== undefined) return undefined;
    found = byte;
  }
  return found;
}

/** Tokens that may come here as such. */
export function listTokens(place: Place): number[] {
  return Array.from(listEndings(place), ({ frame }) => frame.tokens).flat();
}

/** The place, and those that it becomes where what is read on top may be over. */
function* listEndings(place: Place): Generator<Place> {
  let [top, below]: [Frame | null, Stack | null] = [place.frame, place.stack];
  for (;;) {
    yield { frame: top, stack: below };
    const ending: Exit | undefined = below === null ? undefined : top.ending;
    if (below === null || ending === undefined) return;
    [top, below] = [below.frame.resume(ending), below.below];
    if (top === null) return;
  }
}

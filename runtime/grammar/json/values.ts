/**
 * Owns the frames of JSON: the root, bare words and numbers, arrays, objects. A value is read for all shapes at once that it may
 * have to meet, its goals; its exit tells which of them it met, and the frame below keeps the states that wanted those.
 * Refuses white space beyond what `Spacing` allows, so that no model can write it for ever.
 */
import { Frame, Interned, type Outcome, Push } from '../frame.ts';
import { orderReadings, type Reading } from '../scan.ts';
import { isLive, step } from '../terms/derive.ts';
import type { Terms } from '../terms/terms.ts';
import { type ArrayState, canEndArray, keyOfArray, listItems, startArrays } from './arrays.ts';
import { canEndObject, type KeyClass, keyOfObject, listKeys, type ObjectState, startObjects } from './objects.ts';
import type { Shape } from './shape.ts';
import { Exits, Strings, type Writing } from './strings.ts';

const [comma, colon, quote, openBracket, closeBracket, openBrace, closeBrace] = Array.from(',:"[]{}', (mark) => mark.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];
const deepestIndent = 64;

/** Makes the frames, each once. */
export class Values {
  readonly terms: Terms;
  readonly exits: Exits = new Exits();
  readonly strings: Strings;
  readonly #frames = new Interned<Frame>();

  constructor(terms: Terms, writing: Writing) {
    this.terms = terms;
    this.strings = new Strings(terms, this.exits, writing);
  }

  intern<T extends Frame>(key: string, make: () => T): T {
    return this.#frames.get(key, make) as T;
  }

  /** The frame before a text that is one value. */
  root(shape: Shape): Frame {
    return new RootFrame(this, shape, 'before', 0);
  }

  /** The frame of a value behind its first byte; null if no goal has such a value. */
  open(goals: readonly Shape[], byte: number): Frame | null {
    if (byte === quote) return this.strings.open(goals.map(({ string }, goal) => ({ goal, term: string })));
    if (byte === openBracket) return this.array('first', startArrays(goals), 0);
    if (byte === openBrace) return this.object('first', startObjects(goals), 0);
    return this.bare(stepAll(this.terms, goals.map(({ bare }, goal) => ({ goal, term: bare })), byte)); // biome-ignore format: one line
  }

  bare(readings: readonly Reading[]): Frame | null {
    if (readings.length === 0) return null;
    const { key, readings: sorted } = orderReadings(readings);
    return this.intern(`b${key}`, () => new BareFrame(this, sorted));
  }

  array(phase: ArrayPhase, states: readonly ArrayState[], space: number): Frame | null {
    if (states.length === 0) return null;
    const byKey = new Map(states.map((state) => [keyOfArray(state), state]));
    const key = [...byKey.keys()].sort().join();
    return this.intern(`a${phase}${space}|${key}`, () => new ArrayFrame(this, phase, [...byKey.values()], space));
  }

  object(phase: ObjectPhase, states: readonly ObjectState[], space: number): Frame | null {
    if (states.length === 0) return null;
    const byKey = new Map(states.map((state) => [keyOfObject(state), state]));
    const key = [...byKey.keys()].sort().join();
    return this.intern(`o${phase}${space}|${key}`, () => new ObjectFrame(this, phase, [...byKey.values()], space));
  }

  /** The number of white space so far, with this byte; undefined if the byte is none that may come. */
  addSpace(space: number, byte: number): number | undefined {
    const isBlank = byte === 0x20 || byte === 0x09;
    const isBreak = byte === 0x0a || byte === 0x0d;
    if (!(isBlank || isBreak)) return undefined;
    if (this.strings.writing === 'any') return 0;
    // 1 is a space and 2 a carriage return, behind which nothing more or a line feed comes; from 3 on there was a line break.
    if (space === 0) return byte === 0x20 ? 1 : byte === 0x0d ? 2 : byte === 0x0a ? 3 : undefined;
    if (space === 2) return byte === 0x0a ? 3 : undefined;
    return space >= 3 && space < 3 + deepestIndent && isBlank ? space + 1 : undefined;
  }
}

function stepAll(terms: Terms, readings: readonly Reading[], byte: number): Reading[] {
  if (byte >= 0x80) return [];
  return readings.flatMap(({ goal, term }) => {
    const next = step(terms, term, byte);
    return next !== undefined && isLive(terms, next) ? [{ goal, term: next }] : [];
  });
}

/** Goals of a value, each once, and what is to become of whoever wanted it. */
function gatherGoals<T>(values: readonly { readonly shape: Shape; readonly after: T }[]): { goals: Shape[]; wanted: { goal: number; after: T }[] } {
  const goals = [...new Set(values.map(({ shape }) => shape))];
  return { goals, wanted: values.map(({ shape, after }) => ({ goal: goals.indexOf(shape), after })) };
}

class RootFrame extends Frame {
  readonly #values: Values;
  readonly #shape: Shape;
  readonly #phase: 'before' | 'after';
  readonly #space: number;

  constructor(values: Values, shape: Shape, phase: 'before' | 'after', space: number) {
    super();
    [this.#values, this.#shape, this.#phase, this.#space] = [values, shape, phase, space];
  }

  override get isComplete(): boolean {
    return this.#phase === 'after';
  }

  protected override answer(byte: number): Outcome | null {
    const space = this.#values.addSpace(this.#space, byte);
    if (this.#phase === 'after') return space === undefined || this.#values.strings.writing !== 'any' ? null : this;
    if (space !== undefined) return space === this.#space ? this : new RootFrame(this.#values, this.#shape, 'before', space);
    const child = this.#values.open([this.#shape], byte);
    return child === null ? null : new Push(this, child);
  }

  protected override receive(): Frame {
    return this.#values.intern('root after', () => new RootFrame(this.#values, this.#shape, 'after', 0));
  }
}

/** A word or number: it ends before a byte that is not of it. */
class BareFrame extends Frame {
  readonly #values: Values;
  readonly #readings: readonly Reading[];

  constructor(values: Values, readings: readonly Reading[]) {
    super();
    [this.#values, this.#readings] = [values, readings];
  }

  override get ending(): ReturnType<Exits['get']> | undefined {
    const goals = [...new Set(this.#readings.filter(({ term }) => term.isNullable).map(({ goal }) => goal))];
    return goals.length === 0 ? undefined : this.#values.exits.get(goals, false);
  }

  protected override answer(byte: number): Outcome | null {
    const next = this.#values.bare(stepAll(this.#values.terms, this.#readings, byte));
    // A digit behind a whole number, or a letter, is no part of what follows: only marks and white space are.
    return next ?? this.ending ?? null;
  }
}

type ArrayPhase = 'first' | 'item' | 'next';

/** `first`: behind the bracket; `item`: behind a comma; `next`: behind an item. */
class ArrayFrame extends Frame {
  readonly #values: Values;
  readonly #phase: ArrayPhase;
  readonly #states: readonly ArrayState[];
  readonly #space: number;
  #items: ReturnType<typeof gatherGoals<ArrayState>> | undefined;

  constructor(values: Values, phase: ArrayPhase, states: readonly ArrayState[], space: number) {
    super();
    [this.#values, this.#phase, this.#states, this.#space] = [values, phase, states, space];
  }

  get #gathered(): ReturnType<typeof gatherGoals<ArrayState>> {
    return (this.#items ??= gatherGoals(this.#states.flatMap(listItems)));
  }

  protected override answer(byte: number): Outcome | null {
    const values = this.#values;
    const space = values.addSpace(this.#space, byte);
    if (space !== undefined) return values.array(this.#phase, this.#states, space);
    if (byte === closeBracket) {
      const goals = this.#phase === 'item' ? [] : this.#states.filter(canEndArray).map(({ goal }) => goal);
      return goals.length === 0
        ? null
        : values.exits.get(
            [...new Set(goals)].sort((a, b) => a - b),
            true,
          );
    }
    if (this.#phase === 'next') {
      const states = byte === comma ? this.#states.filter((state) => listItems(state).length > 0) : [];
      return values.array('item', states, 0);
    }
    const child = this.#gathered.goals.length === 0 ? null : values.open(this.#gathered.goals, byte);
    return child === null ? null : new Push(this, child);
  }

  protected override receive(met: readonly number[]): Frame | null {
    const states = this.#gathered.wanted.filter(({ goal }) => met.includes(goal)).map(({ after }) => after);
    return this.#values.array('next', states, 0);
  }
}

type ObjectPhase = 'first' | 'key' | 'next';

/** `first`: behind the brace; `key`: behind a comma; `next`: behind a value. A key is read on top of it, and a value on top of its key. */
class ObjectFrame extends Frame {
  readonly #values: Values;
  readonly #phase: ObjectPhase;
  readonly #states: readonly ObjectState[];
  readonly #space: number;
  #keys: readonly KeyClass[] | undefined;

  constructor(values: Values, phase: ObjectPhase, states: readonly ObjectState[], space: number) {
    super();
    [this.#values, this.#phase, this.#states, this.#space] = [values, phase, states, space];
  }

  get #classes(): readonly KeyClass[] {
    return (this.#keys ??= listKeys(this.#values.terms, this.#states));
  }

  protected override answer(byte: number): Outcome | null {
    const values = this.#values;
    const space = values.addSpace(this.#space, byte);
    if (space !== undefined) return values.object(this.#phase, this.#states, space);
    if (byte === closeBrace) {
      const goals = this.#phase === 'key' ? [] : this.#states.filter(canEndObject).map(({ goal }) => goal);
      return goals.length === 0
        ? null
        : values.exits.get(
            [...new Set(goals)].sort((a, b) => a - b),
            true,
          );
    }
    if (this.#phase === 'next') return byte === comma && this.#classes.length > 0 ? values.object('key', this.#states, 0) : null;
    const child = byte === quote ? values.strings.open(this.#classes.map(({ keys }, goal) => ({ goal, term: keys }))) : null;
    return child === null ? null : new Push(this, child);
  }

  protected override receive([index]: readonly number[]): Frame | null {
    const { goals, wanted } = gatherGoals(this.#classes[index!]!.values);
    return new MemberFrame(this.#values, goals, wanted, 'colon', 0);
  }
}

interface Wanted {
  readonly goal: number;
  readonly after: ObjectState;
}

/** Between a key and its value. */
class MemberFrame extends Frame {
  readonly #values: Values;
  readonly #goals: readonly Shape[];
  readonly #wanted: readonly Wanted[];
  readonly #phase: 'colon' | 'value';
  readonly #space: number;

  constructor(values: Values, goals: readonly Shape[], wanted: readonly Wanted[], phase: 'colon' | 'value', space: number) {
    super();
    [this.#values, this.#goals, this.#wanted, this.#phase, this.#space] = [values, goals, wanted, phase, space];
  }

  protected override answer(byte: number): Outcome | null {
    const space = this.#values.addSpace(this.#space, byte);
    if (space !== undefined) return space === this.#space ? this : new MemberFrame(this.#values, this.#goals, this.#wanted, this.#phase, space);
    if (this.#phase === 'colon') return byte === colon ? new MemberFrame(this.#values, this.#goals, this.#wanted, 'value', 0) : null;
    const child = this.#values.open(this.#goals, byte);
    return child === null ? null : new Push(this, child);
  }

  protected override receive(met: readonly number[]): Frame | null {
    return this.#values.object('next', this.#wanted.filter(({ goal }) => met.includes(goal)).map(({ after }) => after), 0); // biome-ignore format: one line
  }
}

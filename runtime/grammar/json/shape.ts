/**
 * Owns the form in which the automaton wants its values described: for each value a shape, which says by kind what the value may be,
 * and for containers the alternatives. Refuses to know of schemas: runtime/grammar/schema makes shapes of them.
 */
import type { Term } from '../terms/term.ts';

/** What one value may be. Shapes are made once for what they say, and compared by identity. */
export interface Shape {
  readonly id: number;
  /** Texts without quotes: numbers, true, false, null. */
  readonly bare: Term;
  /** What strings mean. */
  readonly string: Term;
  readonly arrays: readonly ArrayForm[];
  readonly objects: readonly ObjectForm[];
  /** Whether any value meets it. */
  readonly isLive: boolean;
}

/** One way in which an array may meet its shape. */
export interface ArrayForm {
  readonly id: number;
  /** Of items up to the length of `items`; then `rest` for each. */
  readonly items: readonly Shape[];
  readonly rest: Shape;
  readonly least: number;
  /** May be infinite. */
  readonly most: number;
  readonly contains: Contains | undefined;
  /** Where no two items may be alike: the values that they may have, each a shape; `rest` is all of these. */
  readonly distinct?: readonly Shape[] | undefined;
}

/** Some items must meet a further shape. */
export interface Contains {
  readonly least: number;
  readonly most: number;
  /** Like `items` and `rest`, of an item that counts. */
  readonly counted: readonly Shape[];
  readonly countedRest: Shape;
  /** Of one that does not: it may be any item where there is no bound above. */
  readonly other: readonly Shape[];
  readonly otherRest: Shape;
}

/** One way in which an object may meet its shape. */
export interface ObjectForm {
  readonly id: number;
  readonly names: ReadonlyMap<string, Property>;
  /** What keys that are no name may be, by the patterns that they match: disjoint terms, all texts together. */
  readonly open: readonly OpenKeys[];
  /** The shape of any key that is no name of this form. */
  readonly find: (name: string) => Shape;
  /** Bits of `Property.bit`. */
  readonly required: bigint;
  readonly least: number;
  readonly most: number;
}

export interface Property {
  readonly bit: bigint;
  readonly shape: Shape;
}

export interface OpenKeys {
  readonly keys: Term;
  readonly shape: Shape;
}

/**
 * Owns what the compiler of grammars refuses, and the counts that bound its work.
 * Refuses to quote: a place in a schema is given by keywords and positions, because the names of properties are a client's own.
 */
import { InwardError } from '../errors.ts';

/** A keyword or construct that no mask can hold an answer to. `path`: see `describePath`. */
export function refuse(keyword: string, path: string): InwardError {
  return new InwardError('grammar_unenforceable', { keyword, path });
}

/** What is not a schema, an expression or a grammar at all. */
export function rejectForm(rule: string, path: string): InwardError {
  return new InwardError('grammar_invalid', { rule, path });
}

/** How much of each thing one grammar may make; what a usual schema needs is a hundredth of it. */
const limits = {
  /** Expressions and states of them. */
  terms: 100_000,
  /** Parts of expressions that were looked at, so that long lists cost what they are. */
  parts: 2_000_000,
  /** Sets of schemas that one value must meet. */
  nodes: 10_000,
  /** Ways in which an object or array may meet its schemas. */
  alternatives: 20_000,
  /** Names of properties of one object. */
  names: 4096,
  /** Schemas, rules and expressions that were read. */
  sources: 20_000,
  /** Each is looked for among all characters, for some hundredths of a second. */
  'Unicode properties': 32,
} as const;

export type Counted = keyof typeof limits;

/** Parts that one step of an answer may look at, so that no answer keeps the others waiting. */
const partsOfStep = 500_000;
/** Terms that answers may make beyond those of compiling. */
const termsOfAnswers = 200_000;

/** Counts of one grammar, also of what is made while it runs. */
export class Budget {
  readonly #left: Record<Counted, number> = { ...limits };
  #isRunning = false;

  /** Before each step of an answer. */
  renew(): void {
    if (!this.#isRunning) this.#left.terms = termsOfAnswers;
    this.#isRunning = true;
    this.#left.parts = partsOfStep;
  }

  /** Throws grammar_too_large where there are more of one kind than it may have. */
  check(what: Counted, count: number): void {
    if (count > limits[what]) throw new InwardError('grammar_too_large', { what, limit: limits[what] });
  }

  /** Throws grammar_too_large. */
  spend(what: Counted, count = 1): void {
    this.#left[what] -= count;
    if (this.#left[what] < 0) throw new InwardError('grammar_too_large', { what, limit: limits[what] });
  }
}

/** How deep schemas, expressions and rules may nest. */
const deepest = 200;

/** Throws grammar_too_large where something nests deeper. */
export function checkDepth(depth: number): void {
  if (depth > deepest) throw new InwardError('grammar_too_large', { what: 'levels', limit: deepest });
}

/** Runs a compiler. What it nests or lists beyond what the engine of JavaScript takes is an error of the grammar. */
export function guard<T>(compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    throw error instanceof RangeError ? new InwardError('grammar_too_large', { what: 'levels', limit: deepest }) : error;
  }
}

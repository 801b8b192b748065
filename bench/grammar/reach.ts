/**
 * Owns how far schemas reach: which of them are compiled, and whether the automaton takes the texts of all valid instances and of no
 * invalid one. Refuses to count a schema of which anything is wrong as reached.
 */
import { advance, type Frame, isComplete, type Place } from '../../runtime/grammar/frame.ts';
import { compileSchema, type SchemaOptions } from '../../runtime/grammar/schema/index.ts';
import { InwardError } from '../../runtime/index.ts';

export interface SchemaCase {
  readonly schema: unknown;
  readonly tests: readonly { readonly data: unknown; readonly valid: boolean }[];
}

export interface Reach {
  schemas: number;
  /** Compiled, with every test right. */
  reached: number;
  refused: number;
  /** Valid instances that cannot be written. */
  missed: number;
  /** Invalid instances that can. */
  wrong: number;
  /** Counts of refusals by what was refused. */
  readonly reasons: Map<string, number>;
  readonly compileMs: number[];
}

export const createReach = (): Reach => ({ schemas: 0, reached: 0, refused: 0, missed: 0, wrong: 0, reasons: new Map(), compileMs: [] });

/** Whether the automaton takes a whole text. */
export function takes(start: Frame, text: string | Uint8Array): boolean {
  let place: Place | undefined = { frame: start, stack: null };
  for (const byte of Buffer.from(text as string)) {
    place = advance(place, byte);
    if (place === undefined) return false;
  }
  return isComplete(place);
}

/** Adds one schema; gives its automaton, or undefined if it was refused. */
export function judgeSchema(reach: Reach, { schema, tests }: SchemaCase, options: SchemaOptions = {}): Frame | undefined {
  reach.schemas++;
  const started = performance.now();
  try {
    const start = compileSchema(schema, options);
    reach.compileMs.push(performance.now() - started);
    const results = tests.map(({ data, valid }) => ({ valid, isTaken: takes(start, JSON.stringify(data)) }));
    reach.missed += results.filter(({ valid, isTaken }) => valid && !isTaken).length;
    reach.wrong += results.filter(({ valid, isTaken }) => !valid && isTaken).length;
    if (results.every(({ valid, isTaken }) => valid === isTaken)) reach.reached++;
    return start;
  } catch (error) {
    reach.refused++;
    const reason = explain(error);
    reach.reasons.set(reason, (reach.reasons.get(reason) ?? 0) + 1);
    // No instance at all is right where every one is invalid.
    if (reason === 'grammar_empty' && tests.every(({ valid }) => !valid)) reach.reached++;
    return undefined;
  }
}

function explain(error: unknown): string {
  if (!(error instanceof InwardError)) throw error;
  const { keyword, rule, what } = error.fields;
  return [error.code, keyword ?? rule ?? what].filter((part) => part !== undefined).join(': ');
}

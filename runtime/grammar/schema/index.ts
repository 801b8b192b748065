/** Owns JSON Schema as an automaton: drafts 4 to 2020-12 -> the frame before a text of JSON. Refuses what cannot be enforced, by name. */

import { InwardError } from '../../errors.ts';
import type { Frame } from '../frame.ts';
import type { Shape } from '../json/shape.ts';
import type { Writing } from '../json/strings.ts';
import { Values } from '../json/values.ts';
import { Budget, guard } from '../refusal.ts';
import type { Term } from '../terms/term.ts';
import { Terms } from '../terms/terms.ts';
import { type Scalar, Scalars } from './scalars.ts';
import { Shapes } from './shapes.ts';
import { type Draft, Sources } from './source.ts';

export interface SchemaOptions {
  /** Default usual. */
  readonly writing?: Writing;
  /** Draft of schemas that name none; default 2020. */
  readonly draft?: Draft;
  /** Documents that references may lead to, by address. */
  readonly others?: ReadonlyMap<string, unknown>;
}

/** Throws grammar_invalid, grammar_unenforceable, grammar_too_large, grammar_empty. */
export function compileSchema(schema: unknown, options: SchemaOptions = {}): Frame {
  const terms = new Terms(new Budget());
  const { values, shape } = guard(() => buildValue(terms, schema, options));
  if (!shape.isLive) throw new InwardError('grammar_empty');
  const start = values.root(shape);
  start.budget = terms.budget;
  return start;
}

/** The texts that strings of the schema mean, or those of its numbers, true, false and null; a value of another kind has none. Throws the same. */
export function buildScalar(terms: Terms, schema: unknown, kind: Scalar): Term {
  const sources = new Sources(schema, terms.budget, new Map(), 2020);
  return new Scalars(terms, sources).find(sources.top, kind, true);
}

/** What a value of the schema is, which may be nothing, and the frames that read it. Throws the same but grammar_empty, and RangeError for what nests too deep. */
export function buildValue(
  terms: Terms,
  schema: unknown,
  { writing = 'usual', draft = 2020, others = new Map() }: SchemaOptions = {},
): { readonly values: Values; readonly shape: Shape } {
  const sources = new Sources(schema, terms.budget, others, draft);
  const shape = new Shapes(terms, sources).build(sources.top);
  return { values: new Values(terms, writing), shape };
}

/**
 * Owns what rules can hold beside text: a token by its id, which no text has, and a value of JSON under a schema, which is read on top of the rules.
 */

import type { Shape } from '../json/shape.ts';
import type { Values } from '../json/values.ts';

export type Door =
  | { readonly kind: 'token'; readonly id: number }
  /** `values` is the schema's own: shapes of two schemas have the same numbers. */
  | { readonly kind: 'value'; readonly values: Values; readonly shape: Shape };

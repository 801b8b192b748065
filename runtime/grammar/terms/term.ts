/**
 * Owns the form of an expression: a term over code points. Terms that mean the same by their form are one object, so they
 * can be compared and remembered by identity. Refuses to compute: terms.ts makes them, derive.ts steps them.
 */
import type { Ranges } from './ranges.ts';

export type TermForm =
  | { readonly kind: 'empty' }
  | { readonly kind: 'epsilon' }
  | { readonly kind: 'set'; readonly ranges: Ranges }
  | { readonly kind: 'sequence'; readonly first: Term; readonly rest: Term }
  | { readonly kind: 'either'; readonly members: readonly Term[] }
  | { readonly kind: 'both'; readonly members: readonly Term[] }
  | { readonly kind: 'not'; readonly inner: Term }
  | { readonly kind: 'repeat'; readonly inner: Term; readonly least: number; readonly most: number }
  /** Decimal digits, and points between them, whose number so far is `rest` and in the end a multiple of `divisor`. */
  | { readonly kind: 'multiple'; readonly divisor: bigint; readonly rest: bigint };

export interface Term {
  readonly id: number;
  readonly form: TermForm;
  /** Whether the empty text is one of its texts. */
  readonly isNullable: boolean;
  /** Whether it is made without `both`, `not` and `multiple`: then any term but `empty` has a text. */
  readonly isPlain: boolean;
  /** Filled by derive.ts. */
  edges: Edges | undefined;
  /** Filled by liveness: whether it has a text at all. */
  isLive: boolean | undefined;
}

/** What remains after one code point: for points from firsts[i] to lasts[i] it is next[i]; for points between them, nothing. */
export interface Edges {
  readonly firsts: readonly number[];
  readonly lasts: readonly number[];
  readonly next: readonly Term[];
}

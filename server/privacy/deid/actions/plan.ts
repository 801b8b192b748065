/**
 * Owns what is done with each category, and the plans that have a name. Refuses plans with gaps: a category that is not
 * named gets a tag, which hides everything and can be put back.
 */
import { categories } from '../categories.ts';
import type { Category } from '../types.ts';

/**
 * `keep`: only reported. `remove`: nothing is left. `tag`: `[NAME-1]`. `generalize`: a date to its year, a ZIP code to its first
 * three digits, an age over 89 to 90+; a tag where there is no such form. `surrogate`: a value of the same kind that belongs to
 * nobody; dates are shifted by one secret number of days.
 */
export const actions = ['keep', 'remove', 'tag', 'generalize', 'surrogate'] as const;
/** One of `keep`, `remove`, `tag`, `generalize`, `surrogate`. */
export type Action = (typeof actions)[number];

/** What is done with each category. */
export type Plan = Readonly<Record<Category, Action>>;

/** One action for all, or one for some categories; the others get tags. */
export function createPlan(chosen: Action | Readonly<Partial<Record<Category, Action>>> = 'tag'): Plan {
  const of = (category: Category): Action => (typeof chosen === 'string' ? chosen : (chosen[category] ?? 'tag'));
  return Object.fromEntries(categories.map((category) => [category, of(category)])) as Plan;
}

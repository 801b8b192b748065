/** Owns the writing of short lists of words in the rules. */

/** A set of the words of a text. */
export function set(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

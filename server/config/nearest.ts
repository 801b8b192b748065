/**
 * Owns the guess at what somebody meant who wrote a name that is not there.
 */

/** Longer words are no slips of the pen, and comparing them would take long. */
const longest = 64;

/** The name that differs least from `word`, by at most a third of its letters; case, `-` and `_` do not count. */
export function findNearest(word: string, names: Iterable<string>): string | undefined {
  if (word.length > longest) return undefined;
  const plain = (name: string): string => name.toLowerCase().replace(/[-_]/g, '');
  let best: { name: string; distance: number } | undefined;
  for (const name of names) {
    const distance = countEdits(plain(word), plain(name));
    if (distance <= Math.max(1, Math.floor(name.length / 3)) && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { name, distance };
  }
  return best?.name;
}

/** Letters to put in, take out, change, or swap with their neighbour (Damerau 1964, each pair of neighbours once). */
function countEdits(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)));
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const changed = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const edits = Math.min(changed, at(i - 1, j) + 1, at(i, j - 1) + 1, isSwap ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY);
      rows[i]?.splice(j, 1, edits);
    }
  }
  return at(a.length, b.length);
}

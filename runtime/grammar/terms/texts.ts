/** Owns the list of all texts of a term, where they are few. Refuses to go on beyond a limit. */
import { deriveEdges, isLive } from './derive.ts';
import type { Term } from './term.ts';
import type { Terms } from './terms.ts';

/** Undefined where there are more than `limit`, or without end. */
export function listTexts(terms: Terms, term: Term, limit: number): string[] | undefined {
  const found: string[] = [];
  const open = new Set<Term>();
  const visit = (at: Term, text: string): boolean => {
    // Behind a live term that leads back to itself there is always another text.
    if (open.has(at) || found.length > limit) return false;
    if (at.isNullable) found.push(text);
    open.add(at);
    const { firsts, lasts, next } = deriveEdges(terms, at);
    for (const [i, behind] of next.entries()) {
      if (!isLive(terms, behind)) continue;
      if (lasts[i]! - firsts[i]! > limit) return false;
      for (let point = firsts[i]!; point <= lasts[i]!; point++) if (!visit(behind, text + String.fromCodePoint(point))) return false;
    }
    open.delete(at);
    return true;
  };
  return isLive(terms, term) && !visit(term, '') ? undefined : found.length > limit ? undefined : found;
}

/** Owns how the results are shown to people: a block of lines a set, a line a category. */
import type { SetResult } from './index.ts';
import { precisionOf, recallOf, type Score } from './score.ts';
import type { Speed, Timed } from './speed.ts';

const percent = (part: number): string => (Number.isNaN(part) ? '-' : `${(part * 100).toFixed(2)} %`);

export function formatSet({ name, goal, score, folds, peer }: SetResult): string[] {
  const lines = [`${name}: ${score.texts} texts, ${score.total.identifiers} identifiers`];
  for (const [type, { identifiers, removed, typed }] of [...score.byType].sort()) {
    const theirs = peer?.byType.get(type);
    lines.push(
      `  ${type.padEnd(12)} removed ${String(removed).padStart(5)} of ${String(identifiers).padStart(5)}  recall ${percent(removed / identifiers).padStart(9)}  same category ${percent(typed / identifiers).padStart(9)}${theirs === undefined ? '' : `  Presidio ${percent(theirs.removed / theirs.identifiers)}`}`,
    );
  }
  if (score.holding > 0) lines.push(...formatTotals(score, goal, folds));
  if (peer !== undefined && peer.holding > 0)
    lines.push(`  Presidio: recall ${percent(recallOf(peer))}, precision ${percent(precisionOf(peer))}, ${peer.leaking} of ${peer.holding} texts leak`);
  if (score.empty > 0)
    lines.push(
      `  texts without identifiers: ${score.touchedEmpty} of ${score.empty} touched (${percent(score.touchedEmpty / score.empty)})${peer === undefined ? '' : `, Presidio ${peer.touchedEmpty}`}`,
    );
  if (score.decoys > 0)
    lines.push(`  decoys taken: ${score.decoysTaken.length} of ${score.decoys}${peer === undefined ? '' : `, Presidio ${peer.decoysTaken.length}`}`);
  return [...lines, ''];
}

function formatTotals(score: Score, goal: number | undefined, folds: readonly number[] | undefined): string[] {
  const [recall, precision] = [recallOf(score), precisionOf(score)];
  const f1 = (2 * recall * precision) / (recall + precision);
  const spread = folds === undefined ? '' : `, five parts ${folds.map((part) => (part * 100).toFixed(1)).join(' ')} %`;
  const judged = goal === undefined ? '' : `, goal ${percent(goal)} ${recall >= goal ? 'met' : 'missed'}`;
  return [
    `  all          recall ${percent(recall)}${judged}${spread}; precision ${percent(precision)}, F1 ${percent(f1)}`,
    `  texts in which nothing survives: ${score.holding - score.leaking} of ${score.holding}`,
  ];
}

export function formatSpeed({ megabytesPerSecond, noteMilliseconds, noteLength, restoreMilliseconds }: Speed): string[] {
  const both = ({ processor, clock }: Timed, digits: number): string => `${processor.toFixed(digits)} (by the clock ${clock.toFixed(digits)})`;
  return [
    'speed of one core, in processor time, the best of the rounds:',
    `  notes        ${both(megabytesPerSecond, 2)} MB a second, goal 2`,
    `  one note     ${both(noteMilliseconds, 1)} ms for ${noteLength} characters, goal 30`,
    `  way back     ${both(restoreMilliseconds, 4)} ms a token of an answer, goal 0.1`,
  ];
}

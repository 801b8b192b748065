/**
 * Owns what `inward logits` reports, and how it shows it to people.
 */
import type { Ranked } from './distribution.ts';

export interface PositionReport {
  readonly position: number;
  readonly top: readonly Ranked[];
  /** The id that the prompt goes on with, and how likely the model held it. */
  readonly next?: Ranked;
}

export interface LogitsReport {
  /** After the last id of the prompt. */
  readonly top: readonly Ranked[];
  readonly greedy: readonly { readonly id: number; readonly margin: number }[];
  /** With --all-positions, one for each id of the prompt. */
  readonly positions: readonly PositionReport[];
}

/** Tables of all reports of a batch. */
export function formatReports(reports: readonly LogitsReport[]): string {
  const sections = reports.map((report, index) => [...(reports.length > 1 ? [`prompt ${index + 1}`] : []), ...formatReport(report)].join('\n'));
  return `${sections.join('\n\n')}\n`;
}

function formatReport({ top, greedy, positions }: LogitsReport): readonly string[] {
  const lines = ['after the last id:', ...formatRanked(top)];
  if (greedy.length > 0) {
    lines.push('', 'greedy continuation:', `${'id'.padStart(10)}  ${'margin'.padStart(10)}`);
    lines.push(...greedy.map(({ id, margin }) => `${String(id).padStart(10)}  ${margin.toFixed(4).padStart(10)}`));
  }
  for (const { position, top: ranked, next } of positions) {
    lines.push('', `position ${position}${next === undefined ? '' : `, followed by ${next.id} with log-probability ${next.logprob.toFixed(4)}`}:`);
    lines.push(...formatRanked(ranked));
  }
  return lines;
}

function formatRanked(ranked: readonly Ranked[]): readonly string[] {
  return [
    `${'id'.padStart(10)}  ${'logprob'.padStart(10)}`,
    ...ranked.map(({ id, logprob }) => `${String(id).padStart(10)}  ${logprob.toFixed(4).padStart(10)}`),
  ];
}

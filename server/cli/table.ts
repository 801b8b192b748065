/**
 * Owns tables for people: columns as wide as they need to be.
 */
import type { Style } from './style.ts';

/** Lines of a table with its headings; the last column has no width. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[], style: Style): string {
  const widths = headings.map((heading, column) => rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), heading.length));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [style.bold(line(headings)), ...rows.map(line), ''].join('\n');
}

/**
 * Owns tables for spreadsheets (RFC 4180). Refuses to let a cell be a formula: a spreadsheet would run it.
 */

/** The text of a file, headings first. */
export function formatCsv(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  return [headings, ...rows].map(formatRow).join('');
}

/** One line with its end. */
export function formatRow(cells: readonly string[]): string {
  return `${cells.map(formatCell).join(',')}\r\n`;
}

function formatCell(text: string): string {
  // An apostrophe makes it text. Spreadsheets look for these signs also behind blanks.
  const plain = /^\s*[=+\-@]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]|^\s|\s$/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** Owns a reader of tables by the grammar of RFC 4180. */
export function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let [row, cell, isQuoted]: [string[], string, boolean] = [[], '', false];
  for (let index = 0; index < text.length; index++) {
    const letter = text[index] ?? '';
    if (isQuoted) {
      if (letter === '"' && text[index + 1] === '"') cell += text[++index];
      else if (letter === '"') isQuoted = false;
      else cell += letter;
    } else if (letter === '"' && cell === '') isQuoted = true;
    else if (letter === ',' || (letter === '\r' && text[index + 1] === '\n')) {
      row.push(cell);
      cell = '';
      if (letter === ',') continue;
      index++;
      rows.push(row);
      row = [];
    } else cell += letter;
  }
  return rows;
}

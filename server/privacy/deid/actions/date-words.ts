/**
 * Owns the words of dates in English and Spanish: months and weekdays, long and short, and how one of them is written in the
 * style of another. Refuses abbreviations that are no prefix of the word, save `Sept`, `Tues` and `Thurs`, which are.
 */
import { months } from '../months.ts';

interface Table {
  readonly language: 'en' | 'es';
  readonly words: readonly string[];
}

const monthTables: readonly Table[] = [
  { language: 'en', words: months.en },
  { language: 'es', words: months.es },
];
/** From Sunday, as Date counts. */
const weekdays: readonly Table[] = [
  { language: 'en', words: 'sunday monday tuesday wednesday thursday friday saturday'.split(' ') },
  { language: 'es', words: 'domingo lunes martes miércoles jueves viernes sábado'.split(' ') },
];

export interface DateWord {
  readonly kind: 'month' | 'weekday';
  /** From 0. */
  readonly index: number;
  readonly language: 'en' | 'es';
}

export function readDateWord(text: string): DateWord | undefined {
  const folded = text.toLowerCase();
  if (folded.length < 3) return undefined;
  for (const [kind, tables] of [['month', monthTables] as const, ['weekday', weekdays] as const])
    for (const { language, words } of tables) {
      const index = words.findIndex((word) => word === folded || (folded.length <= 5 && word.startsWith(folded)));
      if (index >= 0) return { kind, index, language };
    }
  return undefined;
}

/** Another month or weekday in the language, length and case of this one. */
export function writeDateWord({ kind, language }: DateWord, index: number, like: string): string {
  const tables = kind === 'month' ? monthTables : weekdays;
  const words = tables.find((table) => table.language === language)?.words ?? [];
  const count = words.length;
  const word = words[((index % count) + count) % count] ?? '';
  const old = readDateWord(like);
  const isShort = old !== undefined && like.length < (words[old.index]?.length ?? 0);
  const written = isShort ? word.slice(0, 3) : word;
  if (like === like.toUpperCase()) return written.toUpperCase();
  return like[0] === like[0]?.toUpperCase() ? (written[0] ?? '').toUpperCase() + written.slice(1) : written;
}

/** Owns how symbols of a grammar in GBNF are written (runtime/grammar/rules/gbnf.ts). Refuses to know what they say. */

/** A mark as symbols of the grammar: its text, or the token that it is. */
export type WriteMark = (mark: string) => string;

/** A text as a symbol. */
export const quote = (text: string): string => JSON.stringify(text);
/** One after the other. */
export const join = (...symbols: readonly string[]): string => symbols.filter((symbol) => symbol !== '').join(' ');

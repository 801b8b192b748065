/**
 * Owns the door of grammars: schemas, expressions and grammars as automata over bytes, masks of the tokens that they take, and where an
 * answer is. Knows neither engine nor server.
 */
export { compileExpression, compileGbnf } from './compile.ts';
export { Masks } from './masks.ts';
export { Matcher } from './matcher.ts';
export { compileSchema } from './schema/index.ts';
export { createVocabulary } from './vocabulary.ts';

/**
 * Owns the expressions of tokenizer files as expressions of this language: they are written for Oniguruma, and the rewriting is
 * @huggingface/tokenizers'. Refuses what cannot be rewritten.
 */
import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { describe, isObject, type Json, unsupported } from '../checkpoint/json.ts';

/** An expression of Oniguruma, to be matched everywhere in a text. Throws model_unsupported. */
export function compileExpression(source: string, part: string): RegExp {
  try {
    return new SplitPreTokenizer({ type: 'Split', pattern: { Regex: source }, behavior: 'Isolated', invert: false }).pattern;
  } catch {
    throw unsupported(`pattern of ${part}`, 'an expression that can be rewritten', 'another');
  }
}

/** A pattern of tokenizer.json: {"Regex": expression} or {"String": text}. */
export function compilePattern(pattern: Json | undefined, part: string): RegExp {
  if (isObject(pattern)) {
    const { Regex: expression, String: text } = pattern;
    if (typeof expression === 'string') return compileExpression(expression, part);
    if (typeof text === 'string') return new RegExp(escapePattern(text), 'gu');
  }
  throw unsupported(`pattern of ${part}`, 'Regex or String', describe(pattern));
}

/** The text as an expression that matches it. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

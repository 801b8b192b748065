/**
 * Owns the grammars that requests bring to an engine: compiled once each, and kept for other requests of the same tenant, by a
 * hash, while the engine works. Refuses to share them between tenants, who could tell by the time what others ask for, and keeps none of which the budget ran out.
 */
import { createHash } from 'node:crypto';
import { InwardError } from '../errors.ts';
import type { Grammar, GrammarVocabulary } from '../types.ts';
import { compileExpression, compileGbnf } from './compile.ts';
import type { Frame } from './frame.ts';
import { Masks } from './masks.ts';
import { Matcher } from './matcher.ts';
import { rejectForm } from './refusal.ts';
import { compileSchema } from './schema/index.ts';
import { createVocabulary } from './vocabulary.ts';

/** Grammars that are kept; the least recently used goes first. */
const kept = 32;

/** Throws grammar_invalid, grammar_unenforceable, grammar_empty, grammar_too_large. */
export function compileGrammar({ kind, source }: Grammar): Frame {
  const text = read(source, (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), 'be UTF-8');
  if (kind === 'expression') return compileExpression(text);
  return kind === 'gbnf' ? compileGbnf(text) : compileSchema(read(text, (json) => JSON.parse(json) as unknown, 'be JSON'));
}

/** What a reader throws would quote. */
function read<From, To>(value: From, change: (value: From) => To, form: string): To {
  try {
    return change(value);
  } catch {
    throw rejectForm(form, 'its start');
  }
}

export class Grammars {
  readonly #masks: Masks;
  readonly #kept = new Map<string, Frame>();

  constructor(vocabulary: GrammarVocabulary) {
    this.#masks = new Masks(createVocabulary(vocabulary), vocabulary.stopIds);
  }

  /** Where an answer under the grammar begins. Throws what compileGrammar does. */
  open(grammar: Grammar, tenant: number): Matcher {
    const key = createHash('sha256').update(`${tenant},${grammar.kind},`).update(grammar.source).digest('base64');
    const start = this.#kept.get(key) ?? compileGrammar(grammar);
    this.#kept.delete(key);
    this.#kept.set(key, start);
    if (this.#kept.size > kept) this.#kept.delete(this.#kept.keys().next().value!);
    try {
      const matcher = new Matcher(start, this.#masks);
      if (matcher.mask() === undefined) throw new InwardError('grammar_stuck');
      return matcher;
    } catch (error) {
      this.#kept.delete(key);
      throw error;
    }
  }

  /** Forgets every grammar. Answers that run go on. */
  flush(): void {
    this.#kept.clear();
    this.#masks.forget();
  }
}

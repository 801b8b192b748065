/**
 * Owns which tokens end a generation: those that the files name, and control tokens that end a turn in some family.
 */
import type { TokenId } from '../types.ts';
import { tokenKinds } from './kinds.ts';
import type { ChatTemplates, Vocabulary } from './vocabulary.ts';

/** Counted as stops wherever the vocabulary has them. */
const endPieces: ReadonlySet<string> = new Set([
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|end_of_turn|>',
  '<end_of_turn>',
  '<turn|>',
  '<eos>',
  '</s>',
  '<EOT>',
  '[EOT]',
  '<｜end▁of▁sentence｜>',
]);
/** Where a template ends no turn, the next one's beginning does: GLM. */
const nextPieces: ReadonlySet<string> = new Set(['<|user|>', '<|observation|>']);

/** Ascending. `named`: ids that the files call an end. */
export function findStops(
  { tokens, kinds }: Pick<Vocabulary, 'tokens' | 'kinds'>,
  named: readonly (TokenId | undefined)[],
  { standard = '' }: ChatTemplates,
): readonly TokenId[] {
  const stops = new Set(named.filter((id) => id !== undefined));
  const endsTurns = standard.includes('eos_token') || Array.from(endPieces).some((piece) => standard.includes(piece));
  const found = new Map<string, TokenId>();
  for (let id = 0; id < tokens.length; id++) {
    const token = tokens[id] as string;
    if (kinds[id] !== tokenKinds.control) continue;
    if (endPieces.has(token) || (!endsTurns && nextPieces.has(token) && standard.includes(token))) found.set(token, id as TokenId);
  }
  // In the harmony format <|end|> closes one message of several; <|return|> and <|call|> end the turn.
  if (found.has('<|return|>') && found.has('<|call|>')) found.delete('<|end|>');
  for (const id of found.values()) stops.add(id);
  return [...stops].sort((a, b) => a - b);
}

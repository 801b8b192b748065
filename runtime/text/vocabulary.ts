/**
 * Owns what a checkpoint says about its text: tokens, their kinds, merges, special ids, chat template; all checked.
 * Refuses tokenizers other than byte-level BPE ("gpt2") with model_unsupported, broken keys with gguf_invalid.
 */
import { type Checkpoint, metadataString, metadataStrings, optionalBoolean, optionalInteger, optionalIntegers, optionalString } from '../checkpoint/index.ts';
import { plainName } from '../checkpoint/json.ts';
import { InwardError } from '../errors.ts';
import type { TokenId } from '../types.ts';
import { findPreTokenizer, type PreTokenizer } from './pretokenizers.ts';

/** Kinds of tokens by their number in `tokenizer.ggml.token_type`. */
export const tokenKinds = { normal: 1, unknown: 2, control: 3, user: 4, unused: 5, byte: 6 } as const;

export interface Vocabulary {
  /** By id; byte-level for normal tokens, plain text for the others. */
  readonly tokens: readonly string[];
  /** By id, numbers of `tokenKinds`. */
  readonly kinds: ArrayLike<number>;
  /** 'left right', best first. */
  readonly merges: readonly string[];
  readonly preTokenizer: PreTokenizer;
  readonly bosId: TokenId | undefined;
  readonly eosId: TokenId | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly stopIds: readonly TokenId[];
  readonly chatTemplate: string | undefined;
}

/** Control tokens that end a turn or a text in some family; counted as stops wherever the vocabulary has them. */
const stopPieces: ReadonlySet<string> = new Set([
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

export function readVocabulary(checkpoint: Checkpoint): Vocabulary {
  if (checkpoint.format === 'folder') {
    throw new InwardError('model_unsupported', { part: 'tokenizer', expected: 'one inside of a GGUF file', found: 'a folder of safetensors files' });
  }
  const tokens = metadataStrings(checkpoint, 'tokenizer.ggml.tokens');
  const kinds = readKinds(checkpoint, tokens.length);
  const id = (name: string) => optionalInteger(checkpoint, `tokenizer.ggml.${name}_token_id`, 0, tokens.length - 1) as TokenId | undefined;
  const [bosId, eosId] = [id('bos'), id('eos')];
  const ends = [eosId, id('eot'), id('eom')];
  const preTokenizer = readPreTokenizer(checkpoint);
  return {
    tokens,
    kinds,
    merges: readMerges(checkpoint),
    preTokenizer,
    bosId,
    eosId,
    addBos: bosId !== undefined && (optionalBoolean(checkpoint, 'tokenizer.ggml.add_bos_token') ?? preTokenizer.addBos),
    addEos: eosId !== undefined && (optionalBoolean(checkpoint, 'tokenizer.ggml.add_eos_token') ?? false),
    stopIds: findStops(tokens, kinds, ends),
    chatTemplate: optionalString(checkpoint, 'tokenizer.chat_template'),
  };
}

function readPreTokenizer(checkpoint: Checkpoint): PreTokenizer {
  const model = metadataString(checkpoint, 'tokenizer.ggml.model');
  if (model !== 'gpt2')
    throw new InwardError('model_unsupported', { part: 'tokenizer', expected: 'byte-level BPE (gpt2)', found: plainName(model, 'another') });
  const name = optionalString(checkpoint, 'tokenizer.ggml.pre') ?? 'default';
  const found = findPreTokenizer(name);
  if (found === undefined) throw new InwardError('model_unsupported', { part: 'pre-tokenizer', expected: 'a known name', found: plainName(name, 'another') });
  return found;
}

function readKinds(checkpoint: Checkpoint, length: number): ArrayLike<number> {
  const kinds = optionalIntegers(checkpoint, 'tokenizer.ggml.token_type') ?? new Uint8Array(length).fill(tokenKinds.normal);
  if (kinds.length !== length) {
    throw new InwardError('gguf_invalid', { part: 'metadata tokenizer.ggml.token_type', expected: `${length} elements`, found: kinds.length });
  }
  return kinds;
}

function readMerges(checkpoint: Checkpoint): readonly string[] {
  const part = 'metadata tokenizer.ggml.merges';
  const merges = metadataStrings(checkpoint, 'tokenizer.ggml.merges');
  const broken = merges.findIndex((merge) => !/^[^ ]+ [^ ]+$/.test(merge));
  if (broken >= 0) throw new InwardError('gguf_invalid', { part, expected: 'two pieces with a space between', found: `something else at place ${broken}` });
  return merges;
}

function findStops(tokens: readonly string[], kinds: ArrayLike<number>, ends: readonly (TokenId | undefined)[]): readonly TokenId[] {
  const stops = new Set(ends.filter((id) => id !== undefined));
  const found = new Map<string, TokenId>();
  for (let id = 0; id < tokens.length; id++) {
    const token = tokens[id] as string;
    if (kinds[id] === tokenKinds.control && stopPieces.has(token)) found.set(token, id as TokenId);
  }
  // In the harmony format <|end|> closes one message of several; <|return|> and <|call|> end the turn.
  if (found.has('<|return|>') && found.has('<|call|>')) found.delete('<|end|>');
  for (const id of found.values()) stops.add(id);
  return [...stops].sort((a, b) => a - b);
}

/**
 * Owns what a checkpoint says about its text, whichever file says it: tokens, their kinds, how text becomes ids, special ids, chat templates.
 * Refuses nothing itself: the readers of GGUF keys and of a folder's files do.
 */
import type { Checkpoint } from '../checkpoint/index.ts';
import { inFile } from '../checkpoint/json.ts';
import type { TokenId } from '../types.ts';
import type { AddedToken } from './added.ts';
import { readFolderVocabulary } from './folder-vocabulary.ts';
import { readGgufVocabulary } from './gguf-vocabulary.ts';
import type { Normalizer } from './normalizers.ts';
import type { Splitter } from './splits.ts';
import type { WordModel } from './words.ts';

export interface Vocabulary {
  /** By id, as the file spells them; '' for an id that has no token. */
  readonly tokens: readonly string[];
  /** By id, numbers of `tokenKinds`. */
  readonly kinds: ArrayLike<number>;
  /** How normal tokens spell bytes: in GPT-2's alphabet, or as text with ▁ for spaces. */
  readonly spelling: 'alphabet' | 'spaces';
  readonly added: readonly AddedToken[];
  readonly normalize: Normalizer;
  readonly split: Splitter;
  readonly model: WordModel;
  /** Ids around a text where special tokens are asked for. */
  readonly before: readonly TokenId[];
  readonly after: readonly TokenId[];
  /** Whether they are added to a rendered chat too (as llama.cpp does; Hugging Face's templates write them themselves). */
  readonly isChatWrapped: boolean;
  readonly bosId: TokenId | undefined;
  readonly eosId: TokenId | undefined;
  readonly stopIds: readonly TokenId[];
  readonly templates: ChatTemplates;
  /** SHA-256 of the tokenizer's files, where they are not the checkpoint's own. */
  readonly digest: string;
}

/** Sources of the chat templates that a model carries; `toolUse` is for requests with tools, where there is one. */
export interface ChatTemplates {
  readonly standard?: string | undefined;
  readonly toolUse?: string | undefined;
}

/** Throws model_unsupported (a kind of tokenizer), gguf_invalid, checkpoint_invalid, file_missing. */
export function readVocabulary(checkpoint: Checkpoint): Vocabulary {
  if (checkpoint.format === 'folder') return readFolderVocabulary(checkpoint.path);
  return inFile(checkpoint.fileAt(), () => readGgufVocabulary(checkpoint));
}

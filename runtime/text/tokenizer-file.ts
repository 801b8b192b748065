/**
 * Owns the reading of tokenizer.json, the file of the Rust library tokenizers: its tokens, model, added tokens and what it writes around a
 * text; all checked. Refuses models and parts that it does not know with model_unsupported, broken ones with checkpoint_invalid.
 */
import { describe, invalidCheckpoint, isObject, type Json, type JsonObject, plainName, unsupported } from '../checkpoint/json.ts';
import type { TokenId } from '../types.ts';
import type { AddedToken } from './added.ts';
import { tokenKinds } from './kinds.ts';
import { createPairModel } from './merges.ts';
import { createUnigramModel } from './unigram.ts';
import { createWordPieceModel } from './wordpiece.ts';
import { type Fallback, findByteIds, type WordModel } from './words.ts';

/** Ids; the largest real vocabularies have some 260,000. */
const idLimit = 2 ** 22;
const file = 'tokenizer.json';

/** The tokens of a file, before it is known which of them are control tokens. */
export interface TokenTable {
  readonly tokens: string[];
  readonly ids: Map<string, number>;
  readonly scores: ReadonlyMap<string, number> | undefined;
}

/** `model` of tokenizer.json. */
export function readTable(model: JsonObject): TokenTable {
  const { vocab } = model;
  const table = { tokens: [] as string[], ids: new Map<string, number>() };
  if (isObject(vocab)) {
    for (const [token, id] of Object.entries(vocab)) addToken(table, token, id);
    return { ...table, scores: undefined };
  }
  if (!Array.isArray(vocab)) throw invalidCheckpoint(`vocab of ${file}`, 'an object or an array', describe(vocab));
  const scores = new Map<string, number>();
  vocab.forEach((entry: Json, id) => {
    const [token, score] = Array.isArray(entry) ? entry : [];
    if (typeof token !== 'string' || typeof score !== 'number')
      throw invalidCheckpoint(`vocab of ${file}`, 'pairs of token and score', `something else at place ${id}`);
    addToken(table, token, id);
    scores.set(token, score);
  });
  return { ...table, scores };
}

export function addToken({ tokens, ids }: Pick<TokenTable, 'tokens' | 'ids'>, token: string, id: Json): void {
  if (!Number.isInteger(id) || Number(id) < 0 || Number(id) >= idLimit) {
    throw invalidCheckpoint(`an id of ${file}`, `a whole number below ${idLimit}`, typeof id === 'number' ? id : describe(id));
  }
  if (tokens[Number(id)] !== undefined && tokens[Number(id)] !== token) throw invalidCheckpoint(`id ${id} of ${file}`, 'one token', 'a second one');
  tokens[Number(id)] = token;
  ids.set(token, Number(id));
}

/** An entry of added_tokens, or of added_tokens_decoder of tokenizer_config.json. */
export function readAddedToken(entry: Json | undefined, id: Json | undefined, part: string): AddedToken {
  if (!isObject(entry) || typeof entry['content'] !== 'string' || !Number.isInteger(id)) throw invalidCheckpoint(part, 'objects with id and content', 'others');
  const isControl = entry['special'] === true;
  return {
    id: Number(id) as TokenId,
    content: entry['content'],
    isControl,
    stripsLeft: entry['lstrip'] === true,
    stripsRight: entry['rstrip'] === true,
    isSingleWord: entry['single_word'] === true,
    isNormalized: typeof entry['normalized'] === 'boolean' ? entry['normalized'] : !isControl,
  };
}

export function readAddedTokens({ added_tokens: list }: JsonObject): readonly AddedToken[] {
  const part = `added_tokens of ${file}`;
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw invalidCheckpoint(part, 'an array', describe(list));
  return list.map((entry: Json) => readAddedToken(entry, isObject(entry) ? entry['id'] : undefined, part));
}

/** By id. */
export function findKinds(tokens: readonly string[], added: readonly AddedToken[], model: JsonObject, unknownId: number | undefined): Uint8Array {
  const kindOf = (token: string): number => {
    if (token === '') return tokenKinds.unused;
    return model['byte_fallback'] === true && /^<0x[0-9A-F]{2}>$/.test(token) ? tokenKinds.byte : tokenKinds.normal;
  };
  const kinds = Uint8Array.from(tokens, kindOf);
  for (const { id, isControl } of added) kinds[id] = isControl ? tokenKinds.control : tokenKinds.user;
  if (unknownId !== undefined) kinds[unknownId] = tokenKinds.unknown;
  return kinds;
}

/** The id of the token for what has none. */
export function findUnknown(model: JsonObject, ids: ReadonlyMap<string, number>): number | undefined {
  const { unk_token: token, unk_id: id } = model;
  if (typeof token === 'string') return ids.get(token);
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < ids.size ? id : undefined;
}

/** `table`: without tokens that no text may spell. */
export function createModel(model: JsonObject, { ids, scores }: Pick<TokenTable, 'ids' | 'scores'>, unknownId: number | undefined): WordModel {
  const type = model['type'] ?? (scores === undefined ? (Array.isArray(model['merges']) ? 'BPE' : 'WordPiece') : 'Unigram');
  const fallback: Fallback = { bytes: model['byte_fallback'] === true, unknownId, fuses: type === 'Unigram' || model['fuse_unk'] === true };
  const options = { ids, byteIds: findByteIds(ids), fallback };
  if (type === 'BPE') {
    for (const key of ['continuing_subword_prefix', 'end_of_word_suffix']) {
      if (model[key] !== undefined && model[key] !== null && model[key] !== '') throw unsupported(`${key} of ${file}`, 'none', 'one');
    }
    return createPairModel(readMerges(model['merges']), { ...options, ignoreMerges: model['ignore_merges'] === true });
  }
  if (type === 'Unigram' && scores !== undefined) return createUnigramModel(scores, options);
  if (type === 'WordPiece') {
    const { continuing_subword_prefix: prefix, max_input_chars_per_word: limit } = model;
    return createWordPieceModel({ ids, unknownId, prefix: typeof prefix === 'string' ? prefix : '##', limit: typeof limit === 'number' ? limit : 100 });
  }
  throw unsupported(`model of ${file}`, 'BPE, Unigram, WordPiece', plainName(String(type), 'another'));
}

/** Written as 'left right' or as [left, right]. */
function* readMerges(merges: Json | undefined): Iterable<readonly [string, string]> {
  if (!Array.isArray(merges)) throw invalidCheckpoint(`merges of ${file}`, 'an array', describe(merges));
  for (const [place, merge] of merges.entries()) {
    const [left, right, rest]: readonly Json[] = typeof merge === 'string' ? merge.split(' ', 3) : Array.isArray(merge) ? merge : [];
    if (typeof left !== 'string' || typeof right !== 'string' || rest !== undefined)
      throw invalidCheckpoint(`merges of ${file}`, 'pairs of pieces', `something else at place ${place}`);
    yield [left, right];
  }
}

export interface Surround {
  readonly before: readonly TokenId[];
  readonly after: readonly TokenId[];
}

/** `config`: the value of post_processor. */
export function readSurround(config: Json | undefined, ids: ReadonlyMap<string, number>): Surround {
  if (!isObject(config)) return { before: [], after: [] };
  const part = `post_processor of ${file}`;
  const known = (id: number | undefined): TokenId => {
    if (id === undefined || !Number.isInteger(id) || id < 0) throw invalidCheckpoint(part, 'tokens of the vocabulary', 'another');
    return id as TokenId;
  };
  const single = (pair: Json | undefined): TokenId[] => [known(Array.isArray(pair) ? Number(pair[1]) : undefined)];
  switch (config['type']) {
    case 'ByteLevel':
      return { before: [], after: [] };
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { before: single(config['cls']), after: single(config['sep']) };
    case 'TemplateProcessing':
      return readTemplate(config, (token) => readSpecial(config['special_tokens'], token, ids).map(known));
    case 'Sequence': {
      const list = config['processors'];
      const parts = (Array.isArray(list) ? list : []).map((one: Json) => readSurround(one, ids));
      return { before: parts.toReversed().flatMap(({ before }) => before), after: parts.flatMap(({ after }) => after) };
    }
    default:
      throw unsupported(part, 'ByteLevel, BertProcessing, RobertaProcessing, TemplateProcessing, Sequence', plainName(String(config['type']), 'another type'));
  }
}

function readTemplate({ single }: JsonObject, idsOf: (token: string) => TokenId[]): Surround {
  const pieces: readonly Json[] = Array.isArray(single) ? single : [];
  const place = pieces.findIndex((piece) => isObject(piece) && 'Sequence' in piece);
  const read = (list: readonly Json[]): TokenId[] =>
    list.flatMap((piece) => {
      const token = isObject(piece) && isObject(piece['SpecialToken']) ? piece['SpecialToken']['id'] : undefined;
      if (typeof token !== 'string') throw unsupported(`single of post_processor of ${file}`, 'one sequence between special tokens', 'another form');
      return idsOf(token);
    });
  if (place < 0) throw unsupported(`single of post_processor of ${file}`, 'one sequence between special tokens', 'none');
  return { before: read(pieces.slice(0, place)), after: read(pieces.slice(place + 1)) };
}

function readSpecial(specials: Json | undefined, token: string, ids: ReadonlyMap<string, number>): (number | undefined)[] {
  const entry = isObject(specials) && Object.hasOwn(specials, token) ? specials[token] : undefined;
  const list = isObject(entry) ? entry['ids'] : undefined;
  return Array.isArray(list) ? list.map(Number) : [ids.get(token)];
}

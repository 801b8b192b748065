/**
 * Owns the tokenizer of a model folder as people download it: tokenizer.json, tokenizer_config.json, special_tokens_map.json, generation_config.json
 * and the chat templates, in whichever of their places they are. Rules are those of Hugging Face transformers 5.18.
 * Refuses a folder without tokenizer.json, and one whose tokens the model of config.json has no place for.
 */
import { invalidCheckpoint, isObject, type Json, type JsonObject, unsupported } from '../checkpoint/json.ts';
import type { TokenId } from '../types.ts';
import type { AddedToken } from './added.ts';
import { deepseekV4Template } from './deepseek-v4.ts';
import { openFiles } from './files.ts';
import { readFolderTemplates } from './folder-templates.ts';
import { tokenKinds } from './kinds.ts';
import { createNormalizer } from './normalizers.ts';
import { createSplitter } from './splits.ts';
import { findStops } from './stops.ts';
import {
  addToken,
  createModel,
  findKinds,
  findUnknown,
  readAddedToken,
  readAddedTokens,
  readSurround,
  readTable,
  type Surround,
  type TokenTable,
} from './tokenizer-file.ts';
import type { ChatTemplates, Vocabulary } from './vocabulary.ts';

export function readFolderVocabulary(folder: string): Vocabulary {
  const files = openFiles(folder);
  const source = files.json('tokenizer.json');
  if (source === undefined) throw unsupported('tokenizer', 'tokenizer.json in the folder', 'no such file');
  const config = { ...files.json('special_tokens_map.json'), ...files.json('tokenizer_config.json') };
  const modelConfig = files.json('config.json') ?? {};
  const model = source['model'];
  if (!isObject(model)) throw invalidCheckpoint('model of tokenizer.json', 'an object', 'none');
  const table = readTable(model);
  const added = collectAdded(source, config, table, readVocabularySize(modelConfig));
  const unknownId = findUnknown(model, table.ids);
  const tokens = Array.from(table.tokens, (token: string | undefined) => token ?? '');
  const kinds = findKinds(tokens, added, model, unknownId);
  const normalize = createNormalizer(source['normalizer']);
  const spelling = readSpelling(source['decoder'], source['pre_tokenizer']);
  const idOf = (key: string): TokenId | undefined => table.ids.get(contentOf(config[key]) ?? '') as TokenId | undefined;
  const [bosId, eosId] = [idOf('bos_token'), idOf('eos_token')];
  const templates = withBuiltin(readFolderTemplates(files, config), textConfig(modelConfig)['model_type'] ?? modelConfig['model_type']);
  const spelledIds = new Map(Array.from(table.ids).filter(([, id]) => kinds[id] !== tokenKinds.control && kinds[id] !== tokenKinds.unknown));
  return {
    tokens: spelling === 'words' ? tokens.map((token, id) => spellWord(token, kinds[id] as number)) : tokens,
    kinds,
    spelling: spelling === 'alphabet' ? 'alphabet' : 'spaces',
    added,
    normalize,
    split: createSplitter(source['pre_tokenizer']),
    model: createModel(model, { ids: spelledIds, scores: table.scores && restrict(table.scores, spelledIds) }, unknownId),
    ...surround(source, config, table, bosId, eosId),
    isChatWrapped: false,
    bosId,
    eosId,
    stopIds: findStops({ tokens, kinds }, [eosId, ...readEndIds(files.json('generation_config.json'), modelConfig, tokens.length)], templates),
    templates,
    digest: files.digest(),
  };
}

/** A release of DeepSeek-V4 has no template, and a program in its place. */
function withBuiltin(templates: ChatTemplates, modelType: Json | undefined): ChatTemplates {
  return templates.standard === undefined && templates.toolUse === undefined && modelType === 'deepseek_v4' ? { standard: deepseekV4Template } : templates;
}

/** Multimodal models keep what concerns text in a part of config.json. */
function textConfig(config: JsonObject): JsonObject {
  return isObject(config['text_config']) ? config['text_config'] : {};
}

/** A token as tokenizer_config.json names it: its text, or an object with it. */
function contentOf(value: Json | undefined): string | undefined {
  const content = isObject(value) ? value['content'] : value;
  return typeof content === 'string' ? content : undefined;
}

/** Scores that a text's pieces may have. */
function restrict(scores: ReadonlyMap<string, number>, ids: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map(Array.from(scores).filter(([token]) => ids.has(token)));
}

/** Rows of the model's embedding; undefined where config.json does not say. */
function readVocabularySize(config: JsonObject): number | undefined {
  const size = textConfig(config)['vocab_size'] ?? config['vocab_size'];
  return typeof size === 'number' ? size : undefined;
}

const specialKeys = ['bos_token', 'eos_token', 'unk_token', 'pad_token', 'cls_token', 'sep_token', 'mask_token'];

/**
 * Added tokens of both files, the later one's word counting; they become part of the table. One that the model has no row for (image tokens of
 * text models) is left out; an ordinary token without a row is another model's tokenizer.
 */
function collectAdded(source: JsonObject, config: JsonObject, table: TokenTable, limit = Number.POSITIVE_INFINITY): readonly AddedToken[] {
  const found = new Map<string, AddedToken>();
  const decoder = config['added_tokens_decoder'];
  const part = 'added_tokens_decoder of tokenizer_config.json';
  for (const token of readAddedTokens(source)) found.set(token.content, token);
  for (const [id, entry] of Object.entries(isObject(decoder) ? decoder : {})) {
    const token = readAddedToken(entry, Number(id), part);
    found.set(token.content, token);
  }
  for (const [content, { id }] of found) {
    if (id >= limit) {
      found.delete(content);
      table.ids.delete(content);
      if (table.tokens.length > id) table.tokens.length = Math.min(table.tokens.length, limit);
    } else addToken(table, content, id);
  }
  for (const content of namedSpecials(config)) {
    const id = table.ids.get(content) as TokenId | undefined;
    if (id !== undefined) found.set(content, { ...found.get(content), id, content, isControl: true });
  }
  if (table.tokens.length > limit) throw invalidCheckpoint('tokenizer.json', `ids below the vocab_size ${limit} of config.json`, table.tokens.length - 1);
  return [...found.values()];
}

function namedSpecials(config: JsonObject): string[] {
  const more = ['additional_special_tokens', 'extra_special_tokens'].flatMap((key) => {
    const value = config[key];
    return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  });
  return [...specialKeys.map((key) => config[key]), ...more].map(contentOf).filter((content) => content !== undefined);
}

/** add_bos_token and add_eos_token of tokenizer_config.json, where it has one of them, else what tokenizer.json writes. */
function surround(source: JsonObject, config: JsonObject, table: TokenTable, bosId: TokenId | undefined, eosId: TokenId | undefined): Surround {
  const { add_bos_token: addsBos, add_eos_token: addsEos } = config;
  const isSaid = addsBos !== undefined || addsEos !== undefined;
  if (!isSaid) return readSurround(source['post_processor'], table.ids);
  return { before: addsBos === true && bosId !== undefined ? [bosId] : [], after: addsEos === true && eosId !== undefined ? [eosId] : [] };
}

/** eos_token_id of generation_config.json, else of config.json. */
function readEndIds(generation: JsonObject | undefined, config: JsonObject, limit: number): TokenId[] {
  const value = generation?.['eos_token_id'] ?? config['eos_token_id'] ?? textConfig(config)['eos_token_id'];
  const list: readonly Json[] = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  return list.map((id) => {
    if (!Number.isInteger(id) || Number(id) < 0 || Number(id) >= limit) {
      throw invalidCheckpoint(
        'eos_token_id of generation_config.json',
        `ids below ${limit}, the tokens of tokenizer.json`,
        typeof id === 'number' ? id : 'another',
      );
    }
    return Number(id) as TokenId;
  });
}

/** What the decoder makes of tokens; a file without one is told by how it cuts text. */
function readSpelling(decoder: Json | undefined, splitter: Json | undefined): 'alphabet' | 'spaces' | 'words' {
  const types = [...typesOf(decoder), ...typesOf(splitter)];
  if (types.includes('ByteLevel')) return 'alphabet';
  return types.includes('WordPiece') ? 'words' : 'spaces';
}

function typesOf(config: Json | undefined): readonly unknown[] {
  if (!isObject(config)) return [];
  const list = config['decoders'] ?? config['pretokenizers'];
  return [config['type'], ...(Array.isArray(list) ? list.flatMap(typesOf) : [])];
}

/** WordPiece's ## goes on with a word; others begin one. */
function spellWord(token: string, kind: number): string {
  if (kind !== tokenKinds.normal) return token;
  return token.startsWith('##') ? token.slice(2) : `▁${token}`;
}

/**
 * Owns the tokenizer that the keys of a GGUF file describe: byte-level BPE (gpt2), SentencePiece's BPE (llama, gemma4) and unigram (t5), WordPiece
 * (bert); all checked. Meaning of the keys and their defaults are llama.cpp's.
 * Refuses other models and pre-tokenizers with model_unsupported, broken keys with gguf_invalid.
 */
import { type Checkpoint, metadataString, metadataStrings, optionalBoolean, optionalInteger, optionalIntegers, optionalString } from '../checkpoint/index.ts';
import { plainName } from '../checkpoint/json.ts';
import { InwardError } from '../errors.ts';
import type { TokenId } from '../types.ts';
import type { AddedToken } from './added.ts';
import { createCharsmap } from './charsmap.ts';
import { tokenKinds } from './kinds.ts';
import { createPairModel, createScoreModel } from './merges.ts';
import { createBertNormalizer, type Normalizer } from './normalizers.ts';
import { compileExpression } from './patterns.ts';
import { findPreTokenizer, type PreTokenizer } from './pretokenizers.ts';
import { chainSplits, createSplit, type Splitter, spellBytes, splitBert } from './splits.ts';
import { findStops } from './stops.ts';
import { createUnigramModel } from './unigram.ts';
import type { Vocabulary } from './vocabulary.ts';
import { createWordPieceModel } from './wordpiece.ts';
import { findByteIds, type WordModel } from './words.ts';

type Parts = Pick<Vocabulary, 'spelling' | 'normalize' | 'split' | 'model' | 'before' | 'after' | 'bosId' | 'eosId'>;

/** What every kind of tokenizer reads. */
interface Keys {
  readonly checkpoint: Checkpoint;
  readonly tokens: readonly string[];
  readonly kinds: ArrayLike<number>;
  /** By token, without control tokens and the unknown one. */
  readonly ids: Map<string, number>;
  readonly byteIds: ReadonlyMap<number, number>;
  id(name: string): TokenId | undefined;
  flag(name: string, standard: boolean): boolean;
}

const controlKinds: ReadonlySet<number> = new Set([tokenKinds.control, tokenKinds.unknown]);

export function readGgufVocabulary(checkpoint: Checkpoint): Vocabulary {
  const keys = readKeys(checkpoint);
  const { tokens, kinds } = keys;
  const model = metadataString(checkpoint, 'tokenizer.ggml.model');
  const read = Object.hasOwn(readers, model) ? readers[model] : undefined;
  if (read === undefined) {
    throw new InwardError('model_unsupported', { part: 'tokenizer', expected: Object.keys(readers).join(', '), found: plainName(model, 'another') });
  }
  const parts = read(keys);
  const templates = {
    standard: optionalString(checkpoint, 'tokenizer.chat_template'),
    toolUse: optionalString(checkpoint, 'tokenizer.chat_template.tool_use'),
  };
  return {
    tokens,
    kinds,
    ...parts,
    added: findAdded(keys),
    isChatWrapped: true,
    stopIds: findStops(keys, [parts.eosId, keys.id('eot'), keys.id('eom')], templates),
    templates,
    digest: '',
  };
}

const readers: Readonly<Record<string, (keys: Keys) => Parts>> = {
  gpt2: readByteLevel,
  llama: readScored,
  t5: readUnigram,
  bert: readWordPiece,
  gemma4: readSpaced,
};

function readKeys(checkpoint: Checkpoint): Keys {
  const tokens = metadataStrings(checkpoint, 'tokenizer.ggml.tokens');
  checkCount(checkpoint, tokens.length);
  const kinds = readKinds(checkpoint, tokens.length);
  const ids = new Map<string, number>();
  const bytes = new Map<string, number>();
  for (let id = 0; id < tokens.length; id++) {
    if (!controlKinds.has(kinds[id] as number)) (kinds[id] === tokenKinds.byte ? bytes : ids).set(tokens[id] as string, id);
  }
  return {
    checkpoint,
    tokens,
    kinds,
    ids,
    byteIds: findByteIds(bytes),
    id: (name) => optionalInteger(checkpoint, `tokenizer.ggml.${name}_token_id`, 0, tokens.length - 1) as TokenId | undefined,
    flag: (name, standard) => optionalBoolean(checkpoint, `tokenizer.ggml.${name}`) ?? standard,
  };
}

/** The model has a row for every token. */
function checkCount(checkpoint: Checkpoint, found: number): void {
  const rows = checkpoint.tensors.get('token_embd.weight')?.shape[0];
  if (rows !== undefined && found > rows) {
    throw new InwardError('gguf_invalid', { part: 'metadata tokenizer.ggml.tokens', expected: `at most ${rows} tokens, the rows of token_embd.weight`, found });
  }
}

function findAdded({ tokens, kinds }: Keys): readonly AddedToken[] {
  return tokens
    .map((content, id) => ({ id: id as TokenId, content, isControl: kinds[id] !== tokenKinds.user }))
    .filter(({ id }) => controlKinds.has(kinds[id] as number) || kinds[id] === tokenKinds.user);
}

/** BOS and EOS with what surrounds a text. */
function readEnds({ flag, id }: Keys, addBos: boolean, addEos: boolean): Pick<Parts, 'before' | 'after' | 'bosId' | 'eosId'> {
  const [bosId, eosId] = [id('bos'), id('eos')];
  return {
    bosId,
    eosId,
    before: bosId !== undefined && flag('add_bos_token', addBos) ? [bosId] : [],
    after: eosId !== undefined && flag('add_eos_token', addEos) ? [eosId] : [],
  };
}

function readByteLevel(keys: Keys): Parts {
  const { patterns, ignoreMerges, nfc, addBos } = readPreTokenizer(keys.checkpoint);
  return {
    spelling: 'alphabet',
    normalize: nfc ? (text) => text.normalize('NFC') : (text) => text,
    split: chainSplits([...patterns.map((pattern) => createSplit(compileExpression(pattern, 'pre-tokenizer'), 'Isolated')), spellBytes]),
    model: createPairModel(readMerges(keys.checkpoint), { ...keys, fallback: { bytes: false, unknownId: undefined, fuses: false }, ignoreMerges }),
    ...readEnds(keys, addBos, false),
  };
}

const spellSpaces: Normalizer = (text) => text.replaceAll(' ', '▁');
const prefixSpace: Normalizer = (text) => (text === '' ? '' : ` ${text}`);
const trimSpaces: Normalizer = (text) =>
  text
    .replace(/^ +/, '')
    .replace(/(?<! ) +$/, '')
    .replace(/ {2,}/g, ' ');
const chain =
  (...steps: readonly (Normalizer | false)[]): Normalizer =>
  (text) =>
    steps.reduce((current, step) => (step === false ? current : step(current)), text);
const keepWords: Splitter = (words) => words;

function readScored(keys: Keys): Parts {
  return {
    spelling: 'spaces',
    normalize: chain(keys.flag('add_space_prefix', true) && prefixSpace, spellSpaces),
    split: keepWords,
    model: createScoreModel(readScores(keys), { ...keys, fallback: { bytes: true, unknownId: keys.id('unknown'), fuses: true } }),
    ...readEnds(keys, true, false),
  };
}

function readUnigram(keys: Keys): Parts {
  const charsmap = readCharsmap(keys.checkpoint);
  return {
    spelling: 'spaces',
    normalize: chain(charsmap, keys.flag('remove_extra_whitespaces', false) && trimSpaces, keys.flag('add_space_prefix', false) && prefixSpace, spellSpaces),
    split: keepWords,
    model: createUnigramModel(readScores(keys), { ...keys, fallback: { bytes: true, unknownId: keys.id('unknown'), fuses: true } }),
    ...readEnds(keys, false, true),
  };
}

/** SentencePiece's spaces with a list of merges. */
function readSpaced(keys: Keys): Parts {
  const options = { ...keys, fallback: { bytes: true, unknownId: keys.id('unknown'), fuses: true }, ignoreMerges: false };
  const merged = createPairModel(readMerges(keys.checkpoint), options);
  // The list has no merges of line breaks.
  const model: WordModel = {
    encode(word, into) {
      const id = word.startsWith('\n') ? keys.ids.get(word) : undefined;
      if (id === undefined) merged.encode(word, into);
      else into.push(id);
    },
  };
  return {
    spelling: 'spaces',
    normalize: chain(keys.flag('add_space_prefix', false) && prefixSpace, spellSpaces),
    split: createSplit(/\n+/gu, 'Isolated'),
    model,
    ...readEnds(keys, true, false),
  };
}

function readWordPiece(keys: Keys): Parts {
  const { tokens, kinds, id, flag } = keys;
  const prefix = '##';
  const ids = new Map<string, number>();
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as string;
    if (!controlKinds.has(kinds[i] as number)) ids.set(token.startsWith('▁') ? token.slice(1) : prefix + token, i);
  }
  const lowers = flag('normalizer.lowercase', true);
  const [bosId, eosId] = [id('cls') ?? id('bos'), id('seperator') ?? id('eos')];
  return {
    spelling: 'spaces',
    normalize: createBertNormalizer({ cleans: true, spacesChinese: true, stripsAccents: lowers, lowers }),
    split: splitBert,
    model: createWordPieceModel({ ids, unknownId: id('unknown'), prefix, limit: 100 }),
    bosId,
    eosId,
    before: bosId === undefined ? [] : [bosId],
    after: eosId === undefined ? [] : [eosId],
  };
}

function readPreTokenizer(checkpoint: Checkpoint): PreTokenizer {
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

function readMerges(checkpoint: Checkpoint): readonly (readonly [string, string])[] {
  const part = 'metadata tokenizer.ggml.merges';
  return metadataStrings(checkpoint, 'tokenizer.ggml.merges').map((merge, place) => {
    const [left, right, rest] = merge.split(' ', 3);
    if (left && right && rest === undefined) return [left, right];
    throw new InwardError('gguf_invalid', { part, expected: 'two pieces with a space between', found: `something else at place ${place}` });
  });
}

/** Of the tokens that a text may spell. */
function readScores({ checkpoint, tokens, ids }: Keys): ReadonlyMap<string, number> {
  const part = 'metadata tokenizer.ggml.scores';
  const scores = checkpoint.metadata.get('tokenizer.ggml.scores');
  if (!(scores instanceof Float32Array))
    throw new InwardError('gguf_invalid', { part, expected: 'an array of f32', found: scores === undefined ? 'nothing' : 'another' });
  if (scores.length !== tokens.length) throw new InwardError('gguf_invalid', { part, expected: `${tokens.length} elements`, found: scores.length });
  const wrong = scores.findIndex((score) => !Number.isFinite(score));
  if (wrong >= 0) throw new InwardError('gguf_invalid', { part, expected: 'finite numbers', found: `another at place ${wrong}` });
  return new Map(Array.from(ids, ([token, id]) => [token, scores[id] as number]));
}

function readCharsmap(checkpoint: Checkpoint): Normalizer | false {
  const map = checkpoint.metadata.get('tokenizer.ggml.precompiled_charsmap');
  if (map === undefined) return false;
  const part = 'metadata tokenizer.ggml.precompiled_charsmap';
  if (!(map instanceof Uint8Array) && !(map instanceof Int32Array) && !(map instanceof Uint32Array)) {
    throw new InwardError('gguf_invalid', { part, expected: 'an array of bytes', found: 'another' });
  }
  return createCharsmap(Uint8Array.from(map), part, 'longest');
}

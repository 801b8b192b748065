/**
 * Owns encoding: text -> token ids, with the merges of @huggingface/tokenizers.
 * Refuses to remember: the library keeps an LRU of the words of all texts, and the language keeps the last text a
 * regular expression matched; both are emptied after every call.
 */
import { BPE, ByteLevelPreTokenizer, SplitPreTokenizer } from '@huggingface/tokenizers';
import { InwardError } from '../errors.ts';
import type { PreTokenizer } from './pretokenizers.ts';
import { tokenKinds, type Vocabulary } from './vocabulary.ts';

export interface EncodeOptions {
  /** Add BOS and EOS where the model asks for them. */
  readonly addSpecial: boolean;
  /** Text that spells a control token becomes that token. */
  readonly parseSpecial: boolean;
  /** A character to be taken out of the text after control tokens were found. */
  readonly marker?: string;
}

export interface Tokenizer {
  /** Throws text_unencodable. */
  encode(text: string, options: EncodeOptions): Uint32Array<ArrayBuffer>;
  /** Finds the spellings of control tokens; undefined when the vocabulary has none. */
  readonly controlPattern: RegExp | undefined;
}

export function createTokenizer(vocabulary: Vocabulary): Tokenizer {
  const { tokens, kinds, bosId, eosId, addBos, addEos } = vocabulary;
  const bpe = createBpe(vocabulary);
  const split = createSplitter(vocabulary.preTokenizer);
  const pieces = (...wanted: number[]) => tokens.filter((_, id) => wanted.includes(kinds[id] as number));
  const controlPattern = createPattern(pieces(tokenKinds.control, tokenKinds.unknown));
  const userPattern = createPattern(pieces(tokenKinds.user));
  const everyPattern = createPattern(pieces(tokenKinds.control, tokenKinds.unknown, tokenKinds.user));
  const specialIds = mapIds(vocabulary, (kind) => kind === tokenKinds.control || kind === tokenKinds.unknown || kind === tokenKinds.user);

  function encodeText(text: string, options: EncodeOptions): number[] {
    const found: number[] = [];
    if (addBos && options.addSpecial) found.push(bosId as number);
    for (const { text: section, isToken } of cut(text, options.parseSpecial ? everyPattern : userPattern)) {
      const plain = isToken || options.marker === undefined ? section : section.replaceAll(options.marker, '');
      if (isToken) found.push(specialIds.get(section) as number);
      else encodeWords(bpe, split(plain), found);
    }
    // A template may have written BOS itself.
    if (addBos && options.addSpecial && found[1] === bosId) found.shift();
    if (addEos && options.addSpecial) found.push(eosId as number);
    return found;
  }

  return {
    controlPattern,
    encode(text, options) {
      try {
        return Uint32Array.from(encodeText(text, options));
      } finally {
        bpe.clear_cache();
        forgetMatches();
      }
    },
  };
}

/** Adds the ids of words. The library leaves out in silence what the vocabulary has no token for: that must not reach a model as if nothing had been there. */
function encodeWords(bpe: BPE, words: string[], into: number[]): void {
  let missing = words.reduce((sum, word) => sum + word.length, 0);
  for (const piece of bpe.encode(words)) {
    const id = bpe.tokens_to_ids.get(piece);
    if (id === undefined) break;
    into.push(id);
    missing -= piece.length;
  }
  if (missing !== 0) throw new InwardError('text_unencodable');
}

/** RegExp.input and its kin hold the last text that matched anything in this thread; afterwards it is the empty text. */
export function forgetMatches(): void {
  /^/.exec('');
}

/** The library's BPE, filled by hand: its constructor would keep second copies of vocabulary and merges. */
function createBpe(vocabulary: Vocabulary): BPE {
  const { merges, preTokenizer } = vocabulary;
  const bpe = new BPE({ type: 'BPE', vocab: {}, merges: [], ignore_merges: preTokenizer.ignoreMerges });
  // Without control tokens: no word of a text may become one.
  bpe.tokens_to_ids = mapIds(vocabulary, (kind) => kind !== tokenKinds.control && kind !== tokenKinds.unknown);
  merges.forEach((merge, rank) => {
    bpe.bpe_ranks.set(JSON.stringify(merge.split(' ', 2)), rank);
  });
  return bpe;
}

function mapIds({ tokens, kinds }: Vocabulary, isWanted: (kind: number) => boolean): Map<string, number> {
  const ids = new Map<string, number>();
  for (let id = 0; id < tokens.length; id++) if (isWanted(kinds[id] as number)) ids.set(tokens[id] as string, id);
  return ids;
}

/** Text -> words in the byte-level alphabet. */
function createSplitter({ patterns, nfc }: PreTokenizer): (text: string) => string[] {
  const splits = patterns.map((Regex) => new SplitPreTokenizer({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }));
  const byteLevel = new ByteLevelPreTokenizer({ type: 'ByteLevel', add_prefix_space: false, use_regex: false });
  return (text) => {
    let words = [nfc ? text.normalize('NFC') : text];
    for (const split of splits) words = split.pre_tokenize(words);
    return byteLevel.pre_tokenize(words);
  };
}

/** Matches any of the pieces, the longest at the first place. */
function createPattern(pieces: readonly string[]): RegExp | undefined {
  const escaped = pieces
    .filter((piece) => piece !== '')
    .sort((a, b) => b.length - a.length)
    .map((piece) => piece.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return escaped.length === 0 ? undefined : new RegExp(escaped.join('|'), 'g');
}

interface Section {
  readonly text: string;
  readonly isToken: boolean;
}

function cut(text: string, pattern: RegExp | undefined): Section[] {
  const sections: Section[] = [];
  let end = 0;
  for (const match of pattern === undefined ? [] : text.matchAll(pattern)) {
    if (match.index > end) sections.push({ text: text.slice(end, match.index), isToken: false });
    sections.push({ text: match[0], isToken: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) sections.push({ text: text.slice(end), isToken: false });
  return sections;
}

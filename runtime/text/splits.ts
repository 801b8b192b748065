/**
 * Owns the cutting of a normalized text into words: the pre-tokenizers of tokenizer.json, by their type. Results are those of the Rust
 * library tokenizers 0.23. Refuses types it does not know: a wrong cut gives wrong ids without any error.
 */
import { describe, isObject, type Json, type JsonObject, plainName, unsupported } from '../checkpoint/json.ts';
import { toByteAlphabet } from './alphabet.ts';
import { compileExpression, compilePattern } from './patterns.ts';

/** Cuts words further, or spells them anew. `isStart`: the first of them begins the whole text. */
export type Splitter = (words: readonly string[], isStart: boolean) => readonly string[];

/** What becomes of a match: a word of its own, one with its neighbours of the same kind, part of one neighbour, or nothing. */
const behaviors = ['Removed', 'Isolated', 'Contiguous', 'MergedWithPrevious', 'MergedWithNext'] as const;
type Behavior = (typeof behaviors)[number];

/** The expression of the ByteLevel type. Source: openai/gpt-2 src/encoder.py. */
export const gpt2Expression = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const gpt2 = compileExpression(gpt2Expression, 'ByteLevel');
const space = /\p{White_Space}/gu;
const punctuation = /[\p{P}!-/:-@[-`{-~]/gu;

/** Splits every word where `pattern` matches; it matches everywhere (flag g). */
export function createSplit(pattern: RegExp, behavior: Behavior, isInverted = false): Splitter {
  return (words) => words.flatMap((word) => cut(word, pattern, behavior, isInverted));
}

/** Every byte as a character of GPT-2's alphabet. */
export const spellBytes: Splitter = (words) => words.map(toByteAlphabet);

/** One splitter after the other. */
export function chainSplits(splitters: readonly Splitter[]): Splitter {
  return (words, isStart) => splitters.reduce((current, split) => split(current, isStart), words);
}

/** Spaces as ▁, with one more in front: of the first word of a text, of every word, or of none. */
function createMetaspace(scheme: 'first' | 'always' | 'never', replacement = '▁', isSplit = false): Splitter {
  const split = createSplit(compilePattern({ String: replacement }, 'Metaspace'), 'MergedWithNext');
  return (words, isStart) => {
    const spelled = words.map((word, index) => {
      const spaced = word.replaceAll(' ', () => replacement);
      const isPrefixed = scheme === 'always' || (scheme === 'first' && isStart && index === 0);
      return isPrefixed && !spaced.startsWith(replacement) ? replacement + spaced : spaced;
    });
    return isSplit ? split(spelled, isStart) : spelled;
  };
}

/** BERT's: words between spaces, each punctuation mark by itself. */
export const splitBert: Splitter = chainSplits([createSplit(space, 'Removed'), createSplit(punctuation, 'Isolated')]);

/** `config`: the value of `pre_tokenizer`; `part`: how errors call it. Throws model_unsupported. */
export function createSplitter(config: Json | undefined, part = 'pre_tokenizer of tokenizer.json'): Splitter {
  if (config === undefined || config === null) return (words) => words;
  if (!isObject(config)) throw unsupported(part, 'an object', describe(config));
  const type = String(config['type']);
  const create = Object.hasOwn(table, type) ? table[type] : undefined;
  if (create === undefined) throw unsupported(part, Object.keys(table).join(', '), plainName(type, 'another type'));
  return create(config, part);
}

const table: Readonly<Record<string, (config: JsonObject, part: string) => Splitter>> = {
  Sequence: ({ pretokenizers }, part) => chainSplits((Array.isArray(pretokenizers) ? pretokenizers : []).map((one: Json) => createSplitter(one, part))),
  Split: (config, part) => createSplit(compilePattern(config['pattern'], part), readBehavior(config['behavior'], part), config['invert'] === true),
  ByteLevel: ({ add_prefix_space: isPrefixed, use_regex: isCut }) =>
    chainSplits([
      (words) => (isPrefixed === false ? words : words.map((word) => (word.startsWith(' ') ? word : ` ${word}`))),
      ...(isCut === false ? [] : [createSplit(gpt2, 'Isolated')]),
      spellBytes,
    ]),
  Digits: ({ individual_digits: isEach }) => createSplit(/\p{N}/gu, isEach === true ? 'Isolated' : 'Contiguous'),
  Punctuation: ({ behavior }, part) => createSplit(punctuation, readBehavior(behavior ?? 'Isolated', part)),
  Whitespace: (_, part) => createSplit(compileExpression('\\w+|[^\\w\\s]+', part), 'Removed', true),
  WhitespaceSplit: () => createSplit(space, 'Removed'),
  BertPreTokenizer: () => splitBert,
  CharDelimiterSplit: ({ delimiter }, part) => createSplit(compilePattern({ String: delimiter as Json }, part), 'Removed'),
  Metaspace: ({ replacement, prepend_scheme: scheme, add_prefix_space: isPrefixed, split }, part) => {
    const known = scheme ?? (isPrefixed === false ? 'never' : 'always');
    if (known !== 'first' && known !== 'always' && known !== 'never') throw unsupported(`prepend_scheme of ${part}`, 'first, always, never', 'another');
    return createMetaspace(known, typeof replacement === 'string' ? replacement : '▁', split !== false);
  },
};

/** Whether a part joins the one before. */
const joins: Readonly<Record<Behavior, (isMatch: boolean, wasMatch: boolean) => boolean>> = {
  Removed: () => false,
  Isolated: () => false,
  Contiguous: (isMatch, wasMatch) => isMatch === wasMatch,
  MergedWithPrevious: (isMatch, wasMatch) => isMatch && !wasMatch,
  MergedWithNext: (isMatch, wasMatch) => wasMatch && !isMatch,
};

function readBehavior(behavior: Json | undefined, part: string): Behavior {
  const known = behaviors.find((one) => one === behavior);
  if (known === undefined) throw unsupported(`behavior of ${part}`, behaviors.join(', '), describe(behavior));
  return known;
}

function cut(text: string, pattern: RegExp, behavior: Behavior, isInverted: boolean): string[] {
  const parts: string[] = [];
  let wasMatch = false;
  const add = (part: string, isMatch: boolean): void => {
    if (part === '' || (behavior === 'Removed' && isMatch)) return;
    if (parts.length > 0 && joins[behavior](isMatch, wasMatch)) parts.push(parts.pop() + part);
    else parts.push(part);
    wasMatch = isMatch;
  };
  let end = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    add(text.slice(end, index), isInverted);
    add(found, !isInverted);
    end = index + found.length;
  }
  add(text.slice(end), isInverted);
  return parts;
}

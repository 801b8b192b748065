/**
 * Owns encoding: text -> token ids, by the parts of a vocabulary in the order of the Rust library tokenizers: added tokens, normalizer, added tokens of
 * the normalized text, words, pieces.
 * Refuses to remember: no part has a cache, and the last text that a regular expression matched is let go after every call.
 */
import { type AddedToken, createAddedCutter, createAddedPattern } from './added.ts';
import type { Vocabulary } from './vocabulary.ts';

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

export function createTokenizer({ added, normalize, split, model, before, after, isChatWrapped }: Vocabulary): Tokenizer {
  const isLate = (token: AddedToken): boolean => token.isNormalized === true && !token.isControl;
  const cutRaw = createAddedCutter(added.filter((token) => !isLate(token)));
  const cutNormalized = createAddedCutter(added.filter(isLate), normalize);

  function encodeText(text: string, { addSpecial, parseSpecial, marker }: EncodeOptions): number[] {
    const found: number[] = addSpecial ? [...before] : [];
    for (const section of cutRaw(text.toWellFormed(), parseSpecial)) {
      if (section.token !== undefined) found.push(section.token.id);
      else encodePlain(marker === undefined ? section.text : section.text.replaceAll(marker, ''), section.start === 0, found);
    }
    // A template may have written BOS itself.
    if (isChatWrapped && addSpecial && before.length > 0 && found[before.length] === before[0]) found.splice(0, before.length);
    if (addSpecial) found.push(...after);
    return found;
  }

  function encodePlain(text: string, isStart: boolean, into: number[]): void {
    for (const section of cutNormalized(normalize(text), false)) {
      if (section.token !== undefined) into.push(section.token.id);
      else for (const word of split([section.text], isStart && section.start === 0)) model.encode(word, into);
    }
  }

  return {
    controlPattern: createAddedPattern(added.filter(({ isControl }) => isControl).map(({ content }) => content)),
    encode(text, options) {
      try {
        return Uint32Array.from(encodeText(text, options));
      } finally {
        forgetMatches();
      }
    },
  };
}

/** RegExp.input and its kin hold the last text that matched anything in this thread; afterwards it is the empty text. */
export function forgetMatches(): void {
  /^/.exec('');
}

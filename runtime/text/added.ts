/**
 * Owns the tokens that are cut out of a text before anything else happens to it: control tokens and what users of the model added.
 * Refuses none: which of them a text may spell is the caller's business.
 */
import type { TokenId } from '../types.ts';
import { escapePattern } from './patterns.ts';

export interface AddedToken {
  readonly id: TokenId;
  readonly content: string;
  /** No text may spell it, but the template. */
  readonly isControl: boolean;
  /** Takes the spaces before it along, those behind it; only found where no letter or digit is beside it. */
  readonly stripsLeft?: boolean;
  readonly stripsRight?: boolean;
  readonly isSingleWord?: boolean;
  /** Found in the normalized text. Control tokens never are: what a normalizer makes of a user's text must not become one. */
  readonly isNormalized?: boolean;
}

export interface Section {
  readonly text: string;
  /** In UTF-16 code units of the text that was cut. */
  readonly start: number;
  /** The token that the section is. */
  readonly token?: AddedToken;
}

/** Cuts a text at the tokens it spells; `parsesControl`: also at control tokens. */
export type AddedCutter = (text: string, parsesControl: boolean) => readonly Section[];

const space = /\p{White_Space}/u;
const wordCharacter = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const wordBefore = new RegExp(`${wordCharacter}$`, 'u');
const wordAfter = new RegExp(`^${wordCharacter}`, 'u');

/** Matches any of the tokens, the longest at the first place; undefined for none. */
export function createAddedPattern(contents: Iterable<string>): RegExp | undefined {
  // In the order of the alphabet from its end, so that what others begin with comes after them, and the engine tells beginnings apart once.
  const escaped = [...new Set(contents)]
    .filter((content) => content !== '')
    .sort()
    .reverse()
    .map(escapePattern);
  return escaped.length === 0 ? undefined : new RegExp(escaped.join('|'), 'g');
}

/** `normalize`: applied to the contents first, for tokens that are found in normalized text. */
export function createAddedCutter(tokens: readonly AddedToken[], normalize = (content: string): string => content): AddedCutter {
  const byContent = new Map(tokens.map((token) => [normalize(token.content), token]));
  const pattern = createAddedPattern(byContent.keys());
  return (text, parsesControl) => (pattern === undefined ? whole(text, 0) : cut(text, pattern, byContent, parsesControl));
}

function whole(text: string, start: number): Section[] {
  return text === '' ? [] : [{ text, start }];
}

function cut(text: string, pattern: RegExp, byContent: ReadonlyMap<string, AddedToken>, parsesControl: boolean): readonly Section[] {
  const sections: Section[] = [];
  let end = 0;
  for (const { 0: content, index } of text.matchAll(pattern)) {
    const token = byContent.get(content) as AddedToken;
    let [start, stop] = [index, index + content.length];
    if ((token.isControl && !parsesControl) || start < end || (token.isSingleWord && touchesWord(text, start, stop))) continue;
    while (token.stripsLeft && start > end && space.test(text.charAt(start - 1))) start--;
    while (token.stripsRight && stop < text.length && space.test(text.charAt(stop))) stop++;
    sections.push(...whole(text.slice(end, start), end), { text: text.slice(start, stop), start, token });
    end = stop;
  }
  sections.push(...whole(text.slice(end), end));
  return sections;
}

/** Two code units on either side hold a whole character. */
function touchesWord(text: string, start: number, stop: number): boolean {
  return wordBefore.test(text.slice(Math.max(0, start - 2), start)) || wordAfter.test(text.slice(stop, stop + 2));
}

/**
 * Owns the text of one answer as it grows: tokens go in, text before the first stop string comes out, and with it the
 * tokens that stand in it. Text in which a character is incomplete or a stop string could begin is held back, and its
 * tokens with it. Refuses to report a token of which no text is in the answer.
 */
import type { TokenId, TokenLogprobs } from '../../runtime/index.ts';
import type { StreamDecoder, TextModel } from '../../runtime/text/index.ts';
import { createStopMatcher, type StopMatcher, type Stopped } from './stop.ts';

export interface ScoredToken {
  readonly id: TokenId;
  /** Null where nothing predicted the token: the first of a prompt. */
  readonly logprobs: TokenLogprobs | null;
  /** It ends the answer: it has no text, whatever the vocabulary says. */
  readonly isEnd: boolean;
}

export interface AnswerToken extends ScoredToken {
  /** Characters (Unicode code points) of the text that were complete before this token. */
  readonly offset: number;
}

/** Some text of an answer, or all of it. */
export interface Passage {
  readonly text: string;
  /** The tokens whose first character the text holds; undefined where tokens are not reported. */
  readonly tokens: readonly AnswerToken[] | undefined;
}

export function joinPassages(passages: readonly Passage[]): Passage {
  // A stream that is not paced joins one at each token.
  if (passages.length === 1 && passages[0] !== undefined) return passages[0];
  const isReported = passages.some(({ tokens }) => tokens !== undefined);
  return { text: passages.map(({ text }) => text).join(''), tokens: isReported ? passages.flatMap(({ tokens = [] }) => tokens) : undefined };
}

export class AnswerText {
  readonly #model: TextModel;
  readonly #decoder: StreamDecoder;
  readonly #matcher: StopMatcher;
  readonly #hasTokens: boolean;
  #waiting: (AnswerToken & { readonly hasText: boolean })[] = [];
  #decodedLength = 0;
  #releasedLength = 0;

  /** `hasTokens`: whether tokens are reported beside the text. */
  constructor(model: TextModel, stops: readonly string[], hasTokens: boolean) {
    this.#model = model;
    this.#decoder = model.createDecoder();
    this.#matcher = createStopMatcher(stops);
    this.#hasTokens = hasTokens;
  }

  /** Tokens of the prompt: no stop string is looked for in their text. */
  echo(tokens: readonly ScoredToken[]): Passage {
    return this.#release(tokens.map((token) => this.#decode(token)).join(''));
  }

  push(token: ScoredToken): Passage & Stopped {
    const { text, ...stopped } = this.#matcher.push(this.#decode(token));
    return { ...this.#release(text), ...stopped };
  }

  /** What was held back, once it is known that nothing follows. */
  end(): Passage & Stopped {
    const { text, ...stopped } = this.#matcher.push(this.#count(this.#decoder.end()));
    return { ...this.#release(stopped.isStopped ? text : text + this.#matcher.end()), ...stopped };
  }

  #decode(token: ScoredToken): string {
    const { bytes, isText } = this.#model.readPiece(token.id);
    const hasText = isText && bytes.length > 0 && !token.isEnd;
    if (this.#hasTokens) this.#waiting.push({ ...token, offset: this.#decodedLength, hasText });
    return hasText ? this.#count(this.#decoder.push(token.id)) : '';
  }

  #count(text: string): string {
    this.#decodedLength += countCharacters(text);
    return text;
  }

  #release(text: string): Passage {
    this.#releasedLength += countCharacters(text);
    const isHeld = ({ offset, hasText }: { readonly offset: number; readonly hasText: boolean }): boolean =>
      hasText ? offset >= this.#releasedLength : offset > this.#releasedLength;
    const held = this.#waiting.findIndex(isHeld);
    const tokens = this.#waiting.splice(0, held < 0 ? this.#waiting.length : held);
    return { text, tokens: this.#hasTokens ? tokens : undefined };
  }
}

/** Unicode code points, as clients in Python count them. */
export function countCharacters(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xfc00) === 0xdc00) count--;
  return count;
}

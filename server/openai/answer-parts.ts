/**
 * Owns the parts of one chat answer as it grows: tokens go in, thoughts, text and calls come out, each as soon as it is known what it is. Stop
 * strings are looked for in the text alone: one in a thought or in a call's arguments would cut what nobody reads as text. A token is reported
 * with the part that it completes; those of text that is held back, or cut off by a stop string, as that is.
 */
import { randomInt } from 'node:crypto';
import type { AnswerDecoder, AnswerPart, StreamDecoder } from '../../runtime/text/index.ts';
import { type AnswerToken, countCharacters, type ScoredToken } from './answer-text.ts';
import type { ContentPart } from './parts.ts';
import { createStopMatcher, type StopMatcher, type Stopped } from './stop.ts';

/** What a token brought. */
export interface Grown extends Stopped {
  readonly parts: readonly ContentPart[];
}

export interface AnswerPartsOptions {
  readonly stops: readonly string[];
  /** For the length of each token's text, where tokens are reported beside the parts. */
  readonly lengths: StreamDecoder | undefined;
  /** The answer ends where one more call would begin. */
  readonly callLimit: number;
}

/** A token, and how many characters its own text has. */
interface Measured {
  readonly token: AnswerToken;
  readonly length: number;
}

export class AnswerParts {
  readonly #decoder: AnswerDecoder;
  readonly #options: AnswerPartsOptions;
  #matcher: StopMatcher;
  /** How many tokens there are of which no part is known yet. */
  #pendingCount = 0;
  /** Those, where tokens are reported. */
  #pending: Measured[] = [];
  /** Tokens whose text waits for a stop string, where they are reported. */
  #held: Measured[] = [];
  #givenLength = 0;
  #releasedLength = 0;
  /** Tokens of thoughts so far. */
  reasoningTokens = 0;
  callCount = 0;

  constructor(decoder: AnswerDecoder, options: AnswerPartsOptions) {
    this.#decoder = decoder;
    this.#options = options;
    this.#matcher = createStopMatcher(options.stops);
  }

  push(token: ScoredToken): Grown {
    const { lengths } = this.#options;
    this.#pendingCount++;
    if (lengths !== undefined) this.#pending.push({ token: { ...token, offset: this.#givenLength }, length: countCharacters(lengths.push(token.id)) });
    return this.#take(this.#decoder.push(token.id));
  }

  /** What was held back, once it is known that nothing follows. */
  end(): Grown {
    const grown = this.#take(this.#decoder.end());
    if (grown.isStopped) return grown;
    const rest = this.#release(this.#matcher.end(), this.#takePending());
    return { parts: [...grown.parts, ...rest], isStopped: false };
  }

  #take(found: readonly AnswerPart[]): Grown {
    const parts: ContentPart[] = [];
    for (const part of found) {
      if (part.kind === 'content') {
        const { text, ...stopped } = this.#pushText(part.text);
        parts.push(...this.#release(text));
        if (stopped.isStopped) return { parts, ...stopped };
        continue;
      }
      // No stop string goes on behind a thought or a call.
      parts.push(...this.#release(this.#matcher.end()));
      this.#matcher = createStopMatcher(this.#options.stops);
      if (part.kind === 'call' && part.index >= this.#options.callLimit) return { parts, isStopped: true };
      parts.push(this.#describe(part));
    }
    return { parts, isStopped: false };
  }

  #pushText(text: string): { readonly text: string } & Stopped {
    if (this.#hasTokens) this.#hold(text);
    this.#pendingCount = 0;
    return this.#matcher.push(text);
  }

  /** The tokens of which this text is. */
  #hold(text: string): void {
    const start = this.#givenLength;
    this.#givenLength += countCharacters(text);
    // Their own texts are its end; what they wrote before it were marks and spaces beside them.
    let offset = this.#givenLength;
    const placed = this.#takePending()
      .reverse()
      .map(({ token, length }): Measured => {
        offset = Math.max(start, offset - length);
        return { token: { ...token, offset }, length };
      });
    this.#held.push(...placed.reverse());
  }

  /** What is no text. */
  #describe(part: AnswerPart): ContentPart {
    const count = this.#pendingCount;
    const tokens = this.#hasTokens ? this.#takePending().map(({ token }) => token) : undefined;
    this.#pendingCount = 0;
    if (part.kind === 'call') {
      this.callCount++;
      return { type: 'call', call: part.index, id: chooseId(part.id), name: part.name, text: '', tokens };
    }
    if (part.kind === 'arguments') return { type: 'arguments', call: part.index, text: part.text, tokens };
    this.reasoningTokens += count;
    return { type: 'reasoning', text: part.text, tokens };
  }

  /** Text that nothing holds back, with its tokens and those in `more`; nothing where it is neither. */
  #release(text: string, more: readonly Measured[] = []): readonly ContentPart[] {
    if (!this.#hasTokens) return text === '' ? [] : [{ type: 'text', text, tokens: undefined }];
    this.#releasedLength += countCharacters(text);
    const isHeld = ({ token: { offset }, length }: Measured): boolean => (length > 0 ? offset >= this.#releasedLength : offset > this.#releasedLength);
    const first = this.#held.findIndex(isHeld);
    const released = this.#held.splice(0, first < 0 ? this.#held.length : first);
    const tokens = [...released, ...more].map(({ token }) => token);
    return text === '' && tokens.length === 0 ? [] : [{ type: 'text', text, tokens }];
  }

  get #hasTokens(): boolean {
    return this.#options.lengths !== undefined;
  }

  #takePending(): Measured[] {
    const pending = this.#pending;
    this.#pending = [];
    return pending;
  }
}

const idLength = 9;
const idLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The model's own, where it is one; else nine letters and digits, which is what Mistral's templates ask for and others take. */
function chooseId(given: string | undefined): string {
  if (given !== undefined && /^[\w-]{1,64}$/.test(given)) return given;
  return Array.from({ length: idLength }, () => idLetters[randomInt(idLetters.length)]).join('');
}

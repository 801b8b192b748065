/**
 * Owns how tokens and their log-probabilities are shown: the objects of OpenAI's two APIs. Tokens that are no whole
 * characters are shown by their bytes, tokens without text by their name.
 */
import { isUtf8 } from 'node:buffer';
import type { TokenId } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import type { AnswerToken } from './answer-text.ts';

interface ChatToken {
  readonly token: string;
  readonly logprob: number;
  /** Null for a token without text. */
  readonly bytes: readonly number[] | null;
}

/** `choices[].logprobs` of the chat API. */
export function toChatLogprobs(text: TextModel, tokens: readonly AnswerToken[] | undefined): object | null {
  if (tokens === undefined) return null;
  const show = (id: TokenId, logprob: number): ChatToken => {
    const { bytes, isText } = text.readPiece(id);
    return { token: nameToken(text, id, ''), logprob, bytes: isText ? Array.from(bytes) : null };
  };
  const content = tokens.flatMap(({ id, logprobs }) =>
    logprobs === null ? [] : [{ ...show(id, logprobs.logprob), top_logprobs: logprobs.top.map((other) => show(other.id, other.logprob)) }],
  );
  return { content, refusal: null };
}

/** `choices[].logprobs` of the older API. */
export function toLegacyLogprobs(text: TextModel, tokens: readonly AnswerToken[] | undefined): object | null {
  if (tokens === undefined) return null;
  const name = (id: TokenId): string => nameToken(text, id, 'bytes:');
  return {
    tokens: tokens.map(({ id }) => name(id)),
    token_logprobs: tokens.map(({ logprobs }) => logprobs?.logprob ?? null),
    top_logprobs: tokens.map(({ id, logprobs }) => {
      if (logprobs === null) return null;
      const named = new Map<string, number>();
      // The token itself is always there; of tokens with one name the likeliest, which comes first.
      for (const entry of [...logprobs.top, { id, logprob: logprobs.logprob }]) if (!named.has(name(entry.id))) named.set(name(entry.id), entry.logprob);
      return Object.fromEntries(named);
    }),
    text_offset: tokens.map(({ offset }) => offset),
  };
}

/** `prefix` stands before bytes that are no whole characters, written as \xe2\x82. */
export function nameToken(text: TextModel, id: TokenId, prefix: string): string {
  const { bytes } = text.readPiece(id);
  const { buffer, byteOffset, length } = bytes;
  const view = Buffer.from(buffer, byteOffset, length);
  if (length === 0) return `<|${id}|>`;
  return isUtf8(view)
    ? view.toString()
    : prefix + view.toString('latin1').replace(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

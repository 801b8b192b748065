/**
 * Owns a text side without a model file: a token is a byte, 256 ends the answer, 257 starts the prompt, 258 is silent.
 */
import { InwardError } from '../runtime/errors.ts';
import { isAnswer } from '../runtime/grammar/judge/judge.ts';
import { createAnswerGrammar } from '../runtime/text/answers.ts';
import { createAnswerParser } from '../runtime/text/formats/parser.ts';
import type { AnswerFormat } from '../runtime/text/formats/types.ts';
import type { AnswerDecoder, AnswerOptions, ChatMessage, ChatOptions, HeldValue, Piece, StreamDecoder, TextInfo, TextModel } from '../runtime/text/types.ts';
import type { Grammar, GrammarVocabulary, TokenId } from '../runtime/types.ts';

const names = ['<|end|>', '<|start|>', '<|silent|>'] as const;
export const endId = 256;
const startId = 257;
export const silentId = 258;

export class FakeText implements TextModel {
  readonly info: TextInfo = {
    vocabularySize: 300,
    bosId: startId as TokenId,
    stopIds: [endId as TokenId],
    hasChatTemplate: true,
    reasoningVariables: ['reasoning_effort', 'enable_thinking'],
  };
  readonly chats: (readonly ChatMessage[])[] = [];
  /** What came with each of them. */
  readonly options: (ChatOptions | undefined)[] = [];
  /** How answers are written. */
  format: AnswerFormat = { calls: 'none' };
  readonly texts: string[] = [];
  /** What was given for them; whoever got them may have written to them since. */
  readonly given: Uint32Array[] = [];
  /** Thrown by encode and encodeChat when set. */
  failure: unknown;

  async encode(text: string, options?: { readonly addSpecial?: boolean }): Promise<Uint32Array> {
    if (this.failure !== undefined) throw this.failure;
    this.texts.push(text);
    const ids = Uint32Array.from([...((options?.addSpecial ?? true) ? [startId] : []), ...Buffer.from(text)]);
    this.given.push(ids);
    return ids;
  }

  async encodeChat(messages: readonly ChatMessage[], options?: ChatOptions): Promise<Uint32Array> {
    this.chats.push(messages);
    this.options.push(options);
    return this.encode(messages.map(({ role, content }) => `${role}:${content}\n`).join(''));
  }

  /** Grammars that were asked about, as they were then. */
  readonly grammars: Grammar[] = [];
  readonly vocabulary: GrammarVocabulary = {
    offsets: Uint32Array.from({ length: 301 }, (_, id) => Math.min(id, 256)),
    bytes: Uint8Array.from({ length: 256 }, (_, byte) => byte),
    names: new Uint8Array(300).fill(1, 256),
    stopIds: [endId as TokenId],
  };

  async checkGrammar(grammar: Grammar): Promise<void> {
    this.grammars.push({ ...grammar, source: grammar.source.slice() });
    if (this.failure !== undefined) throw this.failure;
  }

  /** What was looked at a second time. */
  readonly looked: HeldValue[] = [];

  async checkAnswer(values: readonly HeldValue[]): Promise<void> {
    this.looked.push(...values);
    if (!values.every(({ schema, text }) => isAnswer(JSON.parse(schema), text))) throw new InwardError('answer_invalid');
  }

  createDecoder(): StreamDecoder {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) => (id < 256 ? decoder.decode(Uint8Array.of(id), { stream: true }) : ''),
      end: () => decoder.decode(),
    };
  }

  createAnswerDecoder({ tools = [] }: AnswerOptions = {}): AnswerDecoder {
    const decoder = this.createDecoder();
    const parser = createAnswerParser(this.format, { hasTools: tools.length > 0 });
    return { push: (id) => parser.push(decoder.push(id)), end: () => [...parser.push(decoder.end()), ...parser.end()] };
  }

  createAnswerGrammar(demand: Parameters<TextModel['createAnswerGrammar']>[0]): Grammar | undefined {
    return createAnswerGrammar(this.vocabulary, this.format, demand);
  }

  readPiece(id: TokenId): Piece {
    if (id < 256) return { bytes: Uint8Array.of(id), isText: true };
    return { bytes: Buffer.from(names[id - 256] ?? ''), isText: false };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A script that answers every prompt with `text` and the end token. */
export function say(text: string): () => readonly number[] {
  return () => [...Buffer.from(text), endId];
}

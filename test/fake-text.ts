/**
 * Owns a text side without a model file: a token is a byte, 256 ends the answer, 257 starts the prompt.
 */
import type { ChatMessage, StreamDecoder, TextInfo, TextModel } from '../runtime/text/types.ts';
import type { TokenId } from '../runtime/types.ts';

const endId = 256;
const startId = 257;

export class FakeText implements TextModel {
  readonly info: TextInfo = { vocabularySize: 300, bosId: startId as TokenId, stopIds: [endId as TokenId], hasChatTemplate: true };
  readonly chats: (readonly ChatMessage[])[] = [];
  /** Thrown by encodeChat when set. */
  failure: unknown;

  async encode(text: string, options?: { readonly addSpecial?: boolean }): Promise<Uint32Array> {
    return Uint32Array.from([...(options?.addSpecial ? [startId] : []), ...Buffer.from(text)]);
  }

  async encodeChat(messages: readonly ChatMessage[]): Promise<Uint32Array> {
    if (this.failure !== undefined) throw this.failure;
    this.chats.push(messages);
    return this.encode(messages.map(({ role, content }) => `${role}:${content}\n`).join(''), { addSpecial: true });
  }

  createDecoder(): StreamDecoder {
    const decoder = new TextDecoder();
    return {
      push: (id) => (id < 256 ? decoder.decode(Uint8Array.of(id), { stream: true }) : ''),
      end: () => decoder.decode(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A script that answers every prompt with `text` and the end token. */
export function say(text: string): () => readonly number[] {
  return () => [...Buffer.from(text), endId];
}

/**
 * Owns the door `inward/text`: messages -> ids, ids -> text. Template and tokenizer run in a process of their own with a deadline
 * and a memory limit; decoding runs here, from a table of bytes.
 * Refuses to keep, log or put into an error anything of what it is given.
 */
import { createDecoder } from './detokenizer.ts';
import { readPiece } from './pieces.ts';
import { Supervisor } from './supervisor.ts';
import type { TextModel, TextOptions } from './types.ts';

export type { ChatMessage, Piece, StreamDecoder, TextInfo, TextModel, TextOptions } from './types.ts';

/** Opens the text side of a model file. Errors: file_missing, gguf_invalid, model_unsupported (tokenizer). */
export async function openText(options: TextOptions): Promise<TextModel> {
  const supervisor = new Supervisor({ modelPath: options.modelPath, deadlineMs: options.deadlineMs ?? 10_000, memoryMiB: options.memoryMiB ?? 512 });
  try {
    const { info, pieces } = await supervisor.start();
    return {
      info,
      encode: (text, { addSpecial = true, parseSpecial = false } = {}) => supervisor.encode({ kind: 'text', text, addSpecial, parseSpecial }),
      encodeChat: (messages) => supervisor.encode({ kind: 'chat', messages }),
      createDecoder: () => createDecoder(pieces),
      readPiece: (id) => readPiece(pieces, id),
      [Symbol.asyncDispose]: () => supervisor.close(),
    };
  } catch (error) {
    await supervisor.close();
    throw error;
  }
}

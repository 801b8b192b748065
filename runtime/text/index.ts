/**
 * Owns the door `inward/text`: messages -> ids, ids -> text. Template and tokenizer run in a process of their own with a deadline
 * and a memory limit; decoding runs here, from a table of bytes.
 * Refuses to keep, log or put into an error anything of what it is given.
 */
import { createAnswerDecoder, createAnswerGrammar } from './answers.ts';
import { chatRequest, resolveOptions, textRequest } from './checks.ts';
import { createDecoder } from './detokenizer.ts';
import { readPiece } from './pieces.ts';
import { Supervisor } from './supervisor.ts';
import type { TextModel, TextOptions } from './types.ts';

export { textNumbers } from './checks.ts';
export type { AnswerDemand } from './formats/held.ts';
export type { AnswerPart } from './formats/types.ts';
export { type HarmonyFunction, type HarmonyMessage, renderHarmony } from './harmony.ts';
export type { ReasoningVariable } from './reasoning.ts';
export type {
  AnswerDecoder,
  AnswerOptions,
  ChatMessage,
  ChatOptions,
  HeldValue,
  Piece,
  StreamDecoder,
  TextInfo,
  TextModel,
  TextOptions,
  ToolCall,
} from './types.ts';

/** Opens the text side of a model file. Errors: invalid_option, file_missing, gguf_invalid, checkpoint_invalid, model_unsupported (tokenizer). */
export async function openText(options: TextOptions): Promise<TextModel> {
  const supervisor = new Supervisor(resolveOptions(options));
  try {
    const { info, pieces, format } = await supervisor.start();
    return {
      info,
      encode: async (text, options) => supervisor.encode(textRequest(text, options)),
      encodeChat: async (messages, options) => supervisor.encode(chatRequest(messages, options)),
      checkGrammar: async (grammar) => void (await supervisor.encode({ kind: 'grammar', grammar })),
      checkAnswer: async (values) => void (await supervisor.encode({ kind: 'answer', values })),
      vocabulary: { ...pieces, stopIds: info.stopIds },
      createDecoder: () => createDecoder(pieces),
      createAnswerDecoder: (options = {}) => createAnswerDecoder(pieces, format, options),
      createAnswerGrammar: (demand) => createAnswerGrammar(pieces, format, demand),
      readPiece: (id) => readPiece(pieces, id),
      [Symbol.asyncDispose]: () => supervisor.close(),
    };
  } catch (error) {
    await supervisor.close();
    throw error;
  }
}

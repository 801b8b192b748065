/**
 * Owns token ids -> parts of an answer: decoding with the marks of the model's format, whether the prompt has begun a thought, and what schemas say of arguments.
 */
import type { TokenId } from '../types.ts';
import { createDecoder } from './detokenizer.ts';
import { createAnswerParser, listMarks } from './formats/parser.ts';
import type { AnswerFormat, AnswerPart, IsTextArgument } from './formats/types.ts';
import { type Pieces, readPiece } from './pieces.ts';
import type { AnswerDecoder, AnswerOptions } from './types.ts';

/** Tokens at the end of a prompt that are looked at. */
const tailLength = 8;

export function createAnswerDecoder(pieces: Pieces, format: AnswerFormat, { prompt, tools = [] }: AnswerOptions): AnswerDecoder {
  const decoder = createDecoder(pieces);
  const marks = new Set(listMarks(format));
  const parser = createAnswerParser(format, { isThinking: endsInThought(pieces, format, prompt), hasTools: tools.length > 0, isText: readSchemas(tools) });
  return {
    push(id): AnswerPart[] {
      const { bytes, isText } = readPiece(pieces, id);
      const name = isText ? '' : new TextDecoder().decode(bytes);
      return parser.push(marks.has(name) ? decoder.end() + name : decoder.push(id));
    },
    end: () => [...parser.push(decoder.end()), ...parser.end()],
  };
}

/** Whether the prompt's last word is the mark that begins a thought. */
function endsInThought(pieces: Pieces, { reasoning }: AnswerFormat, prompt: Uint32Array | undefined): boolean {
  if (reasoning === undefined || prompt === undefined) return false;
  const tail = Array.from(prompt.subarray(-tailLength), (id) => Buffer.from(readPiece(pieces, id as TokenId).bytes));
  return Buffer.concat(tail).toString('utf8').trimEnd().endsWith(reasoning.start.trimEnd());
}

/** By {function: {name, parameters: {properties}}}. */
function readSchemas(tools: readonly object[]): IsTextArgument {
  const types = new Map<string, unknown>();
  for (const tool of tools) {
    const { name, parameters } = part(part(tool)['function'] ?? tool);
    for (const [argument, schema] of Object.entries(part(part(parameters)['properties']))) types.set(JSON.stringify([name, argument]), part(schema)['type']);
  }
  return (tool, argument) => {
    const type = types.get(JSON.stringify([tool, argument]));
    return type === undefined ? undefined : type === 'string';
  };
}

function part(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/**
 * Owns token ids -> parts of an answer: decoding with the marks of the model's format, whether the prompt has begun a thought, and what schemas say of arguments;
 * and the grammar that an answer is held to, with marks as the tokens that they are.
 */
import type { Grammar, TokenId } from '../types.ts';
import { createDecoder } from './detokenizer.ts';
import { type AnswerDemand, type Thought, writeAnswerGrammar } from './formats/held.ts';
import { createAnswerParser, listMarks } from './formats/parser.ts';
import type { WriteMark } from './formats/symbols.ts';
import type { AnswerFormat, AnswerPart, IsTextArgument } from './formats/types.ts';
import { type Pieces, readPiece } from './pieces.ts';
import type { AnswerDecoder, AnswerOptions } from './types.ts';

/** Tokens at the end of a prompt that are looked at. */
const tailLength = 8;

export function createAnswerDecoder(pieces: Pieces, format: AnswerFormat, { prompt, tools = [] }: AnswerOptions): AnswerDecoder {
  const decoder = createDecoder(pieces);
  const marks = new Set(listMarks(format));
  const parser = createAnswerParser(format, {
    isThinking: findThought(pieces, format, prompt) === 'open',
    hasTools: tools.length > 0,
    isText: readSchemas(tools),
  });
  return {
    push(id): AnswerPart[] {
      const { bytes, isText } = readPiece(pieces, id);
      const name = isText ? '' : new TextDecoder().decode(bytes);
      return parser.push(marks.has(name) ? decoder.end() + name : decoder.push(id));
    },
    end: () => [...parser.push(decoder.end()), ...parser.end()],
  };
}

/** Whether the prompt's last word is the mark that begins or ends a thought. */
function findThought(pieces: Pieces, { reasoning }: AnswerFormat, prompt: Uint32Array | undefined): Thought {
  if (reasoning === undefined || prompt === undefined) return undefined;
  const tail = Array.from(prompt.subarray(-tailLength), (id) => Buffer.from(readPiece(pieces, id as TokenId).bytes));
  const text = Buffer.concat(tail).toString('utf8').trimEnd();
  return text.endsWith(reasoning.start.trimEnd()) ? 'open' : text.endsWith(reasoning.end) ? 'over' : undefined;
}

/** Undefined where any answer will do. Throws calls_unenforceable, grammar_invalid. */
export function createAnswerGrammar(
  pieces: Pieces,
  format: AnswerFormat,
  { prompt, ...demand }: AnswerDemand & { readonly prompt: Uint32Array },
): Grammar | undefined {
  const written = writeAnswerGrammar(format, demand, findThought(pieces, format, prompt), createMarks(pieces));
  const source = written ?? demand.schema;
  // Not `Buffer.from`: small texts would lie in a pool of Node's that nobody wipes.
  return source === undefined ? undefined : { kind: written === undefined ? 'schema' : 'gbnf', source: new TextEncoder().encode(source) };
}

/** A mark, or what it begins with, is a token where the vocabulary has that as a name, which no text spells. */
function createMarks(pieces: Pieces): WriteMark {
  // Most answers need no mark.
  let names: ReadonlyMap<string, number> | undefined;
  return (mark) => {
    names ??= listNames(pieces);
    const lengths = Array.from(mark, (_, i) => mark.length - i);
    const length = lengths.find((end) => names?.has(mark.slice(0, end)));
    if (length === undefined) return JSON.stringify(mark);
    return `<[${names.get(mark.slice(0, length))}]>${length < mark.length ? ` ${JSON.stringify(mark.slice(length))}` : ''}`;
  };
}

function listNames(pieces: Pieces): ReadonlyMap<string, number> {
  const names = new Map<string, number>();
  for (let id = 0; id < pieces.names.length; id++)
    if (pieces.names[id] === 1) names.set(Buffer.from(readPiece(pieces, id as TokenId).bytes).toString('utf8'), id);
  return names;
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

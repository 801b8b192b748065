/**
 * Owns the parser of one answer: thoughts first, then text with calls in it, in the format of the model.
 */
import { callReaders } from './calls.ts';
import { harmonyMarks, readHarmony } from './harmony.ts';
import { pythonTag, readLlamaAnswer } from './llama.ts';
import { type Reading, Source } from './source.ts';
import type { AnswerFormat, AnswerParser, IsTextArgument } from './types.ts';
import { PartWriter } from './writer.ts';

export interface ParserOptions {
  /** Whether the prompt has already begun a thought. Default false. */
  readonly isThinking?: boolean;
  /** Whether the model was given tools; without any, what looks like a call is text. Default true. */
  readonly hasTools?: boolean;
  readonly isText?: IsTextArgument;
}

export function createAnswerParser(format: AnswerFormat, { isThinking = false, hasTools = true, isText = () => undefined }: ParserOptions = {}): AnswerParser {
  const source = new Source();
  const writer = new PartWriter();
  const told: AnswerFormat = hasTools || format.calls === 'harmony' ? format : { ...format, calls: 'none' };
  const reading = told.calls === 'harmony' ? readHarmony(source, writer) : readAnswer(source, writer, told, isThinking, isText);
  const go = () => {
    reading.next();
    return writer.take();
  };
  return {
    push(text) {
      source.add(text);
      return go();
    },
    end() {
      source.finish();
      return go();
    },
  };
}

function* readAnswer(source: Source, writer: PartWriter, { reasoning, calls }: AnswerFormat, isThinking: boolean, isText: IsTextArgument): Reading<void> {
  if (isThinking && reasoning !== undefined) yield* readThought(source, writer, reasoning.end);
  else if (reasoning !== undefined) {
    const spaces = yield* source.readWhile(/\s/);
    if (yield* source.skip(reasoning.start)) yield* readThought(source, writer, reasoning.end);
    else writer.content(spaces);
  }
  if (calls === 'bare-json') yield* readLlamaAnswer(source, writer);
  const reader = callReaders[calls];
  const starts = [...(reader === undefined ? [] : [reader.start]), ...(reasoning === undefined ? [] : [reasoning.start])];
  for (;;) {
    const mark = yield* source.readUntil(starts, writer.content);
    if (mark === undefined) return writer.finish();
    writer.border();
    if (mark === reasoning?.start) yield* readThought(source, writer, reasoning.end);
    else yield* (reader as NonNullable<typeof reader>).read(source, writer, isText);
    writer.border();
  }
}

function* readThought(source: Source, writer: PartWriter, end: string): Reading<void> {
  writer.border();
  yield* source.readUntil([end], writer.reasoning);
  writer.border();
  yield* source.readWhile(/\s/);
}

/** Marks of a format; where the vocabulary has them as control tokens, a parser wants their names. */
export function listMarks({ reasoning, calls }: AnswerFormat): readonly string[] {
  if (calls === 'harmony') return harmonyMarks;
  const more: Partial<Record<AnswerFormat['calls'], readonly string[]>> = {
    'bare-json': [pythonTag],
    'bracket-tags': ['[ARGS]', '[CALL_ID]'],
    'json-list': ['<|/tool_call|>'],
    'brace-calls': ['<tool_call|>', '<|"|>'],
    'section-tags': ['<｜tool▁calls▁end｜>', '<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '<｜tool▁call▁end｜>'],
    'invoke-tags': ['｜DSML｜'],
    'argument-tags': ['</tool_call>', '<arg_key>', '</arg_key>', '<arg_value>', '</arg_value>'],
    'json-tags': ['</tool_call>'],
    'parameter-tags': ['</tool_call>'],
  };
  const start = callReaders[calls]?.start;
  return [...(reasoning === undefined ? [] : [reasoning.start, reasoning.end]), ...(start === undefined ? [] : [start]), ...(more[calls] ?? [])];
}

/**
 * Owns the harmony format of gpt-oss: messages with a channel, some of them to tools. The prompt ends with <|start|>assistant. Source: openai/harmony docs/format.md.
 */
import { readValue } from './json.ts';
import type { Reading, Source } from './source.ts';
import type { PartWriter } from './writer.ts';

const marks = {
  start: '<|start|>',
  channel: '<|channel|>',
  message: '<|message|>',
  end: '<|end|>',
  call: '<|call|>',
  return: '<|return|>',
  constrain: '<|constrain|>',
} as const;
export const harmonyMarks: readonly string[] = Object.values(marks);

export function* readHarmony(source: Source, writer: PartWriter): Reading<void> {
  const ends = [marks.end, marks.call, marks.return, marks.start];
  while (!source.isOver) {
    let head = '';
    const mark = yield* source.readUntil([marks.message], (part) => {
      head += part;
    });
    if (mark === undefined) return;
    const recipient = /\bto=([^\s<]+)/.exec(head)?.[1];
    const channel = /<\|channel\|>\s*(\w+)/.exec(head)?.[1];
    writer.border();
    if (recipient !== undefined && recipient !== 'assistant' && recipient !== 'user') {
      writer.call(recipient.replace(/^functions\./, ''));
      // Up to the end of a JSON value, which may spell the mark in a text.
      if ((yield* source.peek()) === '{') yield* readValue(source, writer.arguments);
      yield* source.readUntil(ends, writer.arguments);
    } else yield* source.readUntil(ends, channel === 'analysis' ? writer.reasoning : writer.content);
  }
  writer.finish();
}

/**
 * Owns answers of models that think and call tools, for tests of every dialect: how they are written, and what is in them.
 */
import fc from 'fast-check';
import type { AnswerFormat } from '../../../runtime/text/formats/types.ts';

/** Qwen's and Hermes' format. */
export const format: AnswerFormat = { reasoning: { start: '<think>', end: '</think>' }, calls: 'json-tags' };

export const writeCall = (name: string, values: object): string => `<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(values)}}\n</tool_call>`;

/** A thought, a text and two calls. */
export const written: string = `<think>\nWhich ward?\n</think>\n\nI look it up.\n${writeCall('find', { ward: 'Ä3' })}\n${writeCall('count', {})}`;

/** Answers of any order of such pieces, whole and broken. */
export const answers: fc.Arbitrary<string> = fc
  .array(
    fc.constantFrom(
      ...['<think>', '</think>', '<tool_call>', '</tool_call>', '{"name": "f", "arguments": {"a": [1, "é}"]}}', '{"name": "g"}', '{"name": "h", "argu'],
      ...['ab', ' ', '\n', '€', 'STOP', 'ST', '<', '</', '{', '"', writeCall('f', { a: 1 }), '<think>x</think>'],
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''));

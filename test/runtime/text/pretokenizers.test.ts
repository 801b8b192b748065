/** Where text is cut into words, by reasoning from the expressions of the models' tokenizer files; and that no text is lost or takes its square in time. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileExpression } from '../../../runtime/text/patterns.ts';
import { findPreTokenizer, preTokenizerNames } from '../../../runtime/text/pretokenizers.ts';
import { createSplit } from '../../../runtime/text/splits.ts';

function cut(name: string, text: string): readonly string[] {
  let words: readonly string[] = [text];
  for (const pattern of findPreTokenizer(name)?.patterns ?? []) words = createSplit(compileExpression(pattern, name), 'Isolated')(words, true);
  return words;
}

// A mark | where a word ends.
test.each([
  ['gpt-2', "I|'ve| 12345| mg|,| it|'|S|  | a|\n|\n|b"],
  ['smollm', "I|'ve| |1|2|3| mg"],
  ['llama-bpe', "I|'VE| |123|45| mg|,\n\n|x|\ttab|   | a|.b|…"],
  ['qwen2', "I|'VE| |1|2| mg|!!\n|_x"],
  ['qwen2', 'e|\u0301t|  \n|x'],
  ['qwen35', 'नमस्ते| हिन्दी| e\u0301t'],
  ['tekken', "Mr|Smith|'s| ABCdef| |1|2|//\n/|x"],
  ['gpt-4o', "Mr|Smith's| CTI'D| |123|4"],
  ['deepseek-llm', 'Der| Patient|,|\n|ʔب|12345|患者です|  '],
  ['deepseek-llm', 'x|！|。| Ω|x| \u0561'], // each expression cuts the words of the one before: : to ~ has x in it, the Chinese range 。
  ['deepseek-coder', 'int| x|_|1|2|;|\n|患者| $'],
  ['deepseek-v3', 'x|123|4|患者| |です|.b| ..\n'],
  ['falcon', 'a|$=|b| |123|45|...'],
  ['bloom', 'Hei| maailma123|, (|hei|)'],
  ['viking', 'Hei| maailma|1|2|3|,'],
])('%s: %s', (name, words) => expect(cut(name, words.replaceAll('|', ''))).toEqual(words.split('|')));

/** One name of each set of expressions. */
const different = [...new Map(preTokenizerNames.map((name) => [findPreTokenizer(name)?.patterns.join('\n'), name])).values()];

describe.each(different)('%s', (name) => {
  test('no character is lost, moved or made up', () => {
    const keeps = fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => cut(name, text).join('') === text);
    fc.assert(keeps, { numRuns: 50 });
  });

  test('long runs take time in proportion', () => {
    for (const part of [' ', '\n', ' \n', 'a', 'A', 'aA', '1', '患', "'", ' x', '\u0301', '$']) {
      for (const end of ['', '患']) {
        const started = process.cpuUsage();
        cut(name, part.repeat(60_000 / part.length) + end);
        // Of the processor, not of the clock. The square would be 3.6 thousand million steps: ten seconds and more.
        expect(process.cpuUsage(started).user / 1000, `${JSON.stringify(part)} then ${JSON.stringify(end)}`).toBeLessThan(2000);
      }
    }
  });
});

/** Ids equal those of the models' own tokenizers: llama.cpp's vectors, transformers' goldens, tokenizer.json files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as Reference } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { createDecoder } from '../../../runtime/text/detokenizer.ts';
import { createPieces } from '../../../runtime/text/pieces.ts';
import { createTokenizer } from '../../../runtime/text/tokenizer.ts';
import { readVocabulary, type Vocabulary } from '../../../runtime/text/vocabulary.ts';
import type { TokenId } from '../../../runtime/types.ts';
import { createFolder, ggufBytes, type Pair, tokenizerPairs } from '../../gguf-file.ts';
import { findTestData, malformedCases, readFixture } from '../../test-data.ts';

const folder = createFolder();
afterAll(folder.remove);

function load(bytes: Uint8Array): Vocabulary {
  using checkpoint = openCheckpoint(folder.write(bytes));
  return readVocabulary(checkpoint);
}
const loadFixture = (name: string) => load(readFixture(`tokenizer/${name}.gguf.gz`));
const plain = { addSpecial: false, parseSpecial: false };

function decode(vocabulary: Vocabulary, ids: Iterable<number>): string {
  const decoder = createDecoder(createPieces(vocabulary));
  let text = '';
  for (const id of ids) text += decoder.push(id as TokenId);
  return text + decoder.end();
}

/** Texts and their ids in llama.cpp's form, for a vocabulary. */
function checkVectors(vocabulary: Vocabulary, inp: string, out: string): void {
  const tokenizer = createTokenizer(vocabulary);
  const isScored = vocabulary.tokens.includes('<0x0A>');
  const texts = inp.split('\n__ggml_vocab_test__\n');
  const lines = out.split('\n');
  test.each(texts.map((text, i) => [i, text] as const))('text %i', (i, text) => {
    const ids = Array.from(tokenizer.encode(text, plain));
    expect(ids).toEqual((lines[i] as string).split(' ').filter(Boolean).map(Number));
    // SentencePiece writes a space in front; WordPiece keeps neither case nor spaces.
    if (vocabulary.spelling === 'alphabet') expect(decode(vocabulary, ids)).toBe(text);
    else if (isScored) expect(decode(vocabulary, ids)).toBe(text && ` ${text}`);
  });
  test('all of them', () => expect([texts.length, lines.length]).toEqual([47, 47]));
}

describe.each(['gpt-2', 'deepseek-coder'])('llama.cpp vectors of %s', (name) => {
  const read = (end: string) => readFixture(`tokenizer/${name}.${end}`).toString('utf8');
  checkVectors(loadFixture(name), read('inp'), read('out'));
});

const data = findTestData('tokenizer sets beyond the fixtures');
const vocabularies = data === undefined ? [] : readdirSync(join(data, 'data', 'tokenizer')).filter((name) => name.endsWith('.gguf'));

describe.each(vocabularies)('tokenizer set %s', (name) => {
  const path = join(data ?? '', 'data', 'tokenizer', name);
  const read = (end: string) => readFileSync(`${path}.${end}`, 'utf8');
  checkVectors(load(readFileSync(path)), read('inp'), read('out'));
});

describe('transformers goldens of SmolLM2', () => {
  const vocabulary = loadFixture('smollm2');
  const tokenizer = createTokenizer(vocabulary);
  const cases: { text?: string; rendered?: string; ids: number[] }[] = JSON.parse(readFixture('tokenizer/smollm2.golden.json').toString('utf8'));
  test.each(cases)('%#', ({ text, rendered, ids }) => {
    expect(Array.from(tokenizer.encode((text ?? rendered) as string, { addSpecial: true, parseSpecial: rendered !== undefined }))).toEqual(ids);
  });
  test('stops: end of turn and end of text', () => expect(vocabulary.stopIds).toEqual([0, 2]));
});

/** Text with what pre-tokenizers care about. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.constantFrom(' ', '  ', '\n', '\r\n', '\t', "'s", "'LL", 'é', '123', '½', '患者', '🦙', 'the ', ' and', '\u00a0', '__', '//'),
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''));

describe.each(['tiny-llama', 'tiny-qwen3'])('%s beside its tokenizer.json', (name) => {
  const vocabulary = loadFixture(name);
  const tokenizer = createTokenizer(vocabulary);
  const reference = new Reference(JSON.parse(readFixture(`tokenizer/${name}.tokenizer.json`).toString('utf8')), {});
  test('any text gives the same ids, and comes back', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = Array.from(tokenizer.encode(text, plain));
        expect(ids).toEqual(reference.encode(text, { add_special_tokens: false }).ids);
        expect(decode(vocabulary, ids)).toBe((name === 'tiny-qwen3' ? text.normalize('NFC') : text).toWellFormed());
      }),
      { numRuns: process.env['INWARD_FULL'] ? 20_000 : 500 },
    );
  });
});

describe('special tokens', () => {
  const vocabulary = load(
    ggufBytes(
      tokenizerPairs({
        merges: ['a b'],
        control: ['<s>', '</s>', '<|im_end|>'],
        user: ['<think>'],
        extra: [
          ['tokenizer.ggml.bos_token_id', 'u32', 257],
          ['tokenizer.ggml.eos_token_id', 'u32', 258],
          ['tokenizer.ggml.add_bos_token', 'bool', 1],
        ],
      }),
    ),
  );
  const tokenizer = createTokenizer(vocabulary);
  test('text that spells a control token stays text unless asked', () => {
    expect(Array.from(tokenizer.encode('ab</s>', { addSpecial: true, parseSpecial: true }))).toEqual([257, 256, 258]);
    expect(Array.from(tokenizer.encode('ab</s>', plain)).includes(258)).toBe(false);
    expect(decode(vocabulary, tokenizer.encode('ab</s>', plain))).toBe('ab</s>');
  });
  test('user-defined tokens are always found, and have text', () => {
    expect(Array.from(tokenizer.encode('ab<think>', plain))).toEqual([256, 260]);
    expect(decode(vocabulary, [257, 256, 260, 259])).toBe('ab<think>');
  });
  test('BOS is not added twice', () => {
    expect(Array.from(tokenizer.encode('<s>ab', { addSpecial: true, parseSpecial: true }))).toEqual([257, 256]);
  });
  test('stops are the ids of the metadata and known control tokens', () => expect(vocabulary.stopIds).toEqual([258, 259]));
});

describe('refusals', () => {
  test.each(malformedCases().filter(({ id }) => /^(tok-|model-missing-tok)/.test(id)))('$id: $condition', ({ bytes }) => {
    expect(() => load(bytes)).toThrow(expect.objectContaining({ code: 'gguf_invalid' }));
  });
  const change = (key: string, ...value: [type: 'string', unknown] | [type: 'array', unknown, 'string' | 'i32']) =>
    ggufBytes([...tokenizerPairs({}).filter(([name]) => name !== key), [key, ...value]]);
  const kind = (model: string) => tokenizerPairs({}).map((pair): Pair => (pair[0] === 'tokenizer.ggml.model' ? [pair[0], 'string', model] : pair));
  const llamaPairs = kind('llama');
  const mappedPairs: Pair[] = [...kind('t5'), ['tokenizer.ggml.scores', 'array', Array(256).fill(-1), 'f32']];
  test.each([
    ['another kind of vocabulary', 'model_unsupported', change('tokenizer.ggml.model', 'string', 'rwkv')],
    ['no scores where the kind needs them', 'gguf_invalid', change('tokenizer.ggml.model', 'string', 'llama')],
    ['too few scores', 'gguf_invalid', ggufBytes([...llamaPairs, ['tokenizer.ggml.scores', 'array', [1], 'f32']])],
    ['scores that are no numbers', 'gguf_invalid', ggufBytes([...llamaPairs, ['tokenizer.ggml.scores', 'array', Array(256).fill(Number.NaN), 'f32']])],
    [
      'a map of characters that is none',
      'model_unsupported',
      ggufBytes([...mappedPairs, ['tokenizer.ggml.precompiled_charsmap', 'array', [255, 255, 0, 0, 1], 'u8']]),
    ],
    ['an unknown pre-tokenizer', 'model_unsupported', change('tokenizer.ggml.pre', 'string', 'no-such')],
    ['a merge of one piece', 'gguf_invalid', change('tokenizer.ggml.merges', 'array', ['ab'], 'string')],
    ['too few kinds', 'gguf_invalid', change('tokenizer.ggml.token_type', 'array', [1], 'i32')],
  ])('%s', (_, code, bytes) => expect(() => load(bytes)).toThrow(expect.objectContaining({ code })));
  test('bytes that no token has: an error, and no text is left out in silence', () => {
    const tokenizer = createTokenizer(load(change('tokenizer.ggml.tokens', 'array', Array(256).fill('a'), 'string')));
    expect(Array.from(tokenizer.encode('aa', plain)).length).toBe(2);
    expect(() => tokenizer.encode('b', plain)).toThrow(expect.objectContaining({ code: 'text_unencodable' }));
  });
  test('a merge whose result is no token is none, and one that gives a control token neither', () => {
    const none = createTokenizer(load(change('tokenizer.ggml.merges', 'array', ['a b'], 'string')));
    expect(Array.from(none.encode('ab', plain))).toEqual([97, 98]);
    const pairs = tokenizerPairs({ merges: ['a b'], control: ['abc'] }).filter(([name]) => name !== 'tokenizer.ggml.merges');
    const spelled = createTokenizer(load(ggufBytes([...pairs, ['tokenizer.ggml.merges', 'array', ['a b', 'ab c'], 'string']])));
    expect(Array.from(spelled.encode('abc', plain))).toEqual([256, 99]);
  });
  test('a name that is no name is not shown', () => {
    expect(() => load(change('tokenizer.ggml.pre', 'string', 'a\nb'))).toThrow(
      expect.objectContaining({ fields: expect.objectContaining({ found: 'another' }) }),
    );
  });
});

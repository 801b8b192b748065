/** Ids equal those of the Rust library tokenizers and of google/sentencepiece, for small vocabularies with every part that tokenizer.json and GGUF keys have (make_tokenizers.py). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { readFolderVocabulary } from '../../../runtime/text/folder-vocabulary.ts';
import { createTokenizer } from '../../../runtime/text/tokenizer.ts';
import { readVocabulary } from '../../../runtime/text/vocabulary.ts';
import { createFolder, ggufBytes, type Pair } from '../../gguf-file.ts';
import { readFixture } from '../../test-data.ts';

const folder = createFolder();
afterAll(folder.remove);
const read = <T>(name: string): T => JSON.parse(readFixture(`tokenizer/${name}.json.gz`).toString('utf8'));

interface Pipeline {
  readonly name: string;
  readonly tokenizer: object;
  /** Text, ids without special tokens, ids with those around it and with what it spells. */
  readonly cases: readonly (readonly [string, number[], number[]])[];
}
const pipelines = read<Pipeline[]>('pipelines');

describe.each(pipelines)('tokenizer.json of $name', ({ name, tokenizer: file, cases }) => {
  const path = join(folder.path, name);
  mkdirSync(path);
  writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(file));
  const tokenizer = createTokenizer(readFolderVocabulary(path));
  test('text alone', () => {
    const found = cases.map(([text]) => Array.from(tokenizer.encode(text, { addSpecial: false, parseSpecial: false })));
    expect(found).toEqual(cases.map(([, plain]) => plain));
  });
  test('with special tokens', () => {
    const found = cases.map(([text]) => Array.from(tokenizer.encode(text, { addSpecial: true, parseSpecial: true })));
    expect(found).toEqual(cases.map(([, , whole]) => whole));
  });
  test('long runs take time in proportion', () => {
    for (const part of [' ', '\n', 'a', '患', 'e\u0301', '▁', '<', ' x', '1']) {
      const started = process.cpuUsage();
      tokenizer.encode(part.repeat(40_000 / part.length), { addSpecial: true, parseSpecial: true });
      // Of the processor, not of the clock. The square would be 1.6 thousand million steps.
      expect(process.cpuUsage(started).user / 1000, JSON.stringify(part)).toBeLessThan(2000);
    }
  });
});

test('all kinds of parts', () => expect([pipelines.length, Math.min(...pipelines.map(({ cases }) => cases.length))]).toEqual([16, 73]));

interface Keys {
  readonly model: string;
  readonly tokens: readonly string[];
  readonly scores: readonly number[];
  readonly types: readonly number[];
  readonly charsmap: string;
  readonly addSpacePrefix: boolean;
  readonly removeExtra: boolean;
  readonly cases: readonly (readonly [string, number[]])[];
}

function toPairs({ model, tokens, scores, types, charsmap, addSpacePrefix, removeExtra }: Keys): Pair[] {
  return [
    ['general.architecture', 'string', 'llama'],
    ['tokenizer.ggml.model', 'string', model],
    ['tokenizer.ggml.tokens', 'array', tokens, 'string'],
    ['tokenizer.ggml.scores', 'array', scores, 'f32'],
    ['tokenizer.ggml.token_type', 'array', types, 'i32'],
    ['tokenizer.ggml.unknown_token_id', 'u32', 0],
    ['tokenizer.ggml.add_space_prefix', 'bool', Number(addSpacePrefix)],
    ['tokenizer.ggml.remove_extra_whitespaces', 'bool', Number(removeExtra)],
    ...(charsmap === '' ? [] : ([['tokenizer.ggml.precompiled_charsmap', 'array', Buffer.from(charsmap, 'base64'), 'u8']] as const)),
  ];
}

test.each(read<Keys[]>('sentencepiece').map((keys, place) => [place, keys] as const))('sentencepiece model %i as GGUF keys', (_, keys) => {
  using checkpoint = openCheckpoint(folder.write(ggufBytes(toPairs(keys))));
  const tokenizer = createTokenizer(readVocabulary(checkpoint));
  const found = keys.cases.map(([text]) => [text, Array.from(tokenizer.encode(text, { addSpecial: false, parseSpecial: false }))]);
  expect(found).toEqual(keys.cases);
});

/** A model folder as people download it: which of its files says what, by the rules of transformers; what does not fit is refused by file. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as Reference } from '@huggingface/tokenizers';
import { afterAll, describe, expect, test } from 'vitest';
import type { InwardError } from '../../../runtime/errors.ts';
import { readFolderVocabulary } from '../../../runtime/text/folder-vocabulary.ts';
import { openText } from '../../../runtime/text/index.ts';
import { createTokenizer } from '../../../runtime/text/tokenizer.ts';
import { createFolder } from '../../gguf-file.ts';
import { fixturePath, readFixture } from '../../test-data.ts';

const folder = createFolder();
afterAll(folder.remove);
let count = 0;

type Files = Readonly<Record<string, unknown>>;
/** A folder with these files; what is no string is written as JSON. */
function write(files: Files): string {
  const path = join(folder.path, `model${count++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true });
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return path;
}

const special = (id: number, content: string) => ({ id, content, special: true, normalized: false, lstrip: false, rstrip: false, single_word: false });
/** Letters a to d, then control tokens. */
const tokenizer = {
  added_tokens: [special(4, '<s>'), special(5, '</s>'), special(6, '<|im_end|>')],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { '<s>': { id: '<s>', ids: [4], tokens: ['<s>'] } },
  },
  decoder: null,
  model: { type: 'BPE', vocab: { a: 0, b: 1, c: 2, ab: 3 }, merges: ['a b'] },
};
const named = { bos_token: '<s>', eos_token: { content: '</s>' } };
const load = (files: Files = {}) => readFolderVocabulary(write({ 'tokenizer.json': tokenizer, ...files }));
const encode = (files: Files, text = 'abc') => Array.from(createTokenizer(load(files)).encode(text, { addSpecial: true, parseSpecial: true }));

describe('what is written around a text', () => {
  test.each([
    ['what tokenizer.json says', {}, [4, 3, 2]],
    ['what tokenizer_config.json says, if it does', { ...named, add_bos_token: false, add_eos_token: true }, [3, 2, 5]],
    ['one word of it is enough', { ...named, add_bos_token: false }, [3, 2]],
    ['nothing without a token', { add_bos_token: true }, [3, 2]],
  ])('%s', (_, config, ids) => expect(encode({ 'tokenizer_config.json': config })).toEqual(ids));
});

describe('tokens', () => {
  test('that only tokenizer_config.json has are added, and its word on others counts', () => {
    const config = {
      added_tokens_decoder: { 7: { content: '<x>', special: false, normalized: false }, 6: { content: '<|im_end|>', special: true, rstrip: true } },
    };
    expect(encode({ 'tokenizer_config.json': config }, 'a<x><|im_end|>  b')).toEqual([4, 0, 7, 6, 1]);
  });
  test('named as special ones are control tokens', () => {
    const vocabulary = load({ 'special_tokens_map.json': { pad_token: 'c' } });
    expect([vocabulary.kinds[2], vocabulary.added.find(({ content }) => content === 'c')?.isControl]).toEqual([3, true]);
    expect(() => createTokenizer(vocabulary).encode('c', { addSpecial: false, parseSpecial: false })).toThrow(
      expect.objectContaining({ code: 'text_unencodable' }),
    );
  });
  test('an added token that the model has no row for is text', () => {
    const image = { ...tokenizer, added_tokens: [...tokenizer.added_tokens, special(7, 'ba')] };
    const ids = (vocab_size: number) => encode({ 'tokenizer.json': image, 'config.json': { text_config: { vocab_size } } }, 'ba');
    expect([ids(8), ids(7)]).toEqual([
      [4, 7],
      [4, 1, 0],
    ]);
  });
});

describe('stops', () => {
  test.each([
    ['known ones and the named end', {}, [5, 6]],
    ['all of generation_config.json', { 'generation_config.json': { eos_token_id: [0, 5] }, 'config.json': { eos_token_id: 1 } }, [0, 5, 6]],
    ['of config.json where there is no other word', { 'config.json': { text_config: { eos_token_id: 1 } } }, [1, 5, 6]],
  ])('%s', (_, files, stops) => expect(load({ 'tokenizer_config.json': named, ...files }).stopIds).toEqual(stops));
  test('role tokens where the template ends no turn, and not where it does', () => {
    const glm = { ...tokenizer, added_tokens: [special(4, '<|user|>'), special(5, '<|observation|>'), special(6, '<|assistant|>')] };
    const stops = (template: string) => load({ 'tokenizer.json': { ...glm, post_processor: null }, 'chat_template.jinja': template }).stopIds;
    expect(stops('<|user|>{{ m }}<|observation|>{{ m }}<|assistant|>')).toEqual([4, 5]);
    expect(stops('<|user|>{{ m }}{{ eos_token }}<|assistant|>')).toEqual([]);
  });
});

describe('chat templates', () => {
  const inline = { chat_template: 'inline' };
  const list = {
    chat_template: [
      { name: 'default', template: 'one' },
      { name: 'tool_use', template: 'two' },
      { name: 'rag', template: 'three' },
    ],
  };
  test.each([
    [
      'a file of its own counts first',
      { 'chat_template.jinja': 'file', 'tokenizer_config.json': inline, 'chat_template.json': { chat_template: 'json' } },
      ['file', undefined],
    ],
    ['then tokenizer_config.json', { 'tokenizer_config.json': inline, 'chat_template.json': { chat_template: 'json' } }, ['inline', undefined]],
    ['then a JSON file', { 'chat_template.json': { chat_template: 'json' } }, ['json', undefined]],
    ['a list of named ones', { 'tokenizer_config.json': list }, ['one', 'two']],
    ['a folder of named ones', { 'chat_template.jinja': 'file', 'additional_chat_templates/tool_use.jinja': 'tools' }, ['file', 'tools']],
    ['none', {}, [undefined, undefined]],
  ])('%s', (_, files, [standard, toolUse]) =>
    expect(load(files).templates).toEqual({ ...(standard === undefined && toolUse === undefined ? {} : { standard, toolUse }) }),
  );
});

describe('refusals name the file, what was expected and what was found', () => {
  const model = (model: object) => ({ 'tokenizer.json': { ...tokenizer, model } });
  test.each([
    ['no tokenizer', 'model_unsupported', 'tokenizer', () => readFolderVocabulary(write({ 'config.json': {} }))],
    ['more tokens than rows', 'checkpoint_invalid', 'tokenizer.json', () => load({ 'config.json': { vocab_size: 3 } })],
    [
      'an end that is no token',
      'checkpoint_invalid',
      'eos_token_id of generation_config.json',
      () => load({ 'generation_config.json': { eos_token_id: [5, 7] } }),
    ],
    ['another model', 'model_unsupported', 'model of tokenizer.json', () => load(model({ type: 'WordLevel', vocab: { a: 0 } }))],
    ['ids that are none', 'checkpoint_invalid', 'an id of tokenizer.json', () => load(model({ type: 'BPE', vocab: { a: 0.5 }, merges: [] }))],
    ['two tokens of one id', 'checkpoint_invalid', 'id 0 of tokenizer.json', () => load(model({ type: 'BPE', vocab: { a: 0, b: 0 }, merges: [] }))],
    ['merges that are none', 'checkpoint_invalid', 'merges of tokenizer.json', () => load(model({ type: 'BPE', vocab: { a: 0 }, merges: ['a'] }))],
    [
      'a part of words',
      'model_unsupported',
      'end_of_word_suffix of tokenizer.json',
      () => load(model({ type: 'BPE', vocab: { a: 0 }, merges: [], end_of_word_suffix: '</w>' })),
    ],
    [
      'an unknown normalizer',
      'model_unsupported',
      'normalizer of tokenizer.json',
      () => load({ 'tokenizer.json': { ...tokenizer, normalizer: { type: 'Nmt' } } }),
    ],
    [
      'an unknown pre-tokenizer',
      'model_unsupported',
      'pre_tokenizer of tokenizer.json',
      () => load({ 'tokenizer.json': { ...tokenizer, pre_tokenizer: { type: 'toString' } } }),
    ],
    [
      'an expression that is none',
      'model_unsupported',
      'pattern of pre_tokenizer of tokenizer.json',
      () => load({ 'tokenizer.json': { ...tokenizer, pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' } } }),
    ],
    [
      'a template of another form',
      'checkpoint_invalid',
      'chat_template of tokenizer_config.json',
      () => load({ 'tokenizer_config.json': { chat_template: 7 } }),
    ],
    ['no JSON', 'checkpoint_invalid', 'tokenizer.json', () => load({ 'tokenizer.json': '{' })],
  ])('%s', (_, code, part, run) => expect(run).toThrow(expect.objectContaining({ code, fields: expect.objectContaining({ part }) })));
});

test('a folder opens as a whole: its chats, its ids, and a change of its tokenizer is noticed', async () => {
  const path = write({
    'tokenizer_config.json': { chat_template: '{% for m in messages %}<|user|>{{ m.content }}{% endfor %}{{ eos_token }}', eos_token: '<|eot_id|>' },
  });
  cpSync(fixturePath('oracles/llama'), path, { recursive: true });
  const file = JSON.parse(readFixture('tokenizer/tiny-llama.tokenizer.json').toString('utf8'));
  const user = special(file.added_tokens.length + 400, '<|user|>');
  writeFileSync(join(path, 'tokenizer.json'), JSON.stringify({ ...file, added_tokens: [...file.added_tokens, { ...user, id: 383 }] }));
  await using text = await openText({ modelPath: path, renewAfterRequests: 1 });
  const plain = 'The patient was seen.';
  const ids = new Reference(file, {}).encode(plain, { add_special_tokens: false }).ids;
  expect(Array.from(await text.encode(plain))).toEqual(ids);
  expect(Array.from(await text.encodeChat([{ role: 'user', content: plain }]))).toEqual([
    383,
    ...ids,
    file.added_tokens.find((one: { content: string }) => one.content === '<|eot_id|>')?.id ?? -1,
  ]);
  expect(text.info.vocabularySize).toBe(384);
  writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(file));
  const codes: string[] = [];
  for (let i = 0; i < 400 && codes.at(-1) !== 'model_changed'; i++) {
    codes.push(
      await text.encode('a').then(
        () => 'answered',
        (error: InwardError) => error.code,
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(codes.at(-1)).toBe('model_changed');
});

/** Which files make up a model: of folders, of GGUF files, of repositories with everything. */
import { expect, test } from 'vitest';
import { chooseFiles, chooseShards } from '../../../../server/cli/model/choose.ts';
import type { Source } from '../../../../server/cli/model/source.ts';

const place = (...paths: string[]): Source => ({
  label: 'The place',
  name: 'place',
  files: paths.map((path) => ({ name: path, path, size: 1 })),
  hasDigests: false,
  read: async function* () {},
});
const part = (stem: string, number: number, count: number): string => `${stem}-0000${number}-of-0000${count}.gguf`;

test('safetensors go before GGUF files, and bring what loader and tokenizer read', () => {
  const source = place(
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'chat_template.jinja',
    'README.md',
    'onnx/config.json',
    'modules.json',
    '1_Pooling/config.json',
    '1_Pooling/README.md',
    'additional_chat_templates/rag.jinja',
    'additional_chat_templates/rag.py',
    'x.gguf',
    'pytorch_model.bin',
  );
  const choice = chooseFiles(source);
  expect(choice.kind === 'folder' && choice.companions.map(({ path }) => path)).toEqual([
    'config.json',
    'tokenizer.json',
    'chat_template.jinja',
    'modules.json',
    '1_Pooling/config.json',
    'additional_chat_templates/rag.jinja',
  ]);
  expect(chooseShards(source, ['model.safetensors']).map(({ path }) => path)).toEqual(['model.safetensors']);
  expect(() => chooseShards(source, ['model-2.safetensors'])).toThrow('expected model-2.safetensors, which its index names, found none');
});

test('one GGUF file alone, in parts, in a folder below', () => {
  const named = (...paths: string[]): unknown => {
    const choice = chooseFiles(place(...paths));
    return choice.kind === 'gguf' && [choice.name, choice.files.map(({ name, path }) => [name, path])];
  };
  expect(named('README.md', 'a.gguf')).toEqual(['a', [['a.gguf', 'a.gguf']]]);
  expect(named(part('q/b', 2, 2), part('q/b', 1, 2))).toEqual([
    'b',
    [
      [part('b', 1, 2), part('q/b', 1, 2)],
      [part('b', 2, 2), part('q/b', 2, 2)],
    ],
  ]);
});

test('several GGUF files: which must be said, by name or path', () => {
  const source = place('m-Q4_K_M.gguf', 'm-Q8_0.gguf', part('BF16/m', 1, 2), part('BF16/m', 2, 2));
  expect(() => chooseFiles(source)).toThrow(
    'The place has several models: expected one, found m-Q4_K_M.gguf, m-Q8_0.gguf, BF16/m.gguf; say which with --file, as --file "m-Q4_K_M.gguf".',
  );
  const pick = (pattern: string): string[] | false => {
    const choice = chooseFiles(source, pattern);
    return choice.kind === 'gguf' && choice.files.map(({ name }) => name);
  };
  expect(pick('*Q8_0*')).toEqual(['m-Q8_0.gguf']);
  expect(pick('BF16/*')).toEqual([part('m', 1, 2), part('m', 2, 2)]);
  expect(() => pick('*Q4*,*')).toThrow('expected a GGUF file that fits --file "*Q4*,*", found m-Q4_K_M.gguf');
  expect(() => pick('m-Q*')).toThrow('several models');
});

test('parts that do not belong together or lack one', () => {
  expect(() => chooseFiles(place(part('m', 1, 3), part('m', 3, 3)))).toThrow('The model m.gguf is not complete: expected 3 parts, found 2');
  expect(() => chooseFiles(place(part('m', 1, 2), part('m', 2, 3)))).toThrow('is not complete');
  expect(() => chooseFiles(place(part('m', 2, 2), part('m', 3, 2)))).toThrow('is not complete');
});

test('nothing that leads out of the folder is chosen', () => {
  for (const path of ['../a.gguf', '/a.gguf', 'b/../../a.gguf', '.a.gguf', 'a b.gguf', 'a\n.gguf', '-a.gguf', 'C:\\a.gguf'])
    expect(() => chooseFiles(place(path)), path).toThrow('has no model');
});

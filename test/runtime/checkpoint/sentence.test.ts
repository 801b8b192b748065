/** What sentence-transformers writes beside config.json: files of its releases 2 to 5, and what is refused. */
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import type { Json, JsonObject } from '../../../runtime/checkpoint/json.ts';
import { readSentenceKeys } from '../../../runtime/checkpoint/sentence.ts';
import { createFolders, tensorsFile } from '../../safetensors-file.ts';

const folders = createFolders();
afterAll(folders.remove);

const modules = (...types: readonly string[]): Json =>
  types.map((type, idx) => ({ idx, name: `${idx}`, path: idx === 0 ? '' : `${idx}_${type}`, type: `sentence_transformers.models.${type}` }));
const plain = modules('Transformer', 'Pooling');
const mean = { word_embedding_dimension: 384, pooling_mode_cls_token: false, pooling_mode_mean_tokens: true, pooling_mode_max_tokens: false };
const read = (files: Readonly<Record<string, Json>>) => readSentenceKeys((name) => files[name]);

test('the files of all-MiniLM-L6-v2: a mean of length 1, of 256 tokens at most', () => {
  const files = {
    'modules.json': modules('Transformer', 'Pooling', 'Normalize'),
    '1_Pooling/config.json': { ...mean, pooling_mode_mean_sqrt_len_tokens: false },
    'sentence_bert_config.json': { max_seq_length: 256, do_lower_case: false },
  };
  expect(read(files)).toEqual({ pooling_mode: 'mean', is_normalized: true, max_seq_length: 256 });
});

test.each([
  ['cls', { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }],
  ['max', { pooling_mode_cls_token: false, pooling_mode_max_tokens: true }],
  ['lasttoken', { pooling_mode_lasttoken: true }],
  ['mean', { pooling_mode: 'mean', include_prompt: true }],
])('pooling by %s, not normalized where no module does it, as long as config.json says', (pooling, config) => {
  expect(read({ 'modules.json': plain, '1_Pooling/config.json': config })).toEqual({ pooling_mode: pooling, is_normalized: false });
});

test('a folder without modules says nothing', () => expect(read({ 'sentence_bert_config.json': { max_seq_length: 9 } })).toEqual({}));

test.each<[string, string, Readonly<Record<string, Json>>]>([
  ['modules that are no list', 'checkpoint_invalid', { 'modules.json': {} }],
  ['a module without a type', 'checkpoint_invalid', { 'modules.json': [{ path: '' }] }],
  [
    'a folder outside of it',
    'checkpoint_invalid',
    {
      'modules.json': [
        { type: 'a.Transformer', path: '' },
        { type: 'a.Pooling', path: '../1_Pooling' },
      ],
    },
  ],
  ['no modules', 'model_unsupported', { 'modules.json': [] }],
  ['an encoder in a folder of its own', 'model_unsupported', { 'modules.json': [{ type: 'a.Transformer', path: '0_Transformer' }] }],
  ['an encoder of another kind', 'model_unsupported', { 'modules.json': modules('CLIPModel', 'Pooling') }],
  ['no pooling', 'model_unsupported', { 'modules.json': modules('Transformer', 'Normalize') }],
  ['a layer behind it', 'model_unsupported', { 'modules.json': modules('Transformer', 'Pooling', 'Dense'), '1_Pooling/config.json': mean }],
  ['no file of the pooling', 'checkpoint_invalid', { 'modules.json': plain }],
  ['no pooling mode', 'model_unsupported', { 'modules.json': plain, '1_Pooling/config.json': { pooling_mode_mean_tokens: false } }],
  ['two pooling modes', 'model_unsupported', { 'modules.json': plain, '1_Pooling/config.json': { ...mean, pooling_mode_max_tokens: true } }],
  ['a limit in a list', 'checkpoint_invalid', { 'modules.json': plain, '1_Pooling/config.json': mean, 'sentence_bert_config.json': [] }],
])('%s: %s', (_, code, files) => {
  expect(() => read(files)).toThrow(expect.objectContaining({ code }));
});

const config = {
  ...{ model_type: 'bert', hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 1, intermediate_size: 96, vocab_size: 40, max_position_embeddings: 32 },
  ...{ type_vocab_size: 2, layer_norm_eps: 1e-12, hidden_act: 'gelu' },
};

function readFolder(changes: JsonObject, files: Readonly<Record<string, Json>> = {}): unknown {
  const path = folders.write({
    'config.json': JSON.stringify({ ...config, ...changes }),
    ...Object.fromEntries(Object.entries(files).map(([name, value]) => [name, JSON.stringify(value)])),
    'model.safetensors': tensorsFile(new Map()),
  });
  using checkpoint = openCheckpoint(path);
  return checkpoint.model?.family.readConfig(checkpoint.model.config);
}

test.each<[string, JsonObject]>([
  ['is_decoder', { is_decoder: true }],
  ['add_cross_attention', { add_cross_attention: true }],
  ['position_embedding_type', { position_embedding_type: 'relative_key' }],
  ['hidden_act', { hidden_act: 'mish' }],
  ['architectures', { architectures: ['BertForSequenceClassification'] }],
  ['intermediate_size', { intermediate_size: 100 }],
])('a configuration whose %s is not built is refused by it', (key, changes) => {
  expect(() => readFolder(changes)).toThrow(
    expect.objectContaining({ code: 'model_unsupported', fields: expect.objectContaining({ part: `config.json ${key}` }) }),
  );
});

test('a folder: config.json alone is a mean as it comes, and modules are read from beside it', () => {
  expect(readFolder({})).toMatchObject({ contextLength: 32, encoder: { pooling: 'mean', isNormalized: false } });
  expect(() => readFolder({}, { 'modules.json': plain })).toThrow(expect.objectContaining({ code: 'checkpoint_invalid' }));
  expect(() => readFolder({}, { 'modules.json': modules('CLIPModel') })).toThrow(expect.objectContaining({ code: 'model_unsupported' }));
});

/** Checkpoint folders: shards as one file, config.json with the checks of each key, and what is refused. */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { RopeConfig } from '../../../models/blocks.ts';
import { ropeFrequencies } from '../../../models/rope.ts';
import { type Checkpoint, describeCheckpoint, openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { readModel } from '../../../runtime/plan.ts';
import { createFolders, safetensorsBytes, tensorsFile, tinyConfig } from '../../safetensors-file.ts';

const folders = createFolders();
afterAll(folders.remove);

const tensor = (...values: number[]) => ({ storage: 'U8', shape: [values.length], bytes: Uint8Array.from(values) });
const files = {
  'config.json': JSON.stringify(tinyConfig),
  'model-1-of-2.safetensors': tensorsFile(new Map([['a', tensor(1, 2)]])),
  'model-2-of-2.safetensors': tensorsFile(
    new Map([
      ['b', tensor(3)],
      ['c', tensor(4, 5, 6)],
    ]),
  ),
};
const index = (map: unknown) => ({ 'model.safetensors.index.json': JSON.stringify({ metadata: { total_size: 6 }, weight_map: map }) });
const map = { a: 'model-1-of-2.safetensors', b: 'model-2-of-2.safetensors', c: 'model-2-of-2.safetensors' };

test('shards are one file', () => {
  using checkpoint = openCheckpoint(folders.write({ ...files, ...index(map) }));
  expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b', 'c']);
  const read = (name: string) => {
    const { offset, size } = checkpoint.tensors.get(name) ?? { offset: 0, size: 0 };
    const into = new Uint8Array(size);
    checkpoint.read(offset, into);
    return [...into];
  };
  expect([read('a'), read('b'), read('c')]).toEqual([[1, 2], [3], [4, 5, 6]]);
  expect(checkpoint.fileSize).toBe(files['model-1-of-2.safetensors'].length + files['model-2-of-2.safetensors'].length);
  // Nothing is read past the last.
  expect(() => checkpoint.read(checkpoint.tensors.get('c')?.offset ?? 0, new Uint8Array(4))).toThrow(expect.objectContaining({ code: 'checkpoint_invalid' }));
});

test.each([
  ['a path', { ...map, b: '../model-2-of-2.safetensors' }],
  ['a path of another system', { ...map, b: '..\\model-2-of-2.safetensors' }],
  ['an absolute path', { ...map, b: '/etc/model.safetensors' }],
  ['a hidden name', { ...map, b: '.model.safetensors' }],
  ['another kind of file', { ...map, b: 'config.json' }],
  ['a number', { ...map, b: 1 }],
  ['a tensor that is in another file', { ...map, a: 'model-2-of-2.safetensors' }],
  ['a tensor that is nowhere', { ...map, d: 'model-1-of-2.safetensors' }],
  ['no files', {}],
  ['no object', 'model.safetensors'],
])('an index with %s is refused', (_, weightMap) => {
  expect(() => openCheckpoint(folders.write({ ...files, ...index(weightMap) }))).toThrow(expect.objectContaining({ code: 'checkpoint_invalid' }));
});

test('a shard that is missing or a folder: what the index says of it; nothing at all: file_missing with the path', () => {
  const missing = folders.write({ ...files, ...index({ ...map, d: 'model-3.safetensors' }) });
  const fields = { part: 'file model-3.safetensors', expected: 'tensor d and 0 more, as the index says', found: 'no readable file' };
  expect(() => openCheckpoint(missing)).toThrow(expect.objectContaining({ code: 'checkpoint_invalid', fields }));
  mkdirSync(join(missing, 'model-3.safetensors'));
  expect(() => openCheckpoint(missing)).toThrow(expect.objectContaining({ code: 'checkpoint_invalid', fields }));
  const bare = folders.write({});
  expect(() => openCheckpoint(bare)).toThrow(expect.objectContaining({ code: 'file_missing', fields: { path: join(bare, 'config.json') } }));
});

test.each(['config.json', 'model.safetensors', 'model.safetensors.index.json'])('%s is a link to itself: file_missing with its path', (name) => {
  const path = folders.write({ ...files, ...index(map) });
  rmSync(join(path, name), { force: true });
  symlinkSync(name, join(path, name));
  expect(() => openCheckpoint(path)).toThrow(expect.objectContaining({ code: 'file_missing', fields: { path: join(path, name) } }));
});

test.skipIf(process.platform !== 'linux')('a file that the system cannot read is file_missing with the folder, not an error of the system', () => {
  const path = folders.write({});
  // Opens like any other; nothing lies at its beginning.
  symlinkSync('/proc/self/mem', join(path, 'config.json'));
  expect(() => openCheckpoint(path)).toThrow(expect.objectContaining({ code: 'file_missing', fields: { path } }));
});

test('two files with a tensor of one name', () => {
  const doubled = { ...files, 'model-2-of-2.safetensors': tensorsFile(new Map([['a', tensor(3)]])), ...index({ a: map.a, b: map.b }) };
  expect(() => openCheckpoint(folders.write(doubled))).toThrow(
    expect.objectContaining({ code: 'checkpoint_invalid', fields: expect.objectContaining({ part: 'tensor a' }) }),
  );
});

const empty = safetensorsBytes({});
/** As an engine does it: the folder, then what the family makes of config.json. */
function openConfig(config: unknown): ReturnType<typeof readModel> & { checkpoint: Checkpoint } {
  using checkpoint = openCheckpoint(folders.write({ 'config.json': JSON.stringify(config), 'model.safetensors': empty }));
  return { ...readModel(checkpoint), checkpoint };
}

describe('config.json', () => {
  test('as the family reads it', () => {
    const { family, config, checkpoint } = openConfig({ ...tinyConfig, rope_theta: 500000, head_dim: null });
    expect({ family, config }).toMatchObject({
      family: { name: 'llama' },
      config: {
        layerCount: 1,
        embeddingLength: 32,
        heads: 2,
        kvHeads: 1,
        headLength: 16,
        rotaryLength: 16,
        vocabularySize: 40,
        rope: { base: 500000, scaling: { kind: 'default' } },
        epsilon: 1e-5,
      },
    });
    // Embedding and norm; query, key, value and output rows; gate, up, down; two norms.
    expect(describeCheckpoint(checkpoint).parameterCount).toBe(40 * 32 + 32 + 32 * (32 + 16 + 16 + 32) + 3 * 64 * 32 + 2 * 32);
  });

  test.each([
    ['hidden_size', '64', 'checkpoint_invalid'],
    ['hidden_size', 0, 'checkpoint_invalid'],
    ['hidden_size', 2.5, 'checkpoint_invalid'],
    ['hidden_size', undefined, 'checkpoint_invalid'],
    ['num_hidden_layers', 2 ** 32, 'checkpoint_invalid'],
    ['rms_norm_eps', null, 'checkpoint_invalid'],
    ['tie_word_embeddings', 1, 'checkpoint_invalid'],
    ['rope_scaling', 'linear', 'checkpoint_invalid'],
    ['rope_scaling', { type: 'linear', factor: 0.5 }, 'model_unsupported'],
    ['rope_scaling', { type: 'dynamic', factor: 2 }, 'model_unsupported'],
    ['rope_parameters', { rope_type: 'constructor', factor: 2 }, 'model_unsupported'],
    ['rope_scaling', { rope_type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 1, original_max_position_embeddings: 64 }, 'model_unsupported'],
    ['rope_scaling', { rope_type: 'llama3', factor: 8 }, 'checkpoint_invalid'],
    ['partial_rotary_factor', 1e300, 'model_unsupported'],
    ['partial_rotary_factor', 1.01, 'model_unsupported'],
    ['partial_rotary_factor', 0, 'model_unsupported'],
    ['partial_rotary_factor', -0.5, 'model_unsupported'],
    ['partial_rotary_factor', '0.5', 'checkpoint_invalid'],
    ['attention_bias', true, 'model_unsupported'],
    ['mlp_bias', true, 'model_unsupported'],
    ['hidden_act', 'gelu', 'model_unsupported'],
    ['model_type', 'mamba', 'model_unsupported'],
    ['model_type', undefined, 'checkpoint_invalid'],
    ['quantization_config', { quant_method: 'hqq' }, 'model_unsupported'],
    ['quantization_config', { quant_method: '__proto__' }, 'model_unsupported'],
    ['quantization_config', {}, 'checkpoint_invalid'],
    ['quantization_config', { quant_method: 'awq', version: 'gemv' }, 'model_unsupported'],
    ['quantization_config', { quant_method: 'awq', bits: 3 }, 'model_unsupported'],
    ['quantization_config', { quant_method: 'gptq', bits: 5 }, 'model_unsupported'],
    ['quantization_config', { quant_method: 'gptq', bits: 4, checkpoint_format: 'marlin' }, 'model_unsupported'],
    ['quantization_config', { quant_method: 'gptq', bits: 4, group_size: 0 }, 'model_unsupported'],
    ['quantization_config', { quant_method: 'compressed-tensors', format: 'nvfp4-pack-quantized' }, 'model_unsupported'],
    ['quantization_config', { quant_method: 'fp8', fmt: 'e5m2' }, 'model_unsupported'],
    ['quantization_config', { quant_method: 'fp8', weight_block_size: [128] }, 'checkpoint_invalid'],
    ['quantization_config', { quant_method: 'bitsandbytes', load_in_8bit: true }, 'model_unsupported'],
    ['quantization_config', { quant_method: 'bitsandbytes', load_in_4bit: true, bnb_4bit_quant_type: 'fp4' }, 'model_unsupported'],
  ])('%s: %j is refused with its key', (key, value, code) => {
    expect(() => openConfig({ ...tinyConfig, [key]: value })).toThrow(
      expect.objectContaining({
        code,
        fields: expect.objectContaining({ part: expect.stringMatching(new RegExp(`^config.json .*${key === 'rope_parameters' ? 'rope' : key}`)) }),
      }),
    );
  });

  test.each(['a line\nof something', 'two words', 'Doe,Jane', 'a/path', 'x'.repeat(41), ''])('text of the file does not come into an error: %j', (text) => {
    expect(() => openConfig({ ...tinyConfig, model_type: text })).toThrow(
      expect.objectContaining({ fields: expect.objectContaining({ found: 'something else' }) }),
    );
  });

  test.each([
    ['model_type', 'Qwen2.5-VL_moe'],
    ['model_type', 'x'.repeat(40)],
    ['partial_rotary_factor', 1e300],
  ])('a name, or a number, does: %s %s', (key, value) => {
    expect(() => openConfig({ ...tinyConfig, [key]: value })).toThrow(expect.objectContaining({ fields: expect.objectContaining({ found: value }) }));
  });

  test('frequencies of llama3 are not made before it is known how many', () => {
    const scaling = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
    expect(() => openConfig({ ...tinyConfig, rope_scaling: scaling, partial_rotary_factor: 1e300 })).toThrow(
      expect.objectContaining({ code: 'model_unsupported', fields: expect.objectContaining({ part: 'config.json partial_rotary_factor' }) }),
    );
    expect(openConfig({ ...tinyConfig, rope_scaling: scaling, partial_rotary_factor: 0.5 }).config).toMatchObject({ rotaryLength: 8 });
  });

  test.each(['{"a":1,"a":2}', '[]', '', 'null', '{'])('%s is no config.json', (text) => {
    expect(() => openCheckpoint(folders.write({ 'config.json': text, 'model.safetensors': empty }))).toThrow(
      expect.objectContaining({ code: 'checkpoint_invalid' }),
    );
  });
});

test('rotary frequencies of llama3: short wavelengths stay, long ones are divided, those between in part', () => {
  // Wavelengths 2 pi 10^i for i = 0..3 (base 10^4, 8 numbers): below 64 / 4 = 16, above 64 / 1, between.
  const config = {
    ...{ ...tinyConfig, head_dim: 16, partial_rotary_factor: 0.5, rope_theta: 10_000 },
    rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 },
  };
  const { rope } = openConfig(config).config as unknown as { rope: RopeConfig };
  const share = (64 / (2 * Math.PI * 10) - 1) / 3;
  const divisors = [1, 1 / ((1 - share) / 8 + share), 8, 8];
  const { frequencies } = ropeFrequencies(8, rope.base, rope.scaling);
  for (const [pair, divisor] of divisors.entries()) expect((frequencies[pair] ?? 0) * divisor).toBeCloseTo(10 ** -pair, 6);
});

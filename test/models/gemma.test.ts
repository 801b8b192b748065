/**
 * What the Gemma families make of configurations that no oracle has: what releases leave out, both spellings of windows and frequencies, layers
 * that read the keys of others, lists of GGUF files, and refusals. Expectations: the reference's configuration classes, and public files.
 */
import { expect, test } from 'vitest';
import type { LayerCache, ModelConfig } from '../../models/family.ts';
import { gemma2 } from '../../models/gemma2.ts';
import { gemma3 } from '../../models/gemma3.ts';
import { gemma4 } from '../../models/gemma4.ts';
import { createConfigReader } from '../../runtime/checkpoint/config.ts';
import { createGgufConfig } from '../../runtime/checkpoint/gguf-config.ts';
import type { MetadataValue } from '../../runtime/checkpoint/types.ts';

const small = { hidden_size: 64, intermediate_size: 128, num_hidden_layers: 6, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 32, vocab_size: 100 };
const reader = (config: object): ModelConfig => createConfigReader({ ...small, ...config } as Parameters<typeof createConfigReader>[0]);
const windowsOf = (caches: readonly LayerCache[]): unknown[] => caches.map((cache) => (cache.kind === 'kv' ? cache.window : 'none'));

const kinds = (pattern: string): string[] => [...pattern].map((kind) => (kind === 'S' ? 'sliding_attention' : 'full_attention'));

/** A GGUF file with such metadata and tensors. */
function ggufConfig(
  family: typeof gemma2 | typeof gemma3 | typeof gemma4,
  values: Record<string, MetadataValue>,
  tensors: readonly string[] = [],
): ModelConfig {
  const architecture = family.gguf?.architecture;
  const metadata = new Map(Object.entries(values).map(([key, value]) => [`${architecture}.${key}`, value]));
  const headers = ['token_embd.weight', ...tensors].map((name) => [name, { name, storage: 'F32', shape: [100, 64], offset: 0, size: 0 }] as const);
  return createGgufConfig({ metadata, tensors: new Map(headers) }, family as typeof gemma3);
}

const ggufSmall = {
  block_count: 6,
  embedding_length: 64,
  context_length: 512,
  'attention.head_count': 4,
  'attention.layer_norm_rms_epsilon': 1e-6,
  'attention.sliding_window': 16,
};
const ggufHeads = { 'attention.head_count_kv': 2, 'attention.key_length': 32, feed_forward_length: 128 };

test('Gemma 3: a list of layers comes before a period, and the sixth layer is the first that sees all without either', () => {
  const windows = (config: object): unknown[] => windowsOf(gemma3.readConfig(reader({ sliding_window: 16, ...config })).caches);
  expect(windows({ layer_types: kinds('SFSSSF'), sliding_window_pattern: 3 })).toEqual([16, undefined, 16, 16, 16, undefined]);
  expect(windows({ sliding_window_pattern: 3 })).toEqual([16, 16, undefined, 16, 16, undefined]);
  expect(windows({})).toEqual([16, 16, 16, 16, 16, undefined]);
  expect(windowsOf(gemma3.readConfig(ggufConfig(gemma3, { ...ggufSmall, ...ggufHeads })).caches)).toEqual([16, 16, 16, 16, 16, undefined]);
  // The converter writes no window where no layer has one.
  const { 'attention.sliding_window': _, ...without } = { ...ggufSmall, ...ggufHeads };
  expect(windowsOf(gemma3.readConfig(ggufConfig(gemma3, without)).caches)).toEqual(Array(6).fill(undefined));
});

test('Gemma 3: scaled frequencies are those of layers that see all, in old files and new ones', () => {
  const expected = { full: { base: 1e6, scaling: { kind: 'linear', factor: 8 } }, sliding: { base: 5000, scaling: { kind: 'default' } } };
  const linear = { rope_type: 'linear', factor: 8 };
  const old = { rope_theta: 1e6, rope_local_base_freq: 5000, rope_scaling: linear };
  expect(gemma3.readConfig(reader(old)).ropes).toEqual(expected);
  const own = { full_attention: { ...linear, rope_theta: 1e6 }, sliding_attention: { rope_type: 'default', rope_theta: 5000 } };
  expect(gemma3.readConfig(reader({ rope_parameters: own })).ropes).toEqual(expected);
  const keys = { 'rope.freq_base': 1e6, 'rope.freq_base_swa': 5000, 'rope.scaling.type': 'linear', 'rope.scaling.factor': 8 };
  expect(gemma3.readConfig(ggufConfig(gemma3, { ...ggufSmall, ...ggufHeads, ...keys })).ropes).toEqual(expected);
  expect(gemma3.readConfig(reader({})).ropes).toEqual({
    full: { base: 1e6, scaling: { kind: 'default' } },
    sliding: { base: 1e4, scaling: { kind: 'default' } },
  });
});

test.each([
  [gemma2, 46, 144],
  [gemma2, 42, 32],
  [gemma3, 62, 168],
  [gemma3, 34, 32],
] as const)('what GGUF does not say of queries: $0.name of %i layers divides by the root of %i', (family, layers, scalar) => {
  expect(family.readConfig(ggufConfig(family, { ...ggufSmall, ...ggufHeads, block_count: layers })).scale).toBe(scalar ** -0.5);
});

test('Gemma 2: every second layer sees all; soft caps that the file does not name are those of the class', () => {
  const config = gemma2.readConfig(reader({}));
  expect(windowsOf(config.caches)).toEqual([4096, undefined, 4096, undefined, 4096, undefined]);
  expect(config).toMatchObject({ scoreCap: 50, logitCap: 30, contextLength: 8192, isTied: true, scale: 1 / 16 });
});

/** As in Gemma 4 E2B: 35 layers, every fifth sees all, the last 20 store nothing. */
const e2b = { num_hidden_layers: 35, num_kv_shared_layers: 20, layer_types: kinds('SSSSF'.repeat(7)), hidden_size_per_layer_input: 0, global_head_dim: 64 };

test('Gemma 4: layers without keys read the last layer of their kind before them, and are twice as wide where the file says so', () => {
  const { layers, caches } = gemma4.readConfig(reader({ ...e2b, use_double_wide_mlp: true }));
  expect(layers.map(({ keysOf }) => keysOf)).toEqual(Array.from({ length: 35 }, (_, layer) => (layer < 15 ? undefined : layer % 5 === 4 ? 14 : 13)));
  expect(layers.map(({ width }) => width)).toEqual(Array.from({ length: 35 }, (_, layer) => (layer < 15 ? 128 : 256)));
  expect(caches.map(({ kind }) => kind)).toEqual(Array.from({ length: 35 }, (_, layer) => (layer < 15 ? 'kv' : 'none')));
  expect(caches[13]).toEqual({ kind: 'kv', kvHeads: 2, headLength: 32, window: 512 });
  expect(caches[14]).toEqual({ kind: 'kv', kvHeads: 2, headLength: 64, window: undefined });
});

test('Gemma 4: the last layer sees all whatever the list says, and heads that see all are counted apart only where values are keys', () => {
  const plain = { hidden_size_per_layer_input: 0, global_head_dim: 64, layer_types: kinds('SFSSSS'), num_global_key_value_heads: 1 };
  const { layers } = gemma4.readConfig(reader(plain));
  expect(layers.map(({ window }) => window)).toEqual([512, undefined, 512, 512, 512, undefined]);
  expect(layers.map(({ kvHeads }) => kvHeads)).toEqual([2, 2, 2, 2, 2, 2]);
  const shared = gemma4.readConfig(reader({ ...plain, attention_k_eq_v: true })).layers;
  expect(shared.map(({ kvHeads, sharesKeys }) => [kvHeads, sharesKeys])).toEqual([2, 1, 2, 2, 2, 1].map((heads) => [heads, heads === 1]));
});

test('Gemma 4 from GGUF: a number a layer, or one for all', () => {
  const lists = {
    'attention.sliding_window_pattern': [true, true, false, true, true, false],
    'attention.head_count_kv': Uint32Array.of(2, 2, 1, 2, 2, 1),
    feed_forward_length: Uint32Array.of(128, 128, 128, 128, 256, 256),
    'attention.key_length': 64,
    'attention.key_length_swa': 32,
    'attention.shared_kv_layers': 2,
    embedding_length_per_layer_input: 0,
  };
  const config = gemma4.readConfig(ggufConfig(gemma4, { ...ggufSmall, ...lists }, ['blk.0.attn_v.weight']));
  expect(config.layers.map(({ window }) => window)).toEqual([16, 16, undefined, 16, 16, undefined]);
  // Its third layer sees all and has no values.
  expect(config.layers.map(({ kvHeads, sharesKeys }) => [kvHeads, sharesKeys])).toEqual([2, 2, 1, 2, 2, 1].map((heads) => [heads, heads === 1]));
  expect(config.layers.map(({ width }) => width)).toEqual([128, 128, 128, 128, 256, 256]);
  const one = { ...lists, 'attention.head_count_kv': 2, feed_forward_length: 128 };
  const same = gemma4.readConfig(ggufConfig(gemma4, { ...ggufSmall, ...one }, ['blk.2.attn_v.weight']));
  expect(same.layers.map(({ kvHeads, sharesKeys, width }) => [kvHeads, sharesKeys, width])).toEqual(Array(6).fill([2, false, 128]));
  const odd = { ...lists, 'attention.head_count_kv': Float32Array.of(1.5) };
  expect(() => gemma4.readConfig(ggufConfig(gemma4, { ...ggufSmall, ...odd }))).toThrow(/num_key_value_heads.*a whole number.*1\.5/);
  const words = { ...lists, feed_forward_length: ['many'] };
  expect(() => gemma4.readConfig(ggufConfig(gemma4, { ...ggufSmall, ...words }))).toThrow(/gemma4\.feed_forward_length.*finite numbers/);
});

test.each([
  [gemma3, { use_bidirectional_attention: true }, /use_bidirectional_attention.*false/],
  [gemma3, { layer_types: kinds('SSF') }, /layer_types.*6/],
  [gemma3, { layer_types: Array(6).fill('linear_attention') }, /layer_types.*full_attention, sliding_attention/],
  [gemma3, { hidden_activation: 'silu' }, /hidden_activation.*gelu_pytorch_tanh/],
  [gemma2, { attn_logit_softcapping: -1 }, /attn_logit_softcapping.*above 0/],
  [gemma4, { ...e2b, use_bidirectional_attention: 'all' }, /use_bidirectional_attention.*vision/],
  [gemma4, { ...e2b, num_kv_shared_layers: 33 }, /num_kv_shared_layers.*a layer of each kind/],
  [gemma4, { ...e2b, num_kv_shared_layers: 35 }, /num_kv_shared_layers.*0 to 34/],
  [gemma4, { ...e2b, global_head_dim: 1024 }, /global_head_dim.*at most 512/],
  [gemma4, { ...e2b, hidden_size_per_layer_input: 16, vocab_size_per_layer_input: 99 }, /vocab_size_per_layer_input.*at least 100/],
] as const)('$0.name refuses %j', (family, config, message) => {
  expect(() => family.readConfig(reader(config))).toThrow(message);
});

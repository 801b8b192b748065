/** What a configuration of Qwen3-Next or Qwen3.5 may say: which layers keep what, and refusals by the name of the key. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Family } from '../../models/family.ts';
import { qwen3_5 } from '../../models/qwen3_5.ts';
import { qwen3_5Moe } from '../../models/qwen3_5_moe.ts';
import { qwen3Next } from '../../models/qwen3_next.ts';
import { createConfigReader } from '../../runtime/checkpoint/config.ts';

type Json = Parameters<typeof createConfigReader>[0];

function read(name: string): Json {
  const outer = JSON.parse(readFileSync(join(import.meta.dirname, `../../models/releases/${name}.json`), 'utf8'));
  return { ...outer, ...outer.text_config };
}

const releases: readonly (readonly [Family, string])[] = [
  [qwen3_5, 'qwen3.5-27b'],
  [qwen3_5Moe, 'qwen3.5-35b-a3b'],
  [qwen3Next, 'qwen3-next-80b-a3b'],
] as unknown as readonly (readonly [Family, string])[];

test.each(releases)('$name: every fourth layer keeps keys and values, the others a state; the list of layers says so too', (family, name) => {
  const config = read(name);
  const { caches } = family.readConfig(createConfigReader(config));
  const layers = Number(config['num_hidden_layers']);
  expect(caches.map(({ kind }) => kind)).toEqual(Array.from({ length: layers }, (_, layer) => (layer % 4 === 3 ? 'kv' : 'state')));
  const types = Array.from({ length: layers }, (_, layer) => (layer === 5 ? 'full_attention' : 'linear_attention'));
  const listed = family.readConfig(createConfigReader({ ...config, layer_types: types })).caches;
  expect(listed.flatMap(({ kind }, layer) => (kind === 'kv' ? layer : []))).toEqual([5]);
});

test.each<[string, Json, RegExp]>([
  ['another kind of layer', { layer_types: Array.from({ length: 64 }, () => 'sliding_attention') }, /layer_types: expected linear_attention, full_attention/],
  ['a list of another length', { layer_types: ['full_attention'] }, /layer_types: expected 64, found 1/],
  ['no output gate', { attn_output_gate: false }, /attn_output_gate: expected true, found false/],
  ['another output gate', { output_gate_type: 'sigmoid' }, /output_gate_type: expected swish, found sigmoid/],
  ['biases', { attention_bias: true }, /attention_bias: expected false/],
  ['value heads that are no multiple', { linear_num_value_heads: 40 }, /linear_num_value_heads: expected a multiple of 16, and of 4, found 40/],
  ['a convolution over one token', { linear_conv_kernel_dim: 1 }, /linear_conv_kernel_dim: expected from 2 to 8, found 1/],
  ['no convolution', { linear_conv_kernel_dim: null }, /linear_conv_kernel_dim/],
])('%s is refused', (_, changed, message) => {
  expect(() => qwen3_5.readConfig(createConfigReader({ ...read('qwen3.5-27b'), ...changed } as Json))).toThrow(message);
});

test.each<[string, Json, RegExp]>([
  ['layers without experts', { mlp_only_layers: [3] }, /mlp_only_layers: expected none, found 1/],
  ['experts in every second layer', { decoder_sparse_step: 2 }, /decoder_sparse_step: expected 1, found 2/],
])('%s are refused', (_, changed, message) => {
  expect(() => qwen3Next.readConfig(createConfigReader({ ...read('qwen3-next-80b-a3b'), ...changed } as Json))).toThrow(message);
});

/**
 * GLM-5.2 as it is released, in FP8 and in BF16, by the headers of all its tensors: each is found with its name, shape and type, the layer for
 * multi-token prediction is left out, and what does not fit is refused by name, without a device. Names and shapes: written from the published
 * tables of its tensors, not from the family's list.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { planModel } from '../../runtime/plan.ts';
import { type HollowTensor, tensorSize, writeHollow } from '../hollow-checkpoint.ts';

const released: Readonly<Record<string, number>> & { readonly indexer_types: readonly string[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../models/releases/glm-5.2.json'), 'utf8'),
);
/** The same with few and narrow layers, of which no block of 128 is whole in some directions. */
const small = {
  ...released,
  ...{ hidden_size: 192, num_hidden_layers: 2, num_attention_heads: 2, q_lora_rank: 64, kv_lora_rank: 96, vocab_size: 64, first_k_dense_replace: 1 },
  ...{ intermediate_size: 160, moe_intermediate_size: 160, n_routed_experts: 4, num_experts_per_tok: 2, indexer_types: ['full', 'shared'] },
};
const fp8 = { quantization_config: { quant_method: 'fp8', fmt: 'e4m3', activation_scheme: 'dynamic', weight_block_size: [128, 128] } };

type Sizes = typeof small;
type Directory = Map<string, HollowTensor>;

/** `isFp8`: what the release in FP8 has in blocks of 128 x 128 with a scale each. */
function directoryOf(c: Sizes, isFp8: boolean): Directory {
  const d = c['hidden_size'] ?? 0;
  const found: Directory = new Map();
  const plain = (name: string, ...shape: number[]): unknown => found.set(name, { dtype: 'BF16', shape });
  const matrix = (name: string, rows: number, columns: number): void => {
    plain(`${name}.weight`, rows, columns);
    if (!isFp8) return;
    found.set(`${name}.weight`, { dtype: 'F8_E4M3', shape: [rows, columns] });
    found.set(`${name}.weight_scale_inv`, { dtype: 'F32', shape: [Math.ceil(rows / 128), Math.ceil(columns / 128)] });
  };
  const unit = (name: string, width: number): void => {
    for (const part of ['gate', 'up']) matrix(`${name}.${part}_proj`, width, d);
    matrix(`${name}.down_proj`, d, width);
  };
  const number = (key: string): number => (c as unknown as Record<string, number>)[key] ?? Number.NaN;
  plain('model.embed_tokens.weight', c.vocab_size, d);
  plain('lm_head.weight', c.vocab_size, d);
  plain('model.norm.weight', d);
  // The layer for multi-token prediction is the last, and has an indexer.
  for (let layer = 0; layer <= c.num_hidden_layers; layer++) {
    const [name, isLast] = [`model.layers.${layer}`, layer === c.num_hidden_layers];
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) plain(`${name}.${norm}.weight`, d);
    const [heads, rank, latent] = [c.num_attention_heads, c.q_lora_rank, c.kv_lora_rank];
    matrix(`${name}.self_attn.q_a_proj`, rank, d);
    plain(`${name}.self_attn.q_a_layernorm.weight`, rank);
    matrix(`${name}.self_attn.q_b_proj`, heads * 256, rank);
    matrix(`${name}.self_attn.kv_a_proj_with_mqa`, latent + 64, d);
    plain(`${name}.self_attn.kv_a_layernorm.weight`, latent);
    matrix(`${name}.self_attn.kv_b_proj`, heads * (192 + 256), latent);
    matrix(`${name}.self_attn.o_proj`, d, heads * 256);
    if (isLast || c.indexer_types[layer] === 'full') {
      matrix(`${name}.self_attn.indexer.wq_b`, 32 * 128, rank);
      matrix(`${name}.self_attn.indexer.wk`, 128, d);
      for (const part of ['weight', 'bias']) plain(`${name}.self_attn.indexer.k_norm.${part}`, 128);
      plain(`${name}.self_attn.indexer.weights_proj.weight`, 32, d);
    }
    if (layer < c.first_k_dense_replace) unit(`${name}.mlp`, number('intermediate_size'));
    else {
      plain(`${name}.mlp.gate.weight`, c.n_routed_experts, d);
      found.set(`${name}.mlp.gate.e_score_correction_bias`, { dtype: 'F32', shape: [c.n_routed_experts] });
      for (let expert = 0; expert < c.n_routed_experts; expert++) unit(`${name}.mlp.experts.${expert}`, c.moe_intermediate_size);
      unit(`${name}.mlp.shared_experts`, c.moe_intermediate_size);
    }
    if (!isLast) continue;
    matrix(`${name}.eh_proj`, d, 2 * d);
    for (const norm of ['enorm', 'hnorm', 'shared_head.norm']) plain(`${name}.${norm}.weight`, d);
  }
  return found;
}

/** A file a layer. */
function write(config: object, directory: Directory): string {
  const fileOf = (name: string): string => `model-${/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? 'outer'}.safetensors`;
  const { path, remove } = writeHollow(config, directory, fileOf);
  onTestFinished(remove);
  return path;
}

const isFull = process.env['INWARD_FULL'] === '1';
/** All of it takes a busy machine a quarter of a minute. */
const layerCounts = isFull ? [78] : [7];

test.each(layerCounts.flatMap((layers) => [true, false].map((isFp8) => [layers, isFp8] as const)))(
  '%i layers of GLM-5.2 at its own size, in FP8: %s',
  { timeout: 120_000 },
  (layers, isFp8) => {
    const c = { ...released, num_hidden_layers: layers, indexer_types: released.indexer_types.slice(0, layers) } as unknown as Sizes;
    const directory = directoryOf(c, isFp8);
    // All but three layers, and one, have 257 experts of three matrices.
    expect(Array.from(directory.keys()).filter((name) => /experts?\.\d*.*_proj\.weight$/.test(name))).toHaveLength((layers - 2) * 257 * 3);
    const plan = planModel({ modelPath: write({ ...c, ...(isFp8 && fp8) }, directory), contextLength: 131_072, maxSequences: 1, kvTokens: 131_072 });
    expect(plan).toMatchObject({ family: 'glm_moe_dsa', modelContextLength: 1_048_576 });
    const own = Array.from(directory).filter(([name]) => !name.startsWith(`model.layers.${layers}.`) && !name.endsWith('_scale_inv'));
    // On the device each 32 numbers of FP8 have a scale of four bytes.
    const bytes = own.reduce((sum, [, tensor]) => sum + tensorSize(tensor) * (tensor.dtype === 'F8_E4M3' ? 36 / 32 : 1), 0);
    expect(plan.weightSize / bytes).toBeCloseTo(1, 2);
    const indexers = c.indexer_types.filter((type) => type === 'full').length;
    expect(plan.kvSize / (plan.kvBlocks * 16)).toBe((layers * (512 + 64) + indexers * 128) * 2);
  },
);

const index = 'model.layers.0.self_attn.indexer';
const refusals: readonly (readonly [what: string, tensor: string, change: (directory: Directory, name: string) => unknown])[] = [
  ['an expert is missing', 'model.layers.1.mlp.experts.3.up_proj.weight', (all, name) => all.delete(name)],
  ['an indexer is missing', `${index}.wk.weight`, (all, name) => all.delete(name)],
  ['an expert of another width', 'model.layers.1.mlp.experts.2.down_proj.weight', (all, name) => all.set(name, { dtype: 'F8_E4M3', shape: [192, 128] })],
  [
    'scales of whole blocks only',
    'model.layers.0.self_attn.kv_a_proj_with_mqa.weight_scale_inv',
    (all, name) => all.set(name, { dtype: 'F32', shape: [1, 1] }),
  ],
  [
    'scales of blocks of another size',
    'model.layers.1.mlp.experts.0.gate_proj.weight_scale_inv',
    (all, name) => all.set(name, { dtype: 'F32', shape: [3, 3] }),
  ],
  ['FP8 without scales', `${index}.wq_b.weight_scale`, (all) => all.delete(`${index}.wq_b.weight_scale_inv`)],
  ['a key norm of another length', `${index}.k_norm.bias`, (all, name) => all.set(name, { dtype: 'BF16', shape: [64] })],
];

test('the small one as it should be', () => {
  expect(planModel({ modelPath: write({ ...small, ...fp8 }, directoryOf(small, true)), contextLength: 128 }).family).toBe('glm_moe_dsa');
});

test.each(refusals)('refused by name: %s', (_, tensor, change) => {
  const directory = directoryOf(small, true);
  change(directory, tensor);
  const modelPath = write({ ...small, ...fp8 }, directory);
  expect(() => planModel({ modelPath, contextLength: 128 })).toThrow(
    expect.objectContaining({ code: 'model_unsupported', message: expect.stringContaining(tensor) }),
  );
});

/**
 * Attention over chosen tokens at shapes that nobody picked: random small models of GLM-5.2's and DeepSeek-V3.2's kind against a plain reference in double
 * precision, logits of every position. Models in which rounding could decide what is chosen are drawn again. Bound: logits of these models are up to 4, of which f32
 * has steps of 2.4e-7; sums of a few hundred terms over three layers stay under a hundred of these, and one wrong token moves logits by more than a hundredth.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { random } from '../../kernels/random.ref.ts';
import { createEngine } from '../../runtime/engine.ts';
import { distance, run } from '../engine-run.ts';
import { testDevice } from '../gpu.ts';
import { IndexedReference, type IndexedSizes } from '../indexed-reference.ts';
import { tensorsFile } from '../safetensors-file.ts';
import { sampleCases } from '../sample.ts';
import { bf16Bytes } from '../seeded.ts';

const isFull = process.env['INWARD_FULL'] === '1';

interface Draw {
  readonly sizes: IndexedSizes;
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;
  readonly ids: readonly number[];
  readonly tokenBudget: number;
}

function drawSizes(next: () => number): IndexedSizes {
  const from = (least: number, most: number, step = 1): number => step * (least + Math.floor(next() * (most - least + 1)));
  const turning = from(1, 4, 8);
  const experts = from(3, 9);
  return {
    model_type: next() < 0.7 ? 'glm_moe_dsa' : 'deepseek_v32',
    ...{ hidden_size: from(2, 4, 32), vocab_size: from(50, 90), num_attention_heads: from(1, 5), q_lora_rank: from(1, 3, 32), kv_lora_rank: from(1, 4, 32) },
    ...{ qk_nope_head_dim: from(1, 12, 4), qk_rope_head_dim: turning, v_head_dim: from(1, 2, 32), rope_theta: from(1, 50, 100), rms_norm_eps: 1e-5 },
    // With a dozen heads scores are hardly ever zero of all.
    ...{ index_n_heads: from(3, 6, 4), index_head_dim: turning + from(0, 4, 8), index_topk: from(1, 14) },
    indexer_types: ['full', ...[1, 2].map(() => (next() < 0.5 ? 'full' : 'shared'))],
    ...{ first_k_dense_replace: from(0, 2), intermediate_size: from(10, 40, 4), moe_intermediate_size: from(4, 16, 4), n_routed_experts: experts },
    ...{ num_experts_per_tok: from(1, Math.min(3, experts)), routed_scaling_factor: 1.5 },
  };
}

/** Names and shapes that a release has. */
function shapesOf(c: IndexedSizes): Map<string, readonly number[]> {
  const d = c.hidden_size;
  const shapes = new Map<string, readonly number[]>([
    ['model.embed_tokens.weight', [c.vocab_size, d]],
    ['lm_head.weight', [c.vocab_size, d]],
    ['model.norm.weight', [d]],
  ]);
  const unit = (name: string, width: number): void => {
    for (const part of ['gate', 'up']) shapes.set(`${name}.${part}_proj.weight`, [width, d]);
    shapes.set(`${name}.down_proj.weight`, [d, width]);
  };
  c.indexer_types.forEach((type, layer) => {
    const [name, mlp] = [`model.layers.${layer}.self_attn`, `model.layers.${layer}.mlp`];
    for (const norm of ['input', 'post_attention']) shapes.set(`model.layers.${layer}.${norm}_layernorm.weight`, [d]);
    shapes.set(`${name}.q_a_proj.weight`, [c.q_lora_rank, d]).set(`${name}.q_a_layernorm.weight`, [c.q_lora_rank]);
    shapes.set(`${name}.q_b_proj.weight`, [c.num_attention_heads * (c.qk_nope_head_dim + c.qk_rope_head_dim), c.q_lora_rank]);
    shapes.set(`${name}.kv_a_proj_with_mqa.weight`, [c.kv_lora_rank + c.qk_rope_head_dim, d]).set(`${name}.kv_a_layernorm.weight`, [c.kv_lora_rank]);
    shapes.set(`${name}.kv_b_proj.weight`, [c.num_attention_heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank]);
    shapes.set(`${name}.o_proj.weight`, [d, c.num_attention_heads * c.v_head_dim]);
    if (type === 'full') {
      shapes.set(`${name}.indexer.wq_b.weight`, [c.index_n_heads * c.index_head_dim, c.q_lora_rank]).set(`${name}.indexer.wk.weight`, [c.index_head_dim, d]);
      shapes.set(`${name}.indexer.weights_proj.weight`, [c.index_n_heads, d]);
      for (const part of ['weight', 'bias']) shapes.set(`${name}.indexer.k_norm.${part}`, [c.index_head_dim]);
    }
    if (layer < c.first_k_dense_replace) {
      unit(mlp, c.intermediate_size);
      return;
    }
    shapes.set(`${mlp}.gate.weight`, [c.n_routed_experts, d]).set(`${mlp}.gate.e_score_correction_bias`, [c.n_routed_experts]);
    for (let expert = 0; expert < c.n_routed_experts; expert++) unit(`${mlp}.experts.${expert}`, c.moe_intermediate_size);
    unit(`${mlp}.shared_experts`, c.moe_intermediate_size);
  });
  return shapes;
}

/** Values that BF16 has: matrices that keep the size of their input, norms about 1, biases about 0. */
function drawTensor(name: string, shape: readonly number[], next: () => number): Float32Array {
  const [rows = 1, columns] = shape;
  const even = (width: number): number => (2 * next() - 1) * width;
  const value = (): number => {
    if (name.includes('embed')) return even(1.7);
    if (columns !== undefined) return even(Math.sqrt(3 / columns));
    return /bias$/.test(name) ? even(0.3) : 1 + even(0.4);
  };
  const values = Float32Array.from({ length: rows * (columns ?? 1) }, value);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i] ?? 0) & 0xffff0000;
  return values;
}

function draw(seed: number): Draw {
  const next = random(seed);
  const sizes = drawSizes(next);
  const tensors = new Map(Array.from(shapesOf(sizes), ([name, shape]) => [name, { shape, values: drawTensor(name, shape, next) }] as const));
  const ids = Array.from({ length: 20 + Math.floor(next() * 20) }, () => Math.floor(next() * sizes.vocab_size));
  return { sizes, tensors, ids, tokenBudget: 1 + Math.floor(next() * 24) };
}

/** The first draw from this seed on of which no choice was near, with its logits. */
function drawClear(seed: number): Draw & { readonly expected: readonly Float64Array[] } {
  for (let attempt = 0; attempt < 100; attempt++) {
    const drawn = draw(1000 * seed + attempt);
    const reference = new IndexedReference(drawn.sizes, new Map(Array.from(drawn.tensors, ([name, { values }]) => [name, values])));
    const expected = reference.run(drawn.ids);
    if (reference.nearest > 2e-4) return { ...drawn, expected };
  }
  throw new Error('no draw without a near choice');
}

function writeModel({ sizes, tensors }: Draw): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-random-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const layers = { num_hidden_layers: sizes.indexer_types.length, max_position_embeddings: 256, n_shared_experts: 1, scoring_func: 'sigmoid' };
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...sizes, ...layers, hidden_act: 'silu', tie_word_embeddings: false }));
  const stored = Array.from(tensors, ([name, { shape, values }]) => [name, { storage: 'BF16', shape, bytes: bf16Bytes(values) }] as const);
  writeFileSync(join(folder, 'model.safetensors'), tensorsFile(new Map(stored)));
  return folder;
}

const seeds = sampleCases(
  'random models with indexers',
  Array.from({ length: isFull ? 12 : 40 }, (_, i) => i + 1),
  1,
);

test.each(seeds)('random model %i', { timeout: 400_000 }, async (seed) => {
  const drawn = drawClear(seed);
  const told = JSON.stringify({ ...drawn.sizes, tokens: drawn.ids.length, tokenBudget: drawn.tokenBudget });
  const device = { device: testDevice(), kv: 'f32', activations: 'f32' } as const;
  await using engine = await createEngine({ modelPath: writeModel(drawn), ...device, contextLength: 64, kvTokens: 256, tokenBudget: drawn.tokenBudget });
  const { logits } = await run(engine, Uint32Array.from(drawn.ids), { maxTokens: 1, logits: 'all' });
  expect(logits, told).toHaveLength(drawn.ids.length);
  for (const [t, row] of drawn.expected.entries()) expect(distance(logits[t] as Float32Array, row), `position ${t} of ${told}`).toBeLessThan(5e-5);
});

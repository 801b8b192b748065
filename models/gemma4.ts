/**
 * Gemma 4 (Gemma Team 2026), its text part: as Gemma 3, but layers that see everything have longer heads (and their keys as values, in some
 * models), values are normed, the last layers may read the keys and values of earlier ones, and a second embedding may enter every layer.
 * Source: Gemma4ForCausalLM of Hugging Face transformers; GGUF architecture `gemma4`.
 */
import { gates } from '../kernels/gated.ts';
import type { Slice, Vectors } from '../kernels/kernel.ts';
import { down, matrix, outerSpecs, outputMatrix, paddingOf, vector } from './blocks.ts';
import { expertDown, expertGateAndUp } from './experts.ts';
import type { Family, WeightSpec, Weights } from './family.ts';
import { blockSpecs, GemmaBlocks, gemmaTensors } from './gemma.ts';
import { type Gemma4Config, gemma4Keys, readGemma4 } from './gemma4-config.ts';
import type { AttentionHeads, Graph } from './graph.ts';
import { ropeFrequencies } from './rope.ts';

export const gemma4: Family<Gemma4Config> = {
  name: 'gemma4',
  modelTypes: ['gemma4_text', 'gemma4', 'gemma4_unified_text', 'gemma4_unified'],
  gguf: {
    architecture: 'gemma4',
    keys: gemma4Keys,
    tensors: [
      ...gemmaTensors,
      [/^model\.embed_tokens_per_layer\./, 'per_layer_token_embd.'],
      [/^model\.per_layer_model_projection\./, 'per_layer_model_proj.'],
      [/^model\.per_layer_projection_norm\./, 'per_layer_proj_norm.'],
      [/^model\.layers\.(\d+)\.per_layer_input_gate\./, 'blk.$1.inp_gate.'],
      [/^model\.layers\.(\d+)\.per_layer_projection\./, 'blk.$1.proj.'],
      [/^model\.layers\.(\d+)\.post_per_layer_input_norm\./, 'blk.$1.post_norm.'],
      [/^model\.layers\.(\d+)\.pre_feedforward_layernorm_2\./, 'blk.$1.pre_ffw_norm_2.'],
      [/^model\.layers\.(\d+)\.post_feedforward_layernorm_([12])\./, 'blk.$1.post_ffw_norm_$2.'],
      [/^model\.layers\.(\d+)\.router\.proj\./, 'blk.$1.ffn_gate_inp.'],
      [/^model\.layers\.(\d+)\.router\.scale$/, 'blk.$1.ffn_gate_inp.scale'],
      [/^model\.layers\.(\d+)\.router\.per_expert_scale$/, 'blk.$1.ffn_down_exps.scale'],
      [/^model\.layers\.(\d+)\.experts\.(gate|up|down|gate_up)_proj\./, 'blk.$1.ffn_$2_exps.'],
      [/^model\.layers\.(\d+)\.layer_scalar$/, 'blk.$1.layer_output_scale.weight'],
    ],
  },

  readConfig: readGemma4,

  weights(c) {
    const layers = c.layers.flatMap(({ width }, layer) => [
      ...attentionSpecs(c, layer),
      ...blockSpecs(c, layer, width),
      ...expertSpecs(c, layer),
      ...layerInputSpecs(c, layer),
    ]);
    return new Map<string, WeightSpec>([...outerSpecs(c), ...tableSpecs(c), ...layers]);
  },

  canCut: (c, layer) => c.layerInput === undefined && c.layers.slice(layer).every(({ keysOf }) => keysOf === undefined || keysOf >= layer),

  forward(c, w, g) {
    const blocks = new GemmaBlocks(c, w, g);
    const rotations = createRotations(c, w, g);
    let x = g.enter(c.embeddingLength, () => blocks.embed());
    const inputs = layerInputs(c, w, g, blocks, x);
    for (const layer of g.layers(c.layerCount)) {
      const [heads, rotation] = attentionOf(c, w, layer, rotations);
      const attended = g.attention(layer, x, blocks.norm(`${layer} attention norm`), w.matrix(`${layer} projections`), heads, rotation);
      x = blocks.add(x, `${layer} attention output`, attended);
      const scale = w.host(`${layer} scale`)?.[0];
      const inner = inputs === undefined ? scale : 1;
      x = c.experts === undefined ? blocks.add(x, `${layer} down`, blocks.hidden(x, layer), inner) : addExperts(c, w, g, blocks, layer, x, inner);
      if (inputs !== undefined) {
        const gate = g.linear('layer gate', w.matrix(`${layer} input gate`), x);
        x = blocks.add(x, `${layer} input`, g.gatedBy(gate, { ...inputs, start: layer * inputs.length }, inputs.length, gates.gegluTanh), scale);
      }
    }
    g.leave(x, c.embeddingLength, () => g.choose(x, blocks.norm('output norm'), outputMatrix(c, w), { softCap: c.logitCap }));
  },
};

/** Of a layer: what its attention begins with, and what all of the layer is multiplied by. */
function attentionSpecs(c: Gemma4Config, layer: number): [string, WeightSpec][] {
  const { headLength = 0, kvHeads = 0, sharesKeys, keysOf } = c.layers[layer] ?? {};
  const name = `model.layers.${layer}`;
  const attention = `${name}.self_attn`;
  const [queryRows, kvRows] = [c.heads * headLength, kvHeads * headLength];
  const parts = [
    ['q', queryRows],
    ...(keysOf === undefined ? ([['k', kvRows]] as const) : []),
    ...(keysOf === undefined && !sharesKeys ? ([['v', kvRows]] as const) : []),
  ] as const;
  return [
    [`${layer} attention norm`, vector(`${name}.input_layernorm`, c.embeddingLength)],
    [`${layer} projections`, matrix(c.embeddingLength, ...parts.map(([part, rows]) => [`${attention}.${part}_proj`, rows] as const))],
    [`${layer} query norm`, vector(`${attention}.q_norm`, headLength)],
    ...(keysOf === undefined ? ([[`${layer} key norm`, vector(`${attention}.k_norm`, headLength)]] satisfies [string, WeightSpec][]) : []),
    [`${layer} attention output`, matrix(queryRows, [`${attention}.o_proj`, c.embeddingLength])],
    [`${layer} scale`, { kind: 'host', tensor: `${name}.layer_scalar`, length: 1, optional: true }],
  ];
}

/** The second embedding: its table, and what is made of the first one besides. */
function tableSpecs(c: Gemma4Config): [string, WeightSpec][] {
  // GGUF files have the channels that do not turn as divisors of their frequencies.
  const divisors: WeightSpec = { kind: 'host', tensor: 'rope_freqs.weight', length: c.fullHeadLength / 2, optional: true };
  if (c.layerInput === undefined) return [['rope divisors', divisors]];
  const width = c.layerCount * c.layerInput.length;
  const padding = paddingOf(width);
  const table = matrix(width + padding, ['model.embed_tokens_per_layer', c.layerInput.vocabularySize]);
  const projection = { tensor: 'model.per_layer_model_projection.weight', rows: width, padding };
  return [
    ['rope divisors', divisors],
    ['layer table', { ...table, storedColumns: width, isTable: true }],
    ['layer projection', { kind: 'matrix', columns: c.embeddingLength, parts: [projection] }],
    ['layer projection norm', vector('model.per_layer_projection_norm', c.layerInput.length)],
  ];
}

/** Of a layer: what chooses experts, and the experts, with norms of their own. */
function expertSpecs({ experts: all, embeddingLength: columns }: Gemma4Config, layer: number): [string, WeightSpec][] {
  if (all === undefined) return [];
  const { router, width } = all;
  const name = `model.layers.${layer}`;
  const one = (tensor: string, rows: number): WeightSpec => ({ kind: 'vector', parts: [{ tensor: `${name}.router.${tensor}`, rows }] });
  return [
    [`${layer} router`, matrix(columns, [`${name}.router.proj`, router.experts])],
    [`${layer} router norm`, one('scale', columns)],
    [`${layer} expert factors`, one('per_expert_scale', router.experts)],
    [`${layer} experts norm`, vector(`${name}.pre_feedforward_layernorm_2`, columns)],
    [`${layer} experts gate and up`, expertGateAndUp(columns, width, router.experts, `${name}.experts`)],
    [`${layer} experts down`, expertDown(width, columns, router.experts, `${name}.experts`)],
    [`${layer} plain output norm`, vector(`${name}.post_feedforward_layernorm_1`, columns)],
    [`${layer} experts output norm`, vector(`${name}.post_feedforward_layernorm_2`, columns)],
  ];
}

/** How its part of the second embedding enters a layer. */
function layerInputSpecs(c: Gemma4Config, layer: number): [string, WeightSpec][] {
  if (c.layerInput === undefined) return [];
  const name = `model.layers.${layer}`;
  return [
    [`${layer} input gate`, matrix(c.embeddingLength, [`${name}.per_layer_input_gate`, c.layerInput.length])],
    [`${layer} input`, down(`${name}.per_layer_projection`, c.layerInput.length, c.embeddingLength)],
    [`${layer} input norm`, vector(`${name}.post_per_layer_input_norm`, c.embeddingLength)],
  ];
}

interface Rotations {
  readonly full: Slice;
  readonly sliding: Slice;
}

function createRotations({ ropes, headLength, fullHeadLength }: Gemma4Config, w: Weights, g: Graph): Rotations {
  const divisors = w.host('rope divisors');
  return {
    full: g.rotation(ropeFrequencies(fullHeadLength, ropes.full.base, divisors ? { kind: 'divisors', divisors } : ropes.full.scaling)),
    sliding: g.rotation(ropeFrequencies(headLength, ropes.sliding.base, ropes.sliding.scaling)),
  };
}

function attentionOf(c: Gemma4Config, w: Weights, layer: number, { full, sliding }: Rotations): [AttentionHeads, Slice] {
  const { headLength = 0, kvHeads = 0, window, sharesKeys, keysOf } = c.layers[layer] ?? {};
  const query = w.vector(`${layer} query norm`);
  const onlyQueries = keysOf !== undefined;
  const norm = { query, key: onlyQueries ? query : w.vector(`${layer} key norm`), epsilon: c.epsilon, ofValues: true };
  const options = { pairs: 'halfSplit', norm, sharesKeys: sharesKeys ?? false, onlyQueries } as const;
  const heads = { heads: c.heads, kvHeads, headLength, rotaryLength: headLength, scale: 1, window, options, ...(onlyQueries && { keysOf }) };
  return [heads, window === undefined ? full : sliding];
}

/** What enters the layers: [token][layer][length], from the id and from its first embedding. */
function layerInputs(
  { layerInput, layerCount, embeddingLength }: Gemma4Config,
  w: Weights,
  g: Graph,
  blocks: GemmaBlocks,
  x: Vectors,
): { readonly rows: Vectors; readonly stride: number; readonly length: number } | undefined {
  if (layerInput === undefined) return undefined;
  const { length } = layerInput;
  const table = w.matrix('layer table');
  const own = g.embed(table, { scale: Math.fround(Math.sqrt(length)), label: 'layer rows' });
  const context = g.linear('layer context', w.matrix('layer projection'), x, { scale: embeddingLength ** -0.5 });
  const parts = { count: layerCount, stride: table.columns };
  const rows = g.norm('layer inputs', context, blocks.norm('layer projection norm'), length, { to: own, scale: Math.SQRT1_2, parts });
  return { rows, stride: table.columns, length };
}

/** (x + norm(norm(feed-forward part) + norm(experts))) * scale; all of them see x. */
function addExperts(c: Gemma4Config, w: Weights, g: Graph, blocks: GemmaBlocks, layer: number, x: Vectors, scale: number | undefined): Vectors {
  if (c.experts === undefined) return x;
  const { embeddingLength: columns } = c;
  const chosen = g.experts(x, {
    router: { matrix: w.matrix(`${layer} router`), norm: blocks.norm(`${layer} router norm`), scale: columns ** -0.5 },
    ...{ shape: c.experts.router, norm: blocks.norm(`${layer} experts norm`), gate: gates.gegluTanh },
    gateAndUp: w.experts(`${layer} experts gate and up`),
    down: w.experts(`${layer} experts down`),
    factors: w.vector(`${layer} expert factors`),
  });
  const plain = g.linear('block', w.matrix(`${layer} down`), blocks.hidden(x, layer));
  const normed = g.norm('plain block', plain, blocks.norm(`${layer} plain output norm`), columns);
  const both = g.norm('both blocks', chosen, blocks.norm(`${layer} experts output norm`), columns, { to: normed });
  return g.addNormed(x, both, blocks.norm(`${layer} down norm`), columns, scale);
}

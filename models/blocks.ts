/**
 * Owns the steps that decoders of different families truly share: the common part of a configuration, rotary scalings by their names,
 * and lists of tensors. Refuses what only one family has.
 */
import { gates } from '../kernels/gated.ts';
import type { Slice, Vectors } from '../kernels/kernel.ts';
import type { MatrixSpec, ModelConfig, ModelShape, TensorPart, VectorSpec, WeightSpec, Weights } from './family.ts';
import type { AttentionHeads, Graph, LoadedMatrix } from './graph.ts';
import type { RopeScaling } from './rope.ts';

/** What config.json of every stack of layers says under the same keys. */
export interface StackConfig extends ModelShape {
  readonly layerCount: number;
  readonly epsilon: number;
  /** The matrix of the logits is the embedding. */
  readonly isTied: boolean;
}

/** The same with heads that have keys and values. */
export interface DecoderConfig extends StackConfig {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headLength: number;
}

interface StackOptions {
  /** Where the file does not say. */
  readonly isTied?: boolean;
  /** Key of the number that norms add to a variance. */
  readonly epsilonKey?: string;
}

/** All but caches, which the family knows. */
export function readStack(config: ModelConfig, { isTied = false, epsilonKey = 'rms_norm_eps' }: StackOptions = {}): Omit<StackConfig, 'caches'> {
  const embeddingLength = config.integer('hidden_size');
  const layerCount = config.integer('num_hidden_layers');
  const epsilon = config.number(epsilonKey);
  // What the kernels rely on; the shapes of all tensors are checked against these numbers at load.
  config.demand(layerCount <= 1024, 'num_hidden_layers', 'at most 1024', layerCount);
  // A norm is a uniform buffer, of 64 KiB at most.
  config.demand(embeddingLength % 32 === 0 && embeddingLength <= 16_384, 'hidden_size', 'a multiple of 32, at most 16384', embeddingLength);
  config.demand(epsilon > 0 && epsilon < 1, epsilonKey, 'between 0 and 1', epsilon);
  return {
    layerCount,
    embeddingLength,
    vocabularySize: config.integer('vocab_size'),
    contextLength: config.integer('max_position_embeddings'),
    epsilon,
    isTied: config.boolean('tie_word_embeddings', isTied),
  };
}

/** Every layer sees everything; a family with windows says so itself. */
export function readDecoder(config: ModelConfig, options: StackOptions = {}): DecoderConfig {
  const stack = readStack(config, options);
  const heads = config.integer('num_attention_heads');
  const kvHeads = config.integer('num_key_value_heads', heads);
  const headLength = config.integer('head_dim', stack.embeddingLength / heads);
  config.demand(heads % kvHeads === 0, 'num_key_value_heads', `a divisor of ${heads}`, kvHeads);
  config.demand(headLength % 8 === 0 && headLength <= 512, 'head_dim', 'a multiple of 8, at most 512', headLength);
  config.demand((heads * headLength) % 32 === 0, 'num_attention_heads', 'heads of a multiple of 32 numbers in all', heads * headLength);
  const caches = Array.from({ length: stack.layerCount }, () => ({ kind: 'kv' as const, kvHeads, headLength }));
  return { ...stack, heads, kvHeads, headLength, caches };
}

/** The same with windows: positions that each layer sees, or undefined for all. */
export function withWindow<Config extends DecoderConfig>(config: Config, windowOf: (layer: number) => number | undefined): Config {
  return { ...config, caches: config.caches.map((cache, layer) => ({ ...cache, window: windowOf(layer) })) };
}

/** Positions that each layer sees, or undefined for all. `period`: without a list of layers the last of so many sees all. */
export function readWindows(config: ModelConfig, layerCount: number, period: number, standard?: number): (number | undefined)[] {
  const plain = Array.from({ length: layerCount }, (_, layer) => ((layer + 1) % period === 0 ? 'full_attention' : 'sliding_attention'));
  const types = config.strings('layer_types') ?? plain;
  config.demand(types.length === layerCount, 'layer_types', layerCount, types.length);
  for (const type of types) config.demand(type === 'full_attention' || type === 'sliding_attention', 'layer_types', 'full_attention, sliding_attention', type);
  return types.map((type) => (type === 'sliding_attention' ? config.integer('sliding_window', standard) : undefined));
}

/** Inner length of a gated feed-forward part. */
export function readWidth(config: ModelConfig, key = 'intermediate_size'): number {
  const width = config.integer(key);
  config.demand(width % 4 === 0, key, 'a multiple of 4', width);
  return width;
}

/** An activation that the family knows no other than. */
export function demandActivation(config: ModelConfig, expected: string, key = 'hidden_act'): void {
  const found = config.string(key, expected);
  config.demand(found === expected, key, expected, found);
}

/** Channels of a head that turn. */
export function readRotaryLength(config: ModelConfig, headLength: number, standard = 1): number {
  const part = config.number('partial_rotary_factor', config.object('rope_parameters')?.number('partial_rotary_factor', standard) ?? standard);
  config.demand(part > 0 && part <= 1, 'partial_rotary_factor', 'above 0, at most 1', part);
  const rotaryLength = Math.floor(headLength * part);
  config.demand(rotaryLength % 2 === 0 && rotaryLength > 0, 'partial_rotary_factor', 'an even number of channels', rotaryLength);
  return rotaryLength;
}

/** Base of the frequencies, and their scaling. */
export interface RopeConfig {
  readonly base: number;
  readonly scaling: RopeScaling;
}

/**
 * `rope_parameters`, or `rope_theta` and `rope_scaling` of older files, as modeling_rope_utils.py reads them. `parameters`: those of some
 * layers, where the file has several.
 */
export function readRope(
  config: ModelConfig,
  { base: standard = 10_000, parameters = config.object('rope_parameters') }: { readonly base?: number; readonly parameters?: ModelConfig | undefined } = {},
): RopeConfig {
  const scaling = parameters ?? config.object('rope_scaling');
  const outer = config.number('rope_theta', standard);
  const base = parameters?.number('rope_theta', outer) ?? outer;
  config.demand(base > 1, 'rope_theta', 'above 1', base);
  if (scaling === undefined) return { base, scaling: { kind: 'default' } };
  const type = scaling.string('rope_type', scaling.string('type', 'default'));
  const read = Object.hasOwn(scalings, type) ? scalings[type] : undefined;
  scaling.demand(read !== undefined, 'rope_type', Object.keys(scalings).join(', '), type);
  return { base, scaling: read?.(scaling, config) ?? { kind: 'default' } };
}

const optional = (config: ModelConfig, key: string): number | undefined => (config.has(key) ? config.number(key) : undefined);
const given = <T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };

function readFactor(scaling: ModelConfig): number {
  const factor = scaling.number('factor');
  scaling.demand(factor >= 1, 'factor', 'at least 1', factor);
  return factor;
}

const scalings: Readonly<Record<string, (scaling: ModelConfig, config: ModelConfig) => RopeScaling>> = {
  default: () => ({ kind: 'default' }),
  linear: (scaling) => ({ kind: 'linear', factor: readFactor(scaling) }),
  proportional(scaling) {
    const part = scaling.number('partial_rotary_factor', 1);
    scaling.demand(part > 0 && part <= 1, 'partial_rotary_factor', 'above 0, at most 1', part);
    return { kind: 'proportional', part, ...(scaling.has('factor') && { factor: readFactor(scaling) }) };
  },
  llama3(scaling) {
    const [factor, low, high] = [readFactor(scaling), scaling.number('low_freq_factor'), scaling.number('high_freq_factor')];
    scaling.demand(low > 0 && high > low, 'high_freq_factor', `above low_freq_factor, ${low}`, high);
    return { kind: 'llama3', factor, low, high, originalLength: scaling.integer('original_max_position_embeddings') };
  },
  yarn(scaling, config) {
    return {
      kind: 'yarn',
      factor: readFactor(scaling),
      originalLength: scaling.integer('original_max_position_embeddings', config.integer('max_position_embeddings')),
      ...given({
        betaFast: optional(scaling, 'beta_fast'),
        betaSlow: optional(scaling, 'beta_slow'),
        truncate: scaling.has('truncate') ? scaling.boolean('truncate') : undefined,
        attentionFactor: optional(scaling, 'attention_factor'),
        mscale: optional(scaling, 'mscale'),
        mscaleAllDim: optional(scaling, 'mscale_all_dim'),
      }),
    } as RopeScaling;
  },
  /** Lists of factors that GGUF files have as tensors are empty here. */
  longrope(scaling, config) {
    const trainedLength = config.integer('max_position_embeddings');
    const originalLength = config.integer('original_max_position_embeddings', scaling.integer('original_max_position_embeddings', trainedLength));
    const [shortFactors = [], longFactors = []] = [scaling.numbers('short_factor'), scaling.numbers('long_factor')];
    return {
      kind: 'longrope',
      shortFactors,
      longFactors,
      originalLength,
      trainedLength,
      ...given({ attentionFactor: optional(scaling, 'attention_factor') }),
    } as RopeScaling;
  },
};

/** Parts: name of the tensor without `.weight`, its rows, and its heads where they are rotated. */
export function matrix(columns: number, ...parts: readonly (readonly [tensor: string, rows: number, heads?: TensorPart['heads']])[]): MatrixSpec {
  return { kind: 'matrix', columns, parts: parts.map(([tensor, rows, heads]) => ({ tensor: `${tensor}.weight`, rows, ...(heads && { heads }) })) };
}

/** One tensor of weights. */
export function vector(tensor: string, length: number, options: Pick<VectorSpec, 'isOffset'> = {}): VectorSpec {
  return { kind: 'vector', parts: [{ tensor: `${tensor}.weight`, rows: length }], ...options };
}

/** What widths are padded to with zeros: kernels take columns in blocks of 32. */
export function paddingOf(width: number): number {
  return Math.ceil(width / 32) * 32 - width;
}

/** Gate and up of `width` rows each, by the names of their tensors without `.weight` or as parts of one; quads of rows in turns. */
export function gateAndUp(columns: number, width: number, [gate, up]: readonly [string, string] | readonly [TensorPart, TensorPart]): MatrixSpec {
  const part = (of: string | TensorPart): TensorPart => ({
    ...(typeof of === 'string' ? { tensor: `${of}.weight`, rows: width } : of),
    padding: paddingOf(width),
  });
  return { kind: 'matrix', columns, parts: [part(gate), part(up)], interleaved: true };
}

/** What follows gate and up. */
export function down(tensor: string, width: number, rows: number): MatrixSpec {
  return { ...matrix(width + paddingOf(width), [tensor, rows]), storedColumns: width };
}

/** What rotates heads of a decoder's plain attention: pairs side by side, which folders have as halves. */
export interface AttentionForm {
  /** Heads whose halves are paired at load; undefined: they stay as they are. */
  readonly heads?: TensorPart['heads'];
  /** Biases of queries, keys and values. */
  readonly hasBias?: boolean;
  /** Of the norm before it. */
  readonly norm?: Pick<VectorSpec, 'isOffset'>;
  /** Rows of a query head, where more than the query stands there; default the head length. */
  readonly queryPitch?: number;
}

/** Of a layer: `attention norm`, `projections`, their `bias` where there is one, `attention output`. */
export function attentionSpecs(
  c: DecoderConfig,
  layer: number,
  { heads, hasBias = false, norm, queryPitch = c.headLength }: AttentionForm = {},
): [string, WeightSpec][] {
  const name = `model.layers.${layer}`;
  const [queryRows, kvRows] = [c.heads * c.headLength, c.kvHeads * c.headLength];
  const parts = [
    ['q', c.heads * queryPitch, heads],
    ['k', kvRows, heads],
    ['v', kvRows, undefined],
  ] as const;
  const bias = parts.map(([part, rows, own]) => ({ tensor: `${name}.self_attn.${part}_proj.bias`, rows, heads: own }));
  return [
    [`${layer} attention norm`, vector(`${name}.input_layernorm`, c.embeddingLength, norm)],
    [`${layer} projections`, matrix(c.embeddingLength, ...parts.map(([part, rows, own]) => [`${name}.self_attn.${part}_proj`, rows, own] as const))],
    ...(hasBias ? [[`${layer} bias`, { kind: 'vector', parts: bias }] satisfies [string, WeightSpec]] : []),
    [`${layer} attention output`, matrix(queryRows, [`${name}.self_attn.o_proj`, c.embeddingLength])],
  ];
}

/** Of a layer: `feed-forward norm`, which is the tensor `before`, `gate and up`, `down`. */
export function feedForwardSpecs(
  c: StackConfig,
  layer: number,
  width: number,
  { before = 'post_attention_layernorm', norm }: { readonly before?: string; readonly norm?: Pick<VectorSpec, 'isOffset'> } = {},
): [string, WeightSpec][] {
  const name = `model.layers.${layer}`;
  return [
    [`${layer} feed-forward norm`, vector(`${name}.${before}`, c.embeddingLength, norm)],
    [`${layer} gate and up`, gateAndUp(c.embeddingLength, width, [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`])],
    [`${layer} down`, down(`${name}.mlp.down_proj`, width, c.embeddingLength)],
  ];
}

/** x + down(silu(gate) * up) of the normed x, with what `feedForwardSpecs` lists. */
export function addFeedForward(c: StackConfig, w: Weights, g: Graph, layer: number, x: Vectors): Vectors {
  const norm = { weight: w.vector(`${layer} feed-forward norm`), epsilon: c.epsilon };
  return g.addLinear(x, w.matrix(`${layer} down`), g.gated(x, norm, w.matrix(`${layer} gate and up`), gates.swiglu));
}

/** x + output(attention) of the normed x, with what `attentionSpecs` lists. */
export function addAttention(c: DecoderConfig, w: Weights, g: Graph, layer: number, x: Vectors, heads: AttentionHeads, rotation: Slice): Vectors {
  const norm = { weight: w.vector(`${layer} attention norm`), epsilon: c.epsilon };
  const attended = g.attention(layer, x, norm, w.matrix(`${layer} projections`), heads, rotation);
  return g.addLinear(x, w.matrix(`${layer} attention output`), attended);
}

/** Positions that a layer sees; undefined: all. */
export function windowAt({ caches }: ModelShape, layer: number): number | undefined {
  const cache = caches[layer];
  return cache?.kind === 'kv' ? cache.window : undefined;
}

/** `embedding`, `output` unless it is the same, and `output norm`. */
export function outerSpecs(c: StackConfig, norm: Pick<VectorSpec, 'isOffset'> = {}): [string, WeightSpec][] {
  const output: [string, WeightSpec][] = c.isTied ? [] : [['output', matrix(c.embeddingLength, ['lm_head', c.vocabularySize])]];
  return [
    ['embedding', { ...matrix(c.embeddingLength, ['model.embed_tokens', c.vocabularySize]), isTable: true }],
    ...output,
    ['output norm', vector('model.norm', c.embeddingLength, norm)],
  ];
}

/** What makes logits. */
export function outputMatrix({ isTied }: StackConfig, w: Weights): LoadedMatrix {
  return w.matrix(isTied ? 'embedding' : 'output');
}

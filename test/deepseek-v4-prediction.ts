/**
 * Owns DeepSeek-V4's block for multi-token prediction a second time, in double precision, one token after the other: written from the published formulas
 * (DeepSeek-AI 2026: hyper-connections, attention over a window with a sink, experts by their scores), apart from models/ and kernels/, which it checks. Refuses
 * to know where its numbers come from.
 */

/** Numbers of a tensor row by row, as they are multiplied. */
export interface PlainTensor {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** Tensors by their names in the release. */
export type PlainTensors = ReadonlyMap<string, PlainTensor>;

export interface PredictionConfig {
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  readonly head_dim: number;
  readonly qk_rope_head_dim: number;
  readonly sliding_window: number;
  readonly o_groups: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly hc_eps: number;
  readonly hc_sinkhorn_iters: number;
  readonly num_experts_per_tok: number;
  readonly routed_scaling_factor: number;
  readonly swiglu_limit: number;
}

type Row = readonly number[];

const count = 4;
const sum = (values: Row): number => values.reduce((total, value) => total + value, 0);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const add = (a: Row, b: Row): number[] => a.map((value, i) => value + (b[i] ?? Number.NaN));
const times = (a: Row, factor: number): number[] => a.map((value) => value * factor);
const dot = (a: Row, b: Row): number => sum(a.map((value, i) => value * (b[i] ?? Number.NaN)));
const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
const inverseRoot = (x: Row, epsilon: number): number => 1 / Math.sqrt(sum(x.map((value) => value ** 2)) / x.length + epsilon);

export class Prediction {
  readonly #config: PredictionConfig;
  readonly #tensors: PlainTensors;

  constructor(config: PredictionConfig, tensors: PlainTensors) {
    this.#config = config;
    this.#tensors = tensors;
  }

  /** `streams`: of each token of a text, from its first on, the main model's four, before they are mixed for its logits; `next`: the id behind each. Gives logits for the id behind that. */
  logits(streams: readonly (readonly Row[])[], next: Row): number[][] {
    const before = streams.map((own, position) => this.#enter(own, next[position] ?? Number.NaN));
    const sites = before.map((own) => this.#mix('hc_attn', own));
    const normed = sites.map(({ x }) => this.#norm(x, 'attn_norm.weight'));
    const keys = normed.map((x, position) => this.#key(x, position));
    return before.map((own, position) => {
      const attended = this.#attend(normed[position] ?? [], position, keys);
      const between = this.#join(own, attended, sites[position]);
      const site = this.#mix('hc_ffn', between);
      const after = this.#join(between, this.#experts(this.#norm(site.x, 'ffn_norm.weight')), site);
      return this.#multiply('head.weight', this.#norm(this.#last(after), 'norm.weight'));
    });
  }

  /** Embedding and head are those of the main model. */
  #own(name: string): PlainTensor {
    const found = this.#tensors.get(/^(?:embed|head)\./.test(name) ? name : `mtp.0.${name}`);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  #vector(name: string): number[] {
    return Array.from(this.#own(name).values);
  }

  #row(name: string, row: number): number[] {
    const { shape, values } = this.#own(name);
    const columns = shape.at(-1) ?? 0;
    return Array.from({ length: columns }, (_, i) => values[row * columns + i] ?? Number.NaN);
  }

  #multiply(name: string, x: Row): number[] {
    return range(this.#own(name).shape[0] ?? 0).map((row) => dot(this.#row(name, row), x));
  }

  #norm(x: Row, name: string): number[] {
    const factor = inverseRoot(x, this.#config.rms_norm_eps);
    const weights = this.#vector(name);
    return x.map((value, i) => value * factor * (weights[i] ?? Number.NaN));
  }

  /** e_proj(norm of the embedding) + h_proj(norm of a stream), of each stream. */
  #enter(streams: readonly Row[], next: number): number[][] {
    const expected = this.#multiply('e_proj.weight', this.#norm(this.#row('embed.weight', next), 'enorm.weight'));
    return streams.map((stream) => add(expected, this.#multiply('h_proj.weight', this.#norm(stream, 'hnorm.weight'))));
  }

  #mixes(name: string, streams: readonly Row[]): number[] {
    const all = streams.flat();
    return times(this.#multiply(`${name}_fn`, all), inverseRoot(all, this.#config.rms_norm_eps));
  }

  /** What a part gets of the streams, and how its result joins them. */
  #mix(name: string, streams: readonly Row[]): { x: number[]; after: number[]; matrix: number[][] } {
    const least = this.#config.hc_eps;
    const m = this.#mixes(name, streams);
    const [base, scale] = [this.#vector(`${name}_base`), this.#vector(`${name}_scale`)];
    const at = (i: number, part: number): number => (m[i] ?? Number.NaN) * (scale[part] ?? Number.NaN) + (base[i] ?? Number.NaN);
    const before = range(count).map((i) => sigmoid(at(i, 0)) + least);
    const after = range(count).map((i) => 2 * sigmoid(at(count + i, 1)));
    let matrix = range(count).map((i) => {
      const row = range(count).map((j) => Math.exp(at((2 + i) * count + j, 2)));
      return row.map((value) => value / sum(row) + least);
    });
    const byColumns = (): void => {
      const sums = range(count).map((j) => sum(matrix.map((row) => row[j] ?? Number.NaN)));
      matrix = matrix.map((row) => row.map((value, j) => value / ((sums[j] ?? Number.NaN) + least)));
    };
    byColumns();
    for (let turn = 1; turn < this.#config.hc_sinkhorn_iters; turn++) {
      matrix = matrix.map((row) => times(row, 1 / (sum(row) + least)));
      byColumns();
    }
    return { x: weighted(streams, before), after, matrix };
  }

  /** A result in the streams: the sum goes over the first index of the matrix. */
  #join(streams: readonly Row[], result: Row, site: { after: number[]; matrix: number[][] } | undefined): number[][] {
    const { after = [], matrix = [] } = site ?? {};
    return range(count).map((k) => {
      const kept = weighted(
        streams,
        matrix.map((row) => row[k] ?? Number.NaN),
      );
      return add(times(result, after[k] ?? Number.NaN), kept);
    });
  }

  #last(streams: readonly Row[]): number[] {
    const [base, [scale = Number.NaN]] = [this.#vector('hc_head_base'), this.#vector('hc_head_scale')];
    const before = this.#mixes('hc_head', streams).map((m, i) => sigmoid(m * scale + (base[i] ?? Number.NaN)) + this.#config.hc_eps);
    return weighted(streams, before);
  }

  /** Pairs side by side of the last channels, forwards or back. */
  #turn(x: Row, position: number, direction: 1 | -1): number[] {
    const { qk_rope_head_dim: length, rope_theta: base } = this.#config;
    const [start, y] = [x.length - length, [...x]];
    for (let i = 0; i < length / 2; i++) {
      const angle = direction * position * base ** ((-2 * i) / length);
      const [a, b] = [x[start + 2 * i] ?? Number.NaN, x[start + 2 * i + 1] ?? Number.NaN];
      y[start + 2 * i] = a * Math.cos(angle) - b * Math.sin(angle);
      y[start + 2 * i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
    }
    return y;
  }

  #key(x: Row, position: number): number[] {
    return this.#turn(this.#norm(this.#multiply('attn.wkv.weight', x), 'attn.kv_norm.weight'), position, 1);
  }

  #attend(x: Row, position: number, keys: readonly Row[]): number[] {
    const { num_attention_heads: heads, head_dim: length, sliding_window: window, o_groups: groups, rms_norm_eps: epsilon } = this.#config;
    const rank = this.#norm(this.#multiply('attn.wq_a.weight', x), 'attn.q_norm.weight');
    const queries = this.#multiply('attn.wq_b.weight', rank);
    const sinks = this.#vector('attn.attn_sink');
    const seen = keys.slice(Math.max(0, position + 1 - window), position + 1);
    const attended = range(heads).flatMap((head) => {
      const own = queries.slice(head * length, (head + 1) * length);
      const query = this.#turn(times(own, inverseRoot(own, epsilon)), position, 1);
      const scores = seen.map((key) => dot(query, key) / Math.sqrt(length));
      const sink = sinks[head] ?? Number.NaN;
      const most = Math.max(sink, ...scores);
      const weights = scores.map((score) => Math.exp(score - most));
      return this.#turn(weighted(seen, times(weights, 1 / (sum(weights) + Math.exp(sink - most)))), position, -1);
    });
    const [rows = 0, columns = 0] = this.#own('attn.wo_a.weight').shape;
    const grouped = range(rows).map((row) => {
      const group = Math.floor((row * groups) / rows);
      return dot(this.#row('attn.wo_a.weight', row), attended.slice(group * columns, (group + 1) * columns));
    });
    return this.#multiply('attn.wo_b.weight', grouped);
  }

  #experts(x: Row): number[] {
    const { num_experts_per_tok: most, routed_scaling_factor: factor } = this.#config;
    const scores = this.#multiply('ffn.gate.weight', x).map((logit) => Math.sqrt(Math.log1p(Math.exp(logit))));
    const biased = add(scores, this.#vector('ffn.gate.bias'));
    const chosen = range(scores.length)
      .sort((a, b) => (biased[b] ?? 0) - (biased[a] ?? 0))
      .slice(0, most);
    const total = sum(chosen.map((expert) => scores[expert] ?? Number.NaN));
    const results = chosen.map((expert) => times(this.#expert(`ffn.experts.${expert}`, x), ((scores[expert] ?? Number.NaN) / total) * factor));
    return results.reduce(add, this.#expert('ffn.shared_experts', x));
  }

  #expert(name: string, x: Row): number[] {
    const limit = this.#config.swiglu_limit;
    const up = this.#multiply(`${name}.w3.weight`, x);
    const inner = this.#multiply(`${name}.w1.weight`, x).map((value, i) => {
      const gate = Math.min(value, limit);
      return gate * sigmoid(gate) * Math.max(-limit, Math.min(up[i] ?? Number.NaN, limit));
    });
    return this.#multiply(`${name}.w2.weight`, inner);
  }
}

/** The sum of rows times a number each. */
function weighted(rows: readonly Row[], weights: Row): number[] {
  return rows.map((row, i) => times(row, weights[i] ?? Number.NaN)).reduce(add);
}

/** Tensors of a release's file, decoded one number after the other: FP8 in E4M3 with a power of two for each 128 x 128, two numbers of 4 bits a byte with one for each 32. */
export function readReleased(file: Buffer): PlainTensors {
  const headerLength = Number(file.readBigUInt64LE(0));
  const header: Record<string, { readonly dtype: string; readonly shape: number[]; readonly data_offsets: [number, number] }> = JSON.parse(
    file.toString('utf8', 8, 8 + headerLength),
  );
  const bytesOf = (name: string): Buffer => {
    const [start, end] = header[name]?.data_offsets ?? [0, 0];
    return file.subarray(8 + headerLength + start, 8 + headerLength + end);
  };
  const tensors = new Map<string, PlainTensor>();
  for (const [name, { dtype, shape }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [bytes, scales] = [bytesOf(name), bytesOf(name.replace(/\.weight$/, '.scale'))];
    const rows = shape.length > 1 ? (shape[0] ?? Number.NaN) : 1;
    const stored = shape.reduce((product, dimension) => product * dimension, 1) / rows;
    const power = (i: number): number => 2 ** ((scales[i] ?? 0) - 127);
    const numbers = (length: number, value: (i: number) => number): Float64Array => Float64Array.from({ length }, (_, i) => value(i));
    if (dtype === 'F32') tensors.set(name, { shape, values: numbers(rows * stored, (i) => bytes.readFloatLE(4 * i)) });
    else if (dtype === 'BF16') tensors.set(name, { shape, values: numbers(rows * stored, (i) => readBf16(bytes.readUInt16LE(2 * i))) });
    else if (dtype === 'F8_E4M3') {
      const blocks = Math.ceil(stored / 128);
      const scaleAt = (i: number): number => power(Math.floor(Math.floor(i / stored) / 128) * blocks + Math.floor((i % stored) / 128));
      tensors.set(name, { shape, values: numbers(rows * stored, (i) => readE4m3(bytes[i] ?? 0) * scaleAt(i)) });
    } else if (dtype === 'I8') {
      const columns = 2 * stored;
      const nibble = (i: number): number => ((bytes[i >> 1] ?? 0) >> (4 * (i % 2))) & 15;
      tensors.set(name, { shape: [rows, columns], values: numbers(rows * columns, (i) => readE2m1(nibble(i)) * power(Math.floor(i / 32))) });
    }
  }
  return tensors;
}

function readBf16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0] ?? Number.NaN;
}

/** One bit of sign, four of exponent, three of fraction. */
function readE4m3(byte: number): number {
  const [exponent, fraction] = [(byte >> 3) & 15, (byte & 7) / 8];
  return (byte > 127 ? -1 : 1) * (exponent === 0 ? fraction * 2 ** -6 : (1 + fraction) * 2 ** (exponent - 7));
}

/** One bit of sign, two of exponent, one of fraction. */
function readE2m1(code: number): number {
  return (code > 7 ? -1 : 1) * ([0, 0.5, 1, 1.5, 2, 3, 4, 6][code % 8] ?? Number.NaN);
}

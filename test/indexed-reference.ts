/**
 * Owns a decoder with latent attention over tokens that an indexer chooses, in double precision and as plainly as its formulas: keys and values are made
 * of latents, nothing is absorbed, cached or batched. Written from the published formulas (DeepSeek-AI 2024 and 2025, GLM-5), not from models/. Tells how near
 * the nearest choice was, so that a test can leave out what rounding decides.
 */

/** Keys of config.json. */
export interface IndexedSizes {
  readonly model_type: 'glm_moe_dsa' | 'deepseek_v32';
  readonly hidden_size: number;
  readonly vocab_size: number;
  readonly num_attention_heads: number;
  readonly q_lora_rank: number;
  readonly kv_lora_rank: number;
  readonly qk_nope_head_dim: number;
  readonly qk_rope_head_dim: number;
  readonly v_head_dim: number;
  readonly rope_theta: number;
  readonly rms_norm_eps: number;
  readonly index_n_heads: number;
  readonly index_head_dim: number;
  readonly index_topk: number;
  readonly indexer_types: readonly string[];
  readonly first_k_dense_replace: number;
  readonly intermediate_size: number;
  readonly moe_intermediate_size: number;
  readonly n_routed_experts: number;
  readonly num_experts_per_tok: number;
  readonly routed_scaling_factor: number;
}

type Row = Float64Array;
/** Tensors by name; a matrix row by row. */
export type Tensors = ReadonlyMap<string, ArrayLike<number>>;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>, at = 0): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[at + i] ?? 0);
  return sum;
};
const plus = (a: Row, b: Row): Row => a.map((value, i) => value + (b[i] ?? 0));
const silu = (x: number): number => x / (1 + Math.exp(-x));
const rms = (x: Row, weight: ArrayLike<number>, epsilon: number): Row =>
  x.map((value, i) => (value / Math.sqrt(dot(x, x) / x.length + epsilon)) * (weight[i] ?? 0));

export class IndexedReference {
  readonly #c: IndexedSizes;
  readonly #tensors: Tensors;
  /** The smallest distance between what was chosen and what was not, over all experts and all tokens. */
  nearest: number = Number.POSITIVE_INFINITY;

  constructor(sizes: IndexedSizes, tensors: Tensors) {
    this.#c = sizes;
    this.#tensors = tensors;
  }

  /** Logits of every position. */
  run(ids: readonly number[]): Row[] {
    const { hidden_size: d, rms_norm_eps: epsilon, indexer_types: types } = this.#c;
    let rows: Row[] = ids.map((id) => Float64Array.from(Array.from(this.#at('model.embed_tokens.weight')).slice(id * d, (id + 1) * d)));
    let chosen: number[][] = [];
    types.forEach((type, layer) => {
      const name = `model.layers.${layer}`;
      const normed = rows.map((row) => rms(row, this.#at(`${name}.input_layernorm.weight`), epsilon));
      const ranks = normed.map((row) => rms(this.#times(`${name}.self_attn.q_a_proj`, row), this.#at(`${name}.self_attn.q_a_layernorm.weight`), 1e-6));
      if (type === 'full') chosen = this.#choose(`${name}.self_attn.indexer`, normed, ranks);
      const attended = this.#attend(`${name}.self_attn`, normed, ranks, chosen);
      rows = rows.map((row, t) => plus(row, attended[t] as Row));
      rows = rows.map((row) => plus(row, this.#feed(layer, rms(row, this.#at(`${name}.post_attention_layernorm.weight`), epsilon))));
    });
    return rows.map((row) => this.#times('lm_head', rms(row, this.#at('model.norm.weight'), epsilon)));
  }

  #at(name: string): ArrayLike<number> {
    const found = this.#tensors.get(name);
    if (found === undefined) throw new Error(`no tensor ${name}`);
    return found;
  }

  #times(name: string, x: Row): Row {
    const matrix = this.#at(`${name}.weight`);
    return Float64Array.from({ length: matrix.length / x.length }, (_, row) => dot(x, matrix, row * x.length));
  }

  /** Channels that turn, by their position. */
  #turn(x: Row, position: number, pairs: 'interleaved' | 'halves'): Row {
    const out = x.slice();
    for (let i = 0; i < x.length / 2; i++) {
      const angle = position * this.#c.rope_theta ** ((-2 * i) / x.length);
      const [a, b] = pairs === 'interleaved' ? [2 * i, 2 * i + 1] : [i, i + x.length / 2];
      out[a] = (x[a] ?? 0) * Math.cos(angle) - (x[b] ?? 0) * Math.sin(angle);
      out[b] = (x[b] ?? 0) * Math.cos(angle) + (x[a] ?? 0) * Math.sin(angle);
    }
    return out;
  }

  /** Numbers of the k largest, ascending. */
  #largest(scores: readonly number[], k: number): number[] {
    const order = scores.map((score, i) => ({ score, i })).sort((a, b) => b.score - a.score);
    const [last, next] = [order[k - 1], order[k]];
    if (last !== undefined && next !== undefined) this.nearest = Math.min(this.nearest, last.score - next.score);
    return order
      .slice(0, k)
      .map(({ i }) => i)
      .sort((a, b) => a - b);
  }

  #choose(name: string, normed: readonly Row[], ranks: readonly Row[]): number[][] {
    const { index_n_heads: heads, index_head_dim: length, qk_rope_head_dim: turning, model_type: type } = this.#c;
    const turned = (head: Row, t: number): Row =>
      Float64Array.of(...this.#turn(head.slice(0, turning), t, type === 'deepseek_v32' ? 'halves' : 'interleaved'), ...head.slice(turning));
    const keys = normed.map((row, t) => {
      const key = this.#times(`${name}.wk`, row);
      const mean = key.reduce((sum, value) => sum + value, 0) / length;
      const deviation = Math.sqrt(key.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length + 1e-6);
      const [weight, bias] = [this.#at(`${name}.k_norm.weight`), this.#at(`${name}.k_norm.bias`)];
      return turned(
        key.map((value, i) => ((value - mean) / deviation) * (weight[i] ?? 0) + (bias[i] ?? 0)),
        t,
      );
    });
    return normed.map((row, t) => {
      const weights = this.#times(`${name}.weights_proj`, row);
      const all = this.#times(`${name}.wq_b`, ranks[t] as Row);
      const queries = Array.from({ length: heads }, (_, head) => turned(all.slice(head * length, (head + 1) * length), t));
      const scores = keys
        .slice(0, t + 1)
        .map((key) => queries.reduce((sum, query, head) => sum + (weights[head] ?? 0) * heads ** -0.5 * Math.max(0, dot(query, key) * length ** -0.5), 0));
      return this.#largest(scores, this.#c.index_topk);
    });
  }

  #attend(name: string, normed: readonly Row[], ranks: readonly Row[], chosen: readonly number[][]): Row[] {
    const { num_attention_heads: heads, qk_nope_head_dim: plain, qk_rope_head_dim: turning, v_head_dim: length, kv_lora_rank: latent } = this.#c;
    const made = normed.map((row, t) => {
      const all = this.#times(`${name}.kv_a_proj_with_mqa`, row);
      const parts = this.#times(`${name}.kv_b_proj`, rms(all.slice(0, latent), this.#at(`${name}.kv_a_layernorm.weight`), 1e-6));
      return { parts, turned: this.#turn(all.slice(latent), t, 'interleaved') };
    });
    return normed.map((_, t) => {
      const queries = this.#times(`${name}.q_b_proj`, ranks[t] as Row);
      const out = Array.from({ length: heads }, (__, head) => {
        const query = queries.slice(head * (plain + turning), (head + 1) * (plain + turning));
        const turned = this.#turn(query.slice(plain), t, 'interleaved');
        const seen = (chosen[t] ?? []).map((one) => made[one] as (typeof made)[number]);
        const at = head * (plain + length);
        const scores = seen.map(({ parts, turned: key }) => (dot(query.slice(0, plain), parts, at) + dot(turned, key)) * (plain + turning) ** -0.5);
        const largest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - largest));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        return Float64Array.from({ length }, (___, i) =>
          seen.reduce((sum, { parts }, j) => sum + ((weights[j] ?? 0) / total) * (parts[at + plain + i] ?? 0), 0),
        );
      });
      return this.#times(`${name}.o_proj`, Float64Array.from(out.flatMap((head) => Array.from(head))));
    });
  }

  #unit(name: string, x: Row): Row {
    const [gate, up] = [this.#times(`${name}.gate_proj`, x), this.#times(`${name}.up_proj`, x)];
    return this.#times(
      `${name}.down_proj`,
      gate.map((value, i) => silu(value) * (up[i] ?? 0)),
    );
  }

  #feed(layer: number, x: Row): Row {
    const name = `model.layers.${layer}.mlp`;
    if (layer < this.#c.first_k_dense_replace) return this.#unit(name, x);
    const scores = Array.from(this.#times(`${name}.gate`, x), (logit) => 1 / (1 + Math.exp(-logit)));
    const bias = this.#at(`${name}.gate.e_score_correction_bias`);
    const experts = this.#largest(
      scores.map((score, expert) => score + (bias[expert] ?? 0)),
      this.#c.num_experts_per_tok,
    );
    const total = experts.reduce((sum, expert) => sum + (scores[expert] ?? 0), 0) + 1e-20;
    return experts.reduce(
      (sum, expert) => {
        const weight = ((scores[expert] ?? 0) / total) * this.#c.routed_scaling_factor;
        return plus(
          sum,
          this.#unit(`${name}.experts.${expert}`, x).map((value) => value * weight),
        );
      },
      this.#unit(`${name}.shared_experts`, x),
    );
  }
}

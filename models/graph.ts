/**
 * Owns the list of operations that a forward pass becomes, and the scratch buffers between them. A family's
 * forward runs once, at load; the runner replays the list every step. Refuses anything that only one family needs.
 */
import { type AttentionShape, attention, attentionMerge, clearBlocks, type KvPool, ropeStore } from '../kernels/attention.ts';
import { embed } from '../kernels/embed.ts';
import type { Operation, Slice } from '../kernels/kernel.ts';
import { matmul } from '../kernels/matmul.ts';
import { rmsNorm } from '../kernels/rms_norm.ts';
import { sample } from '../kernels/sample.ts';
import { swiglu } from '../kernels/swiglu.ts';
import { type Activations, activationRowSize, packedStorages } from '../kernels/weights.ts';
import type { LoadedMatrix } from './family.ts';

export interface GraphSettings {
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
  readonly activations: Activations['format'];
  readonly kv: 'f16' | 'f32';
  readonly maxTokens: number;
  readonly maxLogitRows: number;
  readonly maxItems: number;
  readonly contextLength: number;
  readonly blockLength: number;
  readonly batch: Slice;
  /** KV pool of every layer. */
  readonly pools: readonly KvPool[];
  /** A buffer of `size` bytes that lives as long as the model; `data`: its content, for constant tables. */
  create(owner: 'activations' | 'logits', label: string, size: number, data?: Float32Array): Slice;
}

export interface AttentionHeads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headLength: number;
  readonly rotaryLength: number;
}

export class Graph {
  readonly settings: GraphSettings;
  /** Run only when the step has blocks to clear, before everything else. */
  readonly clears: Operation[] = [];
  readonly operations: Operation[] = [];
  readonly #scratch = new Map<string, Slice>();
  #logits: Slice | undefined;
  #ids: Slice | undefined;

  constructor(settings: GraphSettings) {
    this.settings = settings;
  }

  /** [logit row][vocabulary] f32, and the chosen ids [logit row] u32; there once the family has called `choose`. */
  get results(): { logits: Slice; ids: Slice } {
    if (this.#logits === undefined || this.#ids === undefined) throw new Error('the forward pass chose no token');
    return { logits: this.#logits, ids: this.#ids };
  }

  /** Embedding of the batch's ids: the residual stream [token][embedding length]. */
  embed(table: LoadedMatrix): Slice {
    const x = this.#perToken('residual', table.columns * 4);
    const { lanes, batch, layout } = this.settings;
    for (const piece of table.pieces) this.operations.push(...embed(piece.matrix, x, batch, lanes, layout));
    return x;
  }

  /** RMSNorm in the format that the matrix `next` multiplies by. */
  norm(x: Slice, weight: Slice, epsilon: number, next: LoadedMatrix, over: 'tokens' | 'logitRows' = 'tokens'): Activations {
    const { lanes, batch, layout } = this.settings;
    const y = this.#activationsFor(over === 'tokens' ? 'normed' : 'normed rows', next, over);
    this.operations.push(rmsNorm({ x, weight, y, columns: next.columns, epsilon, over, batch, lanes, layout }));
    return y;
  }

  /** W x as f32 [token][rows]; `label` names the scratch buffer. */
  linear(label: string, matrix: LoadedMatrix, x: Activations): Slice {
    const y = this.#perToken(label, matrix.rows * 4);
    this.#multiply(matrix, x, y, false, 'tokens');
    return y;
  }

  /** y += W x. */
  addLinear(y: Slice, matrix: LoadedMatrix, x: Activations): void {
    this.#multiply(matrix, x, y, true, 'tokens');
  }

  /** Rotary position embedding, KV store and causal attention; projected = queries, keys, values side by side. */
  attention(layer: number, projected: Slice, shape: AttentionHeads, rotation: Slice, next: LoadedMatrix): Activations {
    const { batch, kv, blockLength, lanes, layout, maxItems } = this.settings;
    const pool = this.settings.pools[layer];
    if (pool === undefined) throw new Error(`no KV pool for layer ${layer}`);
    const full: AttentionShape = { ...shape, kv, blockLength, lanes, layout };
    const width = shape.heads * shape.headLength;
    const queries = this.#perToken('queries', width * 4);
    const scratch = {
      partials: this.#buffer('partials', maxItems * width * 4),
      states: this.#buffer('states', maxItems * shape.heads * 8),
    };
    const y = this.#activationsFor('attended', next, 'tokens');
    this.clears.push(clearBlocks(full, pool, batch));
    this.operations.push(ropeStore(full, projected, queries, pool, rotation, batch));
    this.operations.push(attention(full, queries, pool, scratch, batch), attentionMerge(full, scratch, y, batch));
    return y;
  }

  swiglu(gateUp: Slice, next: LoadedMatrix): Activations {
    const y = this.#activationsFor('hidden', next, 'tokens');
    this.operations.push(swiglu(gateUp, y, next.columns, this.settings.lanes));
    return y;
  }

  /** Logits of the batch's logit rows, and one token drawn from each. */
  choose(x: Slice, norm: Slice, epsilon: number, output: LoadedMatrix): void {
    const { lanes, batch, layout, maxLogitRows } = this.settings;
    const normed = this.norm(x, norm, epsilon, output, 'logitRows');
    this.#logits = this.settings.create('logits', 'logits', maxLogitRows * output.rows * 4);
    this.#ids = this.settings.create('logits', 'ids', maxLogitRows * 4);
    this.#multiply(output, normed, this.#logits, false, 'logitRows');
    this.operations.push(sample(this.#logits, this.#ids, output.rows, batch, lanes, layout));
  }

  /** Table [position][rotary length] of (cos, sin) pairs; angles as the reference computes them: position times inverse frequency in f32. */
  rotation(rotaryLength: number, base: number, divisors?: Float32Array): Slice {
    const { contextLength } = this.settings;
    const pairs = rotaryLength / 2;
    const table = new Float32Array(contextLength * rotaryLength);
    for (let pair = 0; pair < pairs; pair++) {
      const frequency = Math.fround(Math.fround(1 / base ** ((2 * pair) / rotaryLength)) / (divisors?.[pair] ?? 1));
      for (let position = 0; position < contextLength; position++) {
        const angle = Math.fround(position * frequency);
        table[position * rotaryLength + 2 * pair] = Math.cos(angle);
        table[position * rotaryLength + 2 * pair + 1] = Math.sin(angle);
      }
    }
    return this.settings.create('activations', 'rotation', table.byteLength, table);
  }

  #multiply(matrix: LoadedMatrix, x: Activations, y: Slice, accumulate: boolean, over: 'tokens' | 'logitRows'): void {
    const { lanes, batch } = this.settings;
    for (const piece of matrix.pieces) {
      this.operations.push(...matmul(piece.matrix, { x, y, stride: matrix.rows, offset: piece.firstRow, accumulate, over, batch, lanes }));
    }
  }

  /** int8 only where every piece has scales; plain floats are multiplied by floats. */
  #activationsFor(label: string, matrix: LoadedMatrix, over: 'tokens' | 'logitRows'): Activations {
    const quantized = matrix.pieces.every((piece) => packedStorages[piece.matrix.storage].hasAffine);
    const format = quantized ? this.settings.activations : 'f32';
    const rows = over === 'tokens' ? this.settings.maxTokens : this.settings.maxLogitRows;
    return { format, slice: this.#buffer(`${label} ${format}`, rows * activationRowSize(format, matrix.columns)) };
  }

  #perToken(label: string, rowSize: number): Slice {
    return this.#buffer(label, this.settings.maxTokens * rowSize);
  }

  /** One buffer a label, shared by all layers; a second use may not need more. */
  #buffer(label: string, size: number): Slice {
    const found = this.#scratch.get(label);
    if (found !== undefined && found.size >= size) return found;
    const slice = this.settings.create('activations', label, size);
    this.#scratch.set(label, slice);
    return slice;
  }
}

/**
 * Owns the list of operations that a forward pass becomes, and the scratch buffers between them. A family's
 * forward runs once, at load; the runner replays the list every step. Refuses anything that only one family needs.
 */
import { quantize, rmsNorm, swiglu } from '../kernels/activations.ts';
import { type AttentionShape, attention, attentionMerge, clearBlocks } from '../kernels/attention.ts';
import { embed } from '../kernels/embed.ts';
import { type HeadOptions, headRowLength, heads as splitHeads } from '../kernels/heads.ts';
import type { Operation, Slice, Vectors } from '../kernels/kernel.ts';
import { type Finish, type MatmulWork, matmul, type Norm, type Tile } from '../kernels/matmul.ts';
import { resultLength, sample } from '../kernels/sample.ts';
import { type Activations, activationRowSize, type PackedMatrix, packedStorages } from '../kernels/weights.ts';
import { type Rope, rotationTable } from './rope.ts';

/** Rows of one or more tensors, one below the other: neighbouring ones of equal storage are one packed matrix. */
export interface LoadedMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Quads of rows of its two tensors take turns. */
  readonly isInterleaved: boolean;
  readonly pieces: readonly { readonly firstRow: number; readonly matrix: PackedMatrix }[];
}

export interface GraphSettings {
  readonly lanes: number;
  readonly layout: Readonly<Record<string, number>>;
  readonly activations: Activations['format'];
  /** Tiles of a matmul where they were measured; else the standard ones. */
  readonly chooseTiles?: (work: MatmulWork) => readonly Tile[] | undefined;
  readonly kv: AttentionShape['kv'];
  readonly maxTokens: number;
  readonly maxLogitRows: number;
  readonly maxItems: number;
  readonly maxEdits: number;
  readonly contextLength: number;
  readonly blockLength: number;
  readonly batch: Slice;
  /** KV pool of every layer. */
  readonly pools: readonly Vectors[];
  /** Slots in a row of a pool that is a texture. */
  readonly poolFold: number;
  /** A buffer of `size` bytes that lives as long as the model; `data`: its content, for constant tables. */
  create(owner: 'activations' | 'logits', label: string, size: number, data?: Float32Array): Slice;
  /** Rows of `width` f32 that live as long; width is a multiple of 4. */
  createRows(label: string, rows: number, width: number): Vectors;
}

/** Options: see AttentionShape and HeadOptions. */
export interface AttentionHeads extends Pick<AttentionShape, 'heads' | 'kvHeads' | 'headLength' | 'rotaryLength' | 'scale' | 'window' | 'softcap'> {
  /** What rotary embedding on interleaved pairs alone does not do. */
  readonly options?: HeadOptions;
  /** [head] f32 in a storage buffer. */
  readonly sinks?: Slice;
}

export class Graph {
  readonly settings: GraphSettings;
  /** Run only when the step has blocks to clear, before everything else. */
  readonly clears: Operation[] = [];
  readonly operations: Operation[] = [];
  readonly #scratch = new Map<string, Slice>();
  readonly #rowScratch = new Map<string, Vectors>();
  #logits: Slice | undefined;
  #vocabulary = 0;
  #rows: Slice | undefined;

  constructor(settings: GraphSettings) {
    this.settings = settings;
  }

  /** Rows of f32 logits, as many as the vocabulary or up to three more, and what came of each row (kernels/sample.ts); there once the family has called `choose`. */
  get results(): { logits: Slice; rows: Slice; vocabulary: number } {
    if (this.#logits === undefined || this.#rows === undefined) throw new Error('the forward pass chose no token');
    return { logits: this.#logits, rows: this.#rows, vocabulary: this.#vocabulary };
  }

  /** Embedding of the batch's ids: the residual stream [token][embedding length]. */
  embed(table: LoadedMatrix): Vectors {
    const x = this.#perToken('residual', table.columns);
    const { lanes, batch, layout } = this.settings;
    for (const piece of table.pieces) this.operations.push(...embed(piece.matrix, x, batch, lanes, layout));
    return x;
  }

  /** to + W x. What comes back is good until the next but one call, `to` until the next. */
  addLinear(to: Vectors, matrix: LoadedMatrix, x: Vectors): Vectors {
    const residual = this.#perToken('residual', matrix.rows);
    const y = to === residual ? this.#perToken('next residual', matrix.rows) : residual;
    this.#multiply(matrix, x, undefined, { kind: 'add', y, to, stride: matrix.rows }, 'tokens');
    return y;
  }

  /**
   * Queries, keys and values of the normed x, rotary position embedding, KV store and causal attention:
   * [token][heads * head length].
   */
  attention(layer: number, x: Vectors, norm: Norm, projections: LoadedMatrix, heads: AttentionHeads, rotation: Slice): Vectors {
    const { batch, kv, blockLength, poolFold, lanes, layout, maxItems } = this.settings;
    const pool = this.settings.pools[layer];
    if (pool === undefined) throw new Error(`no KV pool for layer ${layer}`);
    const { options, sinks, ...own } = heads;
    const shape: AttentionShape = { ...own, kv, blockLength, poolFold, lanes, layout };
    const width = heads.heads * heads.headLength;
    const queries = this.#perToken('queries', width);
    const scratch = {
      partials: this.#buffer('partials', maxItems * width * 4),
      states: this.#buffer('states', maxItems * heads.heads * 8),
    };
    const attended = this.#perToken('attended', width);
    if (!options?.onlyQueries) this.clears.push(clearBlocks(shape, pool, batch));
    // The factor of a q8 head needs all of it at once, which no lane of a matmul has.
    if (options === undefined && kv !== 'q8') this.#multiply(projections, x, norm, { kind: 'rope', y: queries, pool, rotation, shape }, 'tokens');
    else {
      const stride = headRowLength(shape, options);
      const rows = this.#perToken('heads', stride);
      this.#multiply(projections, x, norm, { kind: 'store', y: rows, stride }, 'tokens');
      this.operations.push(splitHeads(shape, options ?? {}, { rows, queries, pool, rotation, batch }));
    }
    this.operations.push(attention(shape, queries, pool, scratch, attended, batch, sinks), attentionMerge(shape, scratch, attended, batch, sinks));
    return attended;
  }

  /** silu(gate) * up of the normed x, where the matrix holds gate and up. */
  swiglu(x: Vectors, norm: Norm, gateAndUp: LoadedMatrix): Vectors {
    const columns = gateAndUp.rows / 2;
    const hidden = this.#perToken('hidden', columns);
    if (gateAndUp.isInterleaved) this.#multiply(gateAndUp, x, norm, { kind: 'swiglu', y: hidden }, 'tokens');
    else {
      const gateUp = this.#perToken('gate and up', gateAndUp.rows);
      this.#multiply(gateAndUp, x, norm, { kind: 'store', y: gateUp, stride: gateAndUp.rows }, 'tokens');
      this.operations.push(swiglu(gateUp, hidden, columns, this.settings.lanes));
    }
    return hidden;
  }

  /** Logits of the batch's logit rows, one token drawn from each, and log-probabilities where they are asked for. */
  choose(x: Vectors, norm: Norm, output: LoadedMatrix): void {
    const { lanes, batch, layout, maxLogitRows, maxEdits } = this.settings;
    const stride = Math.ceil(output.rows / 4) * 4;
    this.#vocabulary = output.rows;
    this.#logits = this.settings.create('logits', 'logits', maxLogitRows * stride * 4);
    this.#rows = this.settings.create('logits', 'results', maxLogitRows * resultLength * 4);
    const originals = this.settings.create('logits', 'originals', maxEdits * 4);
    this.#multiply(output, x, norm, { kind: 'store', y: this.#logits, stride }, 'logitRows');
    this.operations.push(sample({ logits: this.#logits, results: this.#rows, originals, batch }, { vocabulary: output.rows, stride }, lanes, layout));
  }

  /** Table [position][pair] of (cos, sin), for every position that the engine has room for. */
  rotation(rope: Rope): Slice {
    const table = rotationTable(rope, this.settings.contextLength);
    return this.settings.create('activations', 'rotation', table.byteLength, table);
  }

  #multiply(matrix: LoadedMatrix, x: Vectors, norm: Norm | undefined, finish: Finish, over: 'tokens' | 'logitRows'): void {
    const { lanes, batch, layout } = this.settings;
    // int8 only where every piece has scales; plain floats are multiplied by floats.
    const isInt8 = this.settings.activations === 'int8' && matrix.pieces.every((piece) => packedStorages[piece.matrix.storage].hasInt8);
    const input: Activations = isInt8 ? { format: 'int8', vectors: this.#int8(matrix.columns, x, norm, over) } : { format: 'f32', vectors: x };
    for (const piece of matrix.pieces) {
      const fused = isInt8 || norm === undefined ? {} : { norm };
      const { storage, rows, columns } = piece.matrix;
      const tiles = this.settings.chooseTiles?.({ storage, rows, columns, isNormed: 'norm' in fused, finish: finish.kind });
      this.operations.push(...matmul(piece.matrix, { x: input, ...fused, finish, offset: piece.firstRow, over, batch, lanes, layout, tiles }));
    }
  }

  /** x, normed if asked, as int8 blocks. */
  #int8(columns: number, x: Vectors, norm: Norm | undefined, over: 'tokens' | 'logitRows'): Slice {
    const { lanes, batch, layout } = this.settings;
    const y = this.#buffer(`int8 ${columns}`, Math.max(this.settings.maxTokens, this.settings.maxLogitRows) * activationRowSize('int8', columns));
    if (norm === undefined) this.operations.push(quantize(x, y, columns, lanes));
    else this.operations.push(rmsNorm({ x, ...norm, y, columns, over, batch, lanes, layout }));
    return y;
  }

  /** f32 scratch, `width` elements a token; one a label, shared by all layers. */
  #perToken(label: string, width: number): Vectors {
    const key = `${label} ${width}`;
    let found = this.#rowScratch.get(key);
    if (found === undefined) {
      found = this.settings.createRows(label, this.settings.maxTokens, width);
      this.#rowScratch.set(key, found);
    }
    return found;
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

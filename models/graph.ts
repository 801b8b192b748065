/**
 * Owns the list of operations that a forward pass becomes, and the scratch buffers between them. A family's
 * forward runs once, at load; the runner replays the list every step. Refuses anything that only one family needs.
 */
import { type AttentionShape, attention, attentionMerge, clearBlocks, copyBlocks, copySize } from '../kernels/attention.ts';
import { attentionWide } from '../kernels/attention_wide.ts';
import { embed } from '../kernels/embed.ts';
import { type ExpertMatrix, expertMatmul, expertsSum, needsSort } from '../kernels/experts.ts';
import { type ActivationFunction, type Gate, gated, gatedRows, type RowPart } from '../kernels/gated.ts';
import { type HeadOptions, headRowLength, heads as splitHeads } from '../kernels/heads.ts';
import type { Operation, Slice, Vectors } from '../kernels/kernel.ts';
import { type Finish, matmul, type Norm } from '../kernels/matmul.ts';
import { normRows, type RowNorm } from '../kernels/norms.ts';
import { permute } from '../kernels/permute.ts';
import { expertsSort, type RouterShape, router, routesLength } from '../kernels/router.ts';
import { maskLength, resultLength, rowLanes, sample } from '../kernels/sample.ts';
import { type MatmulWork, standardTiles, type Tile, type TileFacts } from '../kernels/tiles.ts';
import { type Activations, blockColumns, multiplied, type PackedMatrix } from '../kernels/weights.ts';
import { type Rope, rotationTable } from './rope.ts';

/** Rows of one or more tensors, one below the other: neighbouring ones of equal storage are one packed matrix. */
export interface LoadedMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Quads of rows of its two tensors take turns. */
  readonly isInterleaved: boolean;
  readonly pieces: readonly { readonly firstRow: number; readonly matrix: PackedMatrix }[];
}

/** Tiles in ascending order of tokens; undefined: the built-in ones. */
export type ChooseTiles = (work: MatmulWork) => readonly Tile[] | undefined;

/** A matmul of the graph, which can be made with other tiles. */
export interface GraphMatmul {
  readonly work: MatmulWork;
  /** One a shard; part of the graph's list. */
  readonly operations: readonly Operation[];
  make(tiles: readonly Tile[]): readonly Operation[];
}

/** Keys and values of a layer. */
export interface Pool {
  readonly vectors: Vectors;
  /** Slots in a row of a pool that is a texture; 1 for a buffer. */
  readonly fold: number;
}

export interface GraphSettings extends TileFacts {
  readonly layout: Readonly<Record<string, number>>;
  readonly activations: Activations['format'];
  readonly kv: AttentionShape['kv'];
  /** Of a workgroup at most; default what WebGPU promises. */
  readonly invocationLimit?: number | undefined;
  readonly maxTokens: number;
  readonly maxLogitRows: number;
  readonly maxItems: number;
  readonly maxEdits: number;
  /** Blocks that a step can copy. */
  readonly maxCopies: number;
  readonly contextLength: number;
  /** Positions for which KV blocks are kept; undefined: all. No layer may look further back. */
  readonly window?: number | undefined;
  readonly blockLength: number;
  readonly batch: Slice;
  /** KV pool of every layer; undefined for layers that keep no keys and values. */
  readonly pools: readonly (Pool | undefined)[];
  /** A buffer of `size` bytes that lives as long as the model; `data`: its content, for constant tables, made only where there is a device. */
  create(owner: 'activations' | 'logits', label: string, size: number, data?: () => Float32Array): Slice;
  /** Rows of `width` f32 that live as long; width is a multiple of 4. */
  createRows(label: string, rows: number, width: number): Vectors;
}

/** Options: see AttentionShape and HeadOptions. */
export interface AttentionHeads extends Pick<AttentionShape, 'heads' | 'kvHeads' | 'headLength' | 'rotaryLength' | 'scale' | 'window' | 'softcap'> {
  /** What rotary embedding on interleaved pairs alone does not do. */
  readonly options?: HeadOptions;
  /** [head] f32 in a storage buffer. */
  readonly sinks?: Slice | undefined;
  /** Of the projections: [rows] f32. */
  readonly bias?: Slice | undefined;
  /** Layer whose keys and values are read where this one stores none (`options.onlyQueries`). */
  readonly keysOf?: number;
}

export interface LinearOptions {
  /** On the way in. */
  readonly norm?: Norm | undefined;
  /** [rows] f32, in the order of the matrix's rows; room for whole vectors of four. */
  readonly bias?: Slice | undefined;
  readonly scale?: number | undefined;
}

export interface NormOptions {
  readonly to?: Vectors | undefined;
  readonly scale?: number | undefined;
  /** Of rows of `stride` numbers, each normed by itself. */
  readonly parts?: { readonly count: number; readonly stride: number };
}

export interface LogitOptions {
  readonly scale?: number | undefined;
  readonly softCap?: number | undefined;
  readonly bias?: Slice | undefined;
}

export interface ExpertsOptions {
  readonly shape: RouterShape;
  /** Of x, on the way into the experts. */
  readonly norm?: Norm | undefined;
  readonly gate: Gate;
  /** Quads of gate and up rows of an expert take turns. */
  readonly gateAndUp: ExpertMatrix;
  readonly down: ExpertMatrix;
  /** [expert][rows] f32. */
  readonly gateAndUpBias?: Slice | undefined;
  readonly downBias?: Slice | undefined;
  /** [experts] f32: added to scores where they choose; what an expert's weight is multiplied by. */
  readonly selectionBias?: Slice | undefined;
  readonly factors?: Slice | undefined;
  readonly to?: Vectors | undefined;
}

/** The kernel of the device's family; with matrix units its long prefills go by them. */
export function chooseAttention({ family = 'narrow', matrixUnit }: Pick<TileFacts, 'family' | 'matrixUnit'>): typeof attention {
  if (family === 'narrow') return attention;
  const unit = family === 'matrix' ? matrixUnit : undefined;
  return (shape, queries, pool, scratch, y, batch, sinks) => attentionWide(shape, queries, pool, scratch, y, batch, sinks, unit);
}

function joinTables(tables: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(tables.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const table of tables) {
    joined.set(table, at);
    at += table.length;
  }
  return joined;
}

/** Positions that a layer without a window sees. */
const everything = Number.POSITIVE_INFINITY;

export class Graph {
  readonly settings: GraphSettings;
  /** Run only when the step has blocks to clear or to copy, before everything else. */
  readonly blockOperations: Operation[] = [];
  readonly operations: Operation[] = [];
  #matmuls: GraphMatmul[] = [];
  readonly #scratch = new Map<string, Slice>();
  readonly #rowScratch = new Map<string, Vectors>();
  #logits: Slice | undefined;
  #vocabulary = 0;
  #rows: Slice | undefined;
  #masks: Slice | undefined;

  constructor(settings: GraphSettings) {
    this.settings = settings;
  }

  /** Rows of f32 logits, as many as the vocabulary or up to three more, and what came of each row (kernels/sample.ts); there once the family has called `choose`. */
  get results(): { logits: Slice; rows: Slice; masks: Slice; vocabulary: number } {
    if (this.#logits === undefined || this.#rows === undefined || this.#masks === undefined) throw new Error('the forward pass chose no token');
    return { logits: this.#logits, rows: this.#rows, masks: this.#masks, vocabulary: this.#vocabulary };
  }

  get matmuls(): readonly GraphMatmul[] {
    return this.#matmuls;
  }

  /** Makes every matmul anew, with these tiles. */
  retile(choose: ChooseTiles): void {
    this.#matmuls = this.#matmuls.map(({ work, operations, make }) => {
      const made = make(choose(work) ?? standardTiles(this.settings, work));
      const [first] = operations;
      if (first !== undefined) this.operations.splice(this.operations.indexOf(first), operations.length, ...made);
      return { work, operations: made, make };
    });
  }

  /** Rows of the batch's ids, times `scale`; without a label of their own they are the residual stream [token][embedding length]. */
  embed(table: LoadedMatrix, scale = 1, label = 'residual'): Vectors {
    const x = this.#perToken(label, table.columns);
    const { lanes, batch, layout } = this.settings;
    for (const piece of table.pieces) this.operations.push(...embed(piece.matrix, x, batch, lanes, layout, scale));
    return x;
  }

  /** activate(W x + bias): rows of their own, shared with other calls of the same label. */
  linear(label: string, matrix: LoadedMatrix, x: Vectors, options: LinearOptions & { readonly activation?: ActivationFunction } = {}): Vectors {
    const { norm, bias, scale, activation } = options;
    const stride = Math.ceil(matrix.rows / 4) * 4;
    const y = this.#perToken(label, stride);
    this.#multiply(matrix, x, norm, { kind: 'store', y, stride, scale, activation }, 'tokens', bias);
    return y;
  }

  /** to + scale * (W x + bias). What comes back is good until the next but one call of what gives a residual, `to` until the next. */
  addLinear(to: Vectors, matrix: LoadedMatrix, x: Vectors, { norm, bias, scale }: LinearOptions = {}): Vectors {
    const y = this.#otherResidual(to, matrix.rows);
    this.#multiply(matrix, x, norm, { kind: 'add', y, to, stride: matrix.rows, scale }, 'tokens', bias);
    return y;
  }

  /** (to + norm(x)) * scale, as rows of their own: where a matmul cannot norm on the way in. `columns`: of a row or a part of it. */
  norm(label: string, x: Vectors, norm: RowNorm, columns: number, { to, scale, parts }: NormOptions = {}): Vectors {
    const y = this.#perToken(label, parts?.stride ?? columns);
    this.operations.push(normRows({ x, norm, y, to, scale, columns, parts, lanes: this.settings.lanes }));
    return y;
  }

  /** (to + norm(x)) * scale: a norm after a block, before its residual is added. Good as long as what addLinear gives. */
  addNormed(to: Vectors, x: Vectors, norm: RowNorm, columns: number, scale?: number): Vectors {
    const y = this.#otherResidual(to, columns);
    this.operations.push(normRows({ x, norm, y, to, scale, columns, lanes: this.settings.lanes }));
    return y;
  }

  /**
   * Queries, keys and values of the normed x, rotary position embedding, KV store and causal attention:
   * [token][heads * head length].
   */
  attention(layer: number, x: Vectors, norm: Norm, projections: LoadedMatrix, heads: AttentionHeads, rotation: Slice): Vectors {
    const { batch, kv, blockLength, lanes, layout, maxItems, maxCopies, pools } = this.settings;
    const found = pools[heads.keysOf ?? layer];
    if (found === undefined) throw new Error(`no KV pool for layer ${layer}`);
    const { vectors: pool, fold: poolFold } = found;
    if ((heads.window ?? everything) > (this.settings.window ?? everything)) throw new Error(`layer ${layer} looks behind the window`);
    const { options, sinks, bias, scale, window, softcap } = heads;
    const own = { heads: heads.heads, kvHeads: heads.kvHeads, headLength: heads.headLength, rotaryLength: heads.rotaryLength };
    const shape: AttentionShape = {
      ...own,
      ...(scale !== undefined && { scale }),
      ...{ softcap, window, kv, blockLength, poolFold, lanes, layout },
    };
    const width = heads.heads * heads.headLength;
    const queries = this.#perToken('queries', width);
    const scratch = {
      partials: this.#buffer('partials', maxItems * width * 4),
      states: this.#buffer('states', maxItems * heads.heads * 8),
    };
    const attended = this.#perToken('attended', width);
    if (!options?.onlyQueries) {
      const gathered = this.#buffer('copied blocks', copySize(shape, maxCopies));
      this.blockOperations.push(clearBlocks(shape, pool, batch), ...copyBlocks(shape, pool, gathered, batch));
    }
    // The factor of a q8 head needs all of it at once, which no lane of a matmul has.
    if (options === undefined && kv !== 'q8') this.#multiply(projections, x, norm, { kind: 'rope', y: queries, pool, rotation, shape }, 'tokens', bias);
    else {
      const stride = headRowLength(shape, options);
      const rows = this.#perToken('heads', stride);
      this.#multiply(projections, x, norm, { kind: 'store', y: rows, stride }, 'tokens', bias);
      this.operations.push(splitHeads(shape, options ?? {}, { rows, queries, pool, rotation, batch }));
    }
    const attend = chooseAttention(this.settings);
    this.operations.push(attend(shape, queries, pool, scratch, attended, batch, sinks), attentionMerge(shape, scratch, attended, batch, sinks));
    return attended;
  }

  /** activate(gate) * up of the normed x, where the matrix holds gate and up. */
  gated(x: Vectors, norm: Norm | undefined, gateAndUp: LoadedMatrix, gate: Gate, bias?: Slice): Vectors {
    const columns = gateAndUp.rows / 2;
    const hidden = this.#perToken('hidden', columns);
    if (gateAndUp.isInterleaved) this.#multiply(gateAndUp, x, norm, { kind: 'gated', y: hidden, gate }, 'tokens', bias);
    else {
      const gateUp = this.#perToken('gate and up', gateAndUp.rows);
      this.#multiply(gateAndUp, x, norm, { kind: 'store', y: gateUp, stride: gateAndUp.rows }, 'tokens', bias);
      this.operations.push(gated(gateUp, hidden, columns, gate, this.settings.lanes));
    }
    return hidden;
  }

  /** activate(gate) * up, where gate is `columns` numbers a token and up a part of longer rows; zeros behind, up to a multiple of 32, for a matmul to follow. */
  gatedBy(gate: Vectors, up: RowPart, columns: number, unit: Gate): Vectors {
    const stride = Math.ceil(columns / blockColumns) * blockColumns;
    const rows = this.#perToken('hidden', stride);
    const width = Math.ceil(columns / 4) * 4;
    this.operations.push(gatedRows({ gate: { rows: gate, stride: width }, up, y: { rows, stride }, columns: width, unit, lanes: this.settings.lanes }));
    return rows;
  }

  /**
   * Experts of the normed x, chosen by `logits` [token][experts]; added to `to`, or rows of their own without one.
   * With a residual good as long as what addLinear gives.
   */
  experts(x: Vectors, logits: Vectors, { shape, norm, gate, gateAndUp, down, to, ...more }: ExpertsOptions): Vectors {
    const { lanes, family, matrixUnit, batch, layout, maxTokens } = this.settings;
    const routes = this.#buffer(`routes ${shape.experts} ${shape.topK}`, routesLength(shape, maxTokens) * 4);
    const biases = more.selectionBias ?? this.#constant(shape.experts, 0);
    const factors = more.factors ?? this.#constant(shape.experts, 1);
    const isNeeded = needsSort(shape, this.settings);
    this.operations.push(router(shape, { logits, routes, biases, factors }, maxTokens, lanes), expertsSort(shape, routes, batch, maxTokens, lanes, isNeeded));
    const hidden = this.#sharedRows('expert hidden', maxTokens * shape.topK, gateAndUp.rows / 2);
    const outputs = this.#sharedRows('expert outputs', maxTokens * shape.topK, down.rows);
    const common = { router: shape, routes, batch, maxTokens, lanes, family, matrixUnit, layout };
    this.operations.push(
      ...expertMatmul(gateAndUp, { ...common, x, rowsAre: 'tokens', norm, finish: { kind: 'gated', y: hidden, gate }, bias: more.gateAndUpBias }),
      ...expertMatmul(down, { ...common, x: hidden, rowsAre: 'choices', finish: { kind: 'store', y: outputs, stride: down.rows }, bias: more.downBias }),
    );
    const y = to === undefined ? this.#perToken('experts', down.rows) : this.#otherResidual(to, down.rows);
    this.operations.push(expertsSum({ router: shape, routes, x: outputs, y, to, columns: down.rows, maxTokens, lanes }));
    return y;
  }

  /** Logits of the batch's logit rows, one token drawn from each, and log-probabilities where they are asked for. `softCap`: c of c * tanh(logit / c), after the scale. */
  choose(x: Vectors, norm: Norm, output: LoadedMatrix, { scale, softCap, bias }: LogitOptions = {}): void {
    const { batch, layout, maxLogitRows, maxEdits, invocationLimit } = this.settings;
    const stride = Math.ceil(output.rows / 4) * 4;
    this.#vocabulary = output.rows;
    this.#logits = this.settings.create('logits', 'logits', maxLogitRows * stride * 4);
    this.#rows = this.settings.create('logits', 'results', maxLogitRows * resultLength * 4);
    const originals = this.settings.create('logits', 'originals', maxEdits * 4);
    const capped = softCap === undefined ? {} : { activation: 'soft_cap' as const, limit: softCap };
    this.#multiply(output, x, norm, { kind: 'store', y: this.#logits, stride, scale, ...capped }, 'logitRows', bias);
    this.#masks = this.settings.create('logits', 'masks', maxLogitRows * maskLength(output.rows) * 4);
    this.operations.push(
      sample(
        { logits: this.#logits, results: this.#rows, originals, batch, masks: this.#masks },
        { vocabulary: output.rows, stride },
        rowLanes(this.settings, invocationLimit),
        layout,
      ),
    );
  }

  /** Table [position][pair] of (cos, sin), for every position that the engine has room for; `long`: the same for sequences longer than `longFrom`, behind it. */
  rotation(rope: Rope, long?: Rope): Slice {
    const { contextLength } = this.settings;
    const ropes = long === undefined ? [rope] : [rope, long];
    const size = ropes.reduce((sum, { frequencies }) => sum + contextLength * frequencies.length * 8, 0);
    return this.settings.create('activations', 'rotation', size, () => joinTables(ropes.map((each) => rotationTable(each, contextLength))));
  }

  #multiply(matrix: LoadedMatrix, x: Vectors, norm: Norm | undefined, finish: Finish, over: 'tokens' | 'logitRows', bias?: Slice): void {
    const { lanes, batch, layout } = this.settings;
    for (const { firstRow, matrix: piece } of matrix.pieces) {
      const { storage, rows, columns, order } = piece;
      const vectors = order === undefined ? x : this.#permuted(columns, x, order, norm, over);
      // Gathered columns were further off with int8 than three times a bf16 run (test/models/llama-folder.test.ts).
      const input: Activations = { format: order === undefined ? multiplied(this.settings.activations, storage, lanes) : 'f32', vectors };
      const fused = norm === undefined || order !== undefined ? {} : { norm };
      const kv = finish.kind === 'rope' ? { kv: finish.shape.kv } : {};
      const work: MatmulWork = { storage, rows, columns, activations: input.format, isNormed: 'norm' in fused, finish: finish.kind, ...kv };
      const args = { x: input, ...fused, finish, bias, offset: firstRow, over, batch, lanes, layout };
      const make = (tiles: readonly Tile[]): readonly Operation[] => matmul(piece, { ...args, tiles });
      const operations = make(standardTiles(this.settings, work));
      this.#matmuls.push({ work, operations, make });
      this.operations.push(...operations);
    }
  }

  /** x in the order of a matrix's columns, normed (and then gathered) if asked. */
  #permuted(columns: number, x: Vectors, order: Slice, norm: Norm | undefined, over: 'tokens' | 'logitRows'): Vectors {
    const { lanes, batch, layout } = this.settings;
    const y = this.#perToken('permuted', columns);
    this.operations.push(permute({ x, order, y, norm, columns, over, batch, lanes, layout }));
    return y;
  }

  /** The residual that `to` is not. */
  #otherResidual(to: Vectors, width: number): Vectors {
    const residual = this.#perToken('residual', width);
    return to === residual ? this.#perToken('next residual', width) : residual;
  }

  /** f32 scratch, `width` elements a token; one a label, shared by all layers. */
  #perToken(label: string, width: number): Vectors {
    return this.#sharedRows(label, this.settings.maxTokens, width);
  }

  #sharedRows(label: string, rows: number, width: number): Vectors {
    const key = `${label} ${rows} ${width}`;
    let found = this.#rowScratch.get(key);
    if (found === undefined) {
      found = this.settings.createRows(label, rows, width);
      this.#rowScratch.set(key, found);
    }
    return found;
  }

  /** A uniform buffer of `length` equal numbers. */
  #constant(length: number, value: number): Slice {
    const label = `${length} times ${value}`;
    const whole = Math.ceil(length / 4) * 4;
    const found = this.#scratch.get(label) ?? this.settings.create('activations', label, whole * 4, () => new Float32Array(whole).fill(value));
    this.#scratch.set(label, found);
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

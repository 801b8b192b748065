/**
 * Owns the list of operations that a forward pass becomes, and the scratch buffers between them. A family's
 * forward runs once, at load; the runner replays the list every step. Refuses anything that only one family needs.
 */
import { type AttentionShape, attention, attentionMerge, clearBlocks, copyBlocks, copySize, valueLength } from '../kernels/attention.ts';
import { attentionWide } from '../kernels/attention_wide.ts';
import { clearStates, type DeltaShape, deltaInputLength, deltaRow, deltaRule } from '../kernels/delta.ts';
import { type EmbedOptions, embed } from '../kernels/embed.ts';
import { type ExpertMatrix, expertMatmul, expertsSum, needsSort } from '../kernels/experts.ts';
import { type ActivationFunction, type Gate, gated, gatedRows, type RowPart } from '../kernels/gated.ts';
import { gatedHeads } from '../kernels/gated_heads.ts';
import { type HeadRows, headMatmul, headsOf } from '../kernels/head_matmul.ts';
import { type HeadOptions, headRowLength, heads as splitHeads } from '../kernels/heads.ts';
import { chooseEntries, type IndexNorm, type IndexScoreBuffers, type IndexShape, indexRows, scoresSize, tokenEntries } from '../kernels/indexer.ts';
import type { Operation, Slice, Vectors } from '../kernels/kernel.ts';
import { type LatentShape, latentQueries, latentRows } from '../kernels/latent.ts';
import { type Finish, matmul, type Norm } from '../kernels/matmul.ts';
import { normRows, type RowNorm } from '../kernels/norms.ts';
import { permute } from '../kernels/permute.ts';
import { type Pooling, pool as poolRows } from '../kernels/pool.ts';
import { expertsSort, type RouterShape, router, routerTable, routesLength } from '../kernels/router.ts';
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

/** Recurrent state of a layer: a block of `length` f32 for each sequence that can run. */
export interface StatePool {
  readonly blocks: Slice;
  readonly length: number;
}

/** Layers [start, end) of a model, those that one device computes; the first and the last of all bring what is before and behind the layers. */
export interface LayerRange {
  readonly start: number;
  readonly end: number;
}

/** What one stage of a model hands on to the next: of each token a row of `width` f32, a multiple of 4. */
export interface HandedRows {
  readonly vectors: Vectors;
  readonly width: number;
}

export interface GraphSettings extends TileFacts {
  /** Default: all layers. */
  readonly range?: LayerRange | undefined;
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
  /** Recurrent state of every layer; undefined for layers that have none, or all of them. */
  readonly states?: readonly (StatePool | undefined)[];
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
  /** Each query head of the projections is followed by gates, by this of which the head's output is multiplied (`options.queryPitch`: two heads). */
  readonly outputGate?: ActivationFunction;
  /** Layer whose keys and values are read where this one stores none (`options.onlyQueries`). */
  readonly keysOf?: number;
}

export interface DeltaOptions {
  readonly shape: DeltaShape;
  /** See DeltaBuffers. */
  readonly taps: Slice;
  readonly rates: Slice;
  readonly rateBiases: Slice;
  /** Of each head of the output. */
  readonly outputNorm: Norm;
}

/** Multi-head latent attention: a head's query is [plain channels, channels that turn], a row of the cache [latent, channels that turn]. */
export interface LatentHeads {
  readonly heads: number;
  readonly plainLength: number;
  readonly ropeLength: number;
  readonly latentLength: number;
  /** Of what a head gives. */
  readonly valueLength: number;
  /** What queries are multiplied by. */
  readonly scale: number;
  /** Of the index key that the layer keeps beside the latent, where it has an indexer. */
  readonly indexLength?: number | undefined;
}

/** A lightning indexer: heads of `length` channels, of which `rotaryLength` from `rotaryStart` on turn, choose `topK` of the positions that a token sees. */
export interface IndexHeads extends Pick<HeadOptions, 'pairs' | 'rotaryStart'> {
  readonly heads: number;
  readonly length: number;
  readonly rotaryLength: number;
  readonly topK: number;
}

export interface IndexInputs {
  /** [token][head][length]. */
  readonly queries: Vectors;
  /** [token][key, a weight for each head]. */
  readonly rows: Vectors;
  /** Of the key. */
  readonly norm: IndexNorm;
  readonly rotation: Slice;
}

/** Slots of the pool that each token of the step attends to, topK at most: [token][topK]. */
export interface ChosenKeys {
  readonly slots: Slice;
  readonly topK: number;
}

export interface LatentInputs {
  /** [token][head][plain channels, channels that turn]. */
  readonly queries: Vectors;
  /** [token][latent, channels that turn]. */
  readonly rows: Vectors;
  /** Of the latent. */
  readonly norm: Norm;
  /**
   * Of each head the rows of its plain key channels, then those of its values, with a column a channel of the latent; or both by themselves,
   * keys the other way round: a row a channel of the latent.
   */
  readonly keysAndValues: LoadedMatrix | { readonly keys: ExpertMatrix; readonly values: ExpertMatrix };
  readonly rotation: Slice;
  /** undefined: a token attends to all that it sees. */
  readonly chosen?: ChosenKeys | undefined;
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

/** A layer whose experts are not all on the device: before its operations somebody must see to those that were chosen, and write where they are. */
export interface PagedExperts {
  readonly shape: RouterShape;
  readonly routes: Slice;
  /** Routes as its router makes them of the rows that go into the experts of the layer before, and there when that one's are: a guess. */
  readonly guesses?: Slice | undefined;
  /** Rows that go into its experts. */
  readonly x: Vectors;
  readonly maxTokens: number;
  readonly matrices: readonly ExpertMatrix[];
  /** One behind the other. They may run several times, with other experts there: each choice is multiplied when its expert is. */
  readonly operations: readonly Operation[];
}

export interface ExpertsOptions {
  readonly shape: RouterShape;
  /** Of x: logits of all experts. */
  readonly router: LinearOptions & { readonly matrix: LoadedMatrix };
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
  /** [token id][topK]: experts are chosen by it, and logits only weigh them. */
  readonly table?: Slice | undefined;
  readonly to?: Vectors | undefined;
}

/** The kernel of the device's family; with matrix units its long prefills go by them. */
export function chooseAttention({ family = 'narrow', matrixUnit }: Pick<TileFacts, 'family' | 'matrixUnit'>): typeof attention {
  if (family === 'narrow') return attention;
  const unit = family === 'matrix' ? matrixUnit : undefined;
  return (shape, queries, pool, scratch, y, batch, sinks, chosen) => attentionWide(shape, queries, pool, scratch, y, batch, sinks, chosen, unit);
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

/** What a head's plain channels are multiplied by, and what follows attention. */
function splitHeadRows(
  matrices: LatentInputs['keysAndValues'],
  { plainLength, valueLength: valueRows }: LatentHeads,
): { readonly keys: Parameters<typeof latentQueries>[1]; readonly values: HeadRows } {
  if ('keys' in matrices) return { keys: { ...headsOf(matrices.keys), rowsAre: 'latent' }, values: headsOf(matrices.values) };
  const own = { matrix: wholeOf(matrices), pitch: plainLength + valueRows };
  return { keys: { ...own, start: 0, rows: plainLength, rowsAre: 'plain' }, values: { ...own, start: plainLength, rows: valueRows } };
}

/** A matrix that is in one piece, because heads are taken from it. */
function wholeOf({ pieces: [piece] }: LoadedMatrix): PackedMatrix {
  if (piece === undefined) throw new Error('no weights of heads');
  return piece.matrix;
}

/** Positions that a layer without a window sees. */
const everything = Number.POSITIVE_INFINITY;

export class Graph {
  readonly settings: GraphSettings;
  /** Run only when the step has blocks to clear or to copy, before everything else. */
  readonly blockOperations: Operation[] = [];
  readonly operations: Operation[] = [];
  /** Layers whose experts are not all on the device, in the order of the operations. */
  readonly pagedExperts: PagedExperts[] = [];
  #matmuls: GraphMatmul[] = [];
  readonly #scratch = new Map<string, Slice>();
  readonly #rowScratch = new Map<string, Vectors>();
  #logits: Slice | undefined;
  #vocabulary = 0;
  #rows: Slice | undefined;
  #masks: Slice | undefined;
  #originals: Slice | undefined;
  #entry: HandedRows | undefined;
  #exit: HandedRows | undefined;
  #isLast = true;

  constructor(settings: GraphSettings) {
    this.settings = settings;
  }

  /** Rows of f32 logits, as many as the vocabulary or up to three more, and what came of each row (kernels/sample.ts), or vectors; there once the family has called `choose` or `pool`. */
  get results(): { logits: Slice; rows: Slice; masks: Slice; vocabulary: number } {
    if (this.#logits === undefined || this.#rows === undefined || this.#masks === undefined) throw new Error('the forward pass gave nothing');
    return { logits: this.#logits, rows: this.#rows, masks: this.#masks, vocabulary: this.#vocabulary };
  }

  /** Where the rows of the stage before come in; undefined on the first stage. */
  get entry(): HandedRows | undefined {
    return this.#entry;
  }

  /** What goes to the stage behind; undefined on the last one. */
  get exit(): HandedRows | undefined {
    return this.#exit;
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

  /** What the first of the layers here takes, rows of `width` numbers: what `make` gives, or what the stage before hands on. */
  enter(width: number, make: () => Vectors): Vectors {
    if ((this.settings.range?.start ?? 0) === 0) return make();
    this.#entry = { vectors: this.#perToken('residual', width), width };
    return this.#entry.vectors;
  }

  /** The layers that are computed here, of `count` in all. */
  layers(count: number): readonly number[] {
    const { start, end } = this.settings.range ?? { start: 0, end: count };
    this.#isLast = end === count;
    return Array.from({ length: end - start }, (_, i) => start + i);
  }

  /** What becomes of the last layer's rows, as wide as those of `enter`: they are handed on, or `finish` makes of them what the model gives. */
  leave(x: Vectors, width: number, finish: () => void): void {
    if (this.#isLast) finish();
    else this.#exit = { vectors: x, width };
  }

  /**
   * Rows of the batch's ids (or what `lookup` says), times `scale`; without a label of their own they are the residual stream [token][embedding length].
   * Added to `to`, they are good as long as what addLinear gives.
   */
  embed(table: LoadedMatrix, { label = 'residual', ...rest }: Omit<EmbedOptions, 'results'> & { readonly label?: string } = {}): Vectors {
    const { lanes, batch, layout } = this.settings;
    const options = rest.lookup === 'next' ? { ...rest, results: this.results.rows } : rest;
    const y = options.to === undefined ? this.#perToken(label, table.columns) : this.#otherResidual(options.to, table.columns);
    for (const piece of table.pieces) this.operations.push(...embed(piece.matrix, y, batch, lanes, layout, options));
    return y;
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
   * Queries, keys and values of x, normed if asked, rotary position embedding, KV store and attention over the positions that the batch gives
   * each token: [token][heads * head length].
   */
  attention(layer: number, x: Vectors, norm: Norm | undefined, projections: LoadedMatrix, heads: AttentionHeads, rotation: Slice): Vectors {
    const { batch, kv, blockLength, lanes, layout, pools } = this.settings;
    const found = pools[heads.keysOf ?? layer];
    if (found === undefined) throw new Error(`no KV pool for layer ${layer}`);
    const { vectors: pool, fold: poolFold } = found;
    if ((heads.window ?? everything) > (this.settings.window ?? everything)) throw new Error(`layer ${layer} looks behind the window`);
    const { options, sinks, bias, scale, window, softcap, outputGate: activation } = heads;
    const own = { heads: heads.heads, kvHeads: heads.kvHeads, headLength: heads.headLength, rotaryLength: heads.rotaryLength };
    const shape: AttentionShape = {
      ...own,
      ...(scale !== undefined && { scale }),
      ...{ softcap, window, kv, blockLength, poolFold, lanes, layout },
    };
    const width = heads.heads * heads.headLength;
    const queries = this.#perToken('queries', width);
    if (!options?.onlyQueries) this.keepBlocks(shape, pool);
    const stride = headRowLength(shape, options);
    const rows = (): Vectors => this.#perToken('heads', stride);
    // The factor of a q8 head needs all of it at once, which no lane of a matmul has.
    if (options === undefined && kv !== 'q8') this.#multiply(projections, x, norm, { kind: 'rope', y: queries, pool, rotation, shape }, 'tokens', bias);
    else {
      this.#multiply(projections, x, norm, { kind: 'store', y: rows(), stride }, 'tokens', bias);
      this.operations.push(splitHeads(shape, options ?? {}, { rows: rows(), queries, pool, rotation, batch }));
    }
    const attended = this.#attend(shape, queries, pool, { sinks });
    if (activation === undefined) return attended;
    const y = this.#perToken('gated heads', width);
    const { heads: count, headLength } = heads;
    const gates = { heads: count, headLength, activation, rowLength: stride, start: headLength, pitch: 2 * headLength, group: 1 };
    this.operations.push(gatedHeads(gates, { x: attended, gates: rows(), y }, lanes));
    return y;
  }

  /**
   * Latent attention with absorbed weights: stores a row a token, and gives [token][head][value length]. The same way for prompts and for
   * single tokens: rows are never made into keys and values.
   */
  latentAttention(layer: number, { queries: x, rows, norm, keysAndValues, rotation, chosen }: LatentInputs, heads: LatentHeads): Vectors {
    const { batch } = this.settings;
    const { pool, shape: whole } = this.#latentPool(layer, heads);
    const shape = { ...whole, topK: chosen?.topK };
    const { keys, values } = splitHeadRows(keysAndValues, heads);
    const queries = this.#perToken('queries', heads.heads * shape.headLength);
    this.keepBlocks(shape, pool);
    this.operations.push(
      latentRows(shape, { rows, pool, norm, rotation, batch }),
      ...latentQueries(shape, keys, { x, queries, rotation, batch }, this.settings),
    );
    const attended = this.#attend(shape, queries, pool, { chosen: chosen?.slots });
    return this.#byHead('values', values, attended, heads.heads);
  }

  /** W[head] x: the matrix has rows of one head below those of another, x [token][head][columns]. Gives [token][head][rows of a head]. */
  linearByHead(label: string, matrix: LoadedMatrix, x: Vectors, heads: number): Vectors {
    const rows = matrix.rows / heads;
    return this.#byHead(label, { matrix: wholeOf(matrix), pitch: rows, start: 0, rows }, x, heads);
  }

  /** W x of each of `parts` of a row: x [token][part][columns], and so what comes of it. The matrix is loaded as the rows of one head. */
  linearByPart(label: string, matrix: LoadedMatrix, x: Vectors, parts: number): Vectors {
    return this.#byHead(label, { matrix: wholeOf(matrix), pitch: 0, start: 0, rows: matrix.rows }, x, parts);
  }

  #byHead(label: string, weights: HeadRows, x: Vectors, heads: number): Vectors {
    const { batch, lanes, layout, maxTokens, family, matrixUnit } = this.settings;
    const y = this.#perToken(label, heads * weights.rows);
    this.operations.push(...headMatmul(weights, { lanes, family, matrixUnit, layout, batch, maxTokens, heads, x, y }));
    return y;
  }

  /** Stores an index key a token, and gives what each token attends to, in this layer and in others that have none of their own; good until the next call. */
  chooseKeys(layer: number, { queries, rows, norm, rotation }: IndexInputs, latent: LatentHeads, index: IndexHeads): ChosenKeys {
    const { batch, contextLength } = this.settings;
    const { pool, shape: whole } = this.#latentPool(layer, latent);
    const { heads, length, rotaryLength } = index;
    const topK = Math.min(index.topK, contextLength);
    const turned = this.#perToken('index queries', heads * length);
    const plain = { ...whole, heads, headLength: length, latentLength: undefined, rotaryLength, scale: (length * heads) ** -0.5 };
    const rowLength = length + heads;
    this.operations.push(
      splitHeads(plain, { ...index, onlyQueries: true }, { rows: queries, queries: turned, pool, rotation, batch }),
      indexRows({ ...whole, indexLength: length, rotaryLength }, { ...index, rowLength }, { rows, pool, norm, rotation, batch }),
    );
    const shape = { ...whole, indexLength: length, indexHeads: heads, topK, entries: tokenEntries(whole) };
    return { slots: this.chooseEntries(shape, contextLength, { queries: turned, weights: { rows, start: length, width: rowLength }, pool }), topK };
  }

  /** The entries that each token attends to, of the `most` that it may see: [token][topK] first slots of them, good until the next call. */
  chooseEntries(shape: IndexShape, most: number, buffers: Omit<IndexScoreBuffers, 'batch'>): Slice {
    const { batch, maxTokens } = this.settings;
    const scores = this.#buffer('index scores', scoresSize(maxTokens, most));
    const chosen = this.#buffer('chosen entries', maxTokens * shape.topK * 4);
    this.operations.push(...chooseEntries(shape, maxTokens, most, { ...buffers, batch, scores, chosen }, this.settings));
    return chosen;
  }

  #latentPool(layer: number, { heads, latentLength, ropeLength, indexLength, scale }: LatentHeads): { readonly pool: Vectors; readonly shape: LatentShape } {
    const { kv, blockLength, lanes, layout, pools } = this.settings;
    const found = pools[layer];
    if (found === undefined) throw new Error(`no pool for layer ${layer}`);
    const lengths = { headLength: latentLength + ropeLength, latentLength, rotaryLength: ropeLength, indexLength };
    return { pool: found.vectors, shape: { ...lengths, heads, kvHeads: 1, scale, kv, blockLength, poolFold: found.fold, lanes, layout } };
  }

  /** What a step does to whole blocks of a pool. */
  keepBlocks(shape: AttentionShape, pool: Vectors): void {
    const { batch, maxCopies } = this.settings;
    const gathered = this.#buffer('copied blocks', copySize(shape, maxCopies));
    this.blockOperations.push(clearBlocks(shape, pool, batch), ...copyBlocks(shape, pool, gathered, batch));
  }

  /** [token][head][value length]. */
  #attend(
    shape: AttentionShape,
    queries: Vectors,
    pool: Vectors,
    { sinks, chosen }: { readonly sinks?: Slice | undefined; readonly chosen?: Slice | undefined } = {},
  ): Vectors {
    const { batch, maxItems } = this.settings;
    const width = shape.heads * valueLength(shape);
    const scratch = {
      partials: this.#buffer('partials', maxItems * width * 4),
      states: this.#buffer('states', maxItems * shape.heads * 8),
    };
    const attended = this.#perToken('attended', width);
    const attend = chooseAttention(this.settings);
    this.operations.push(attend(shape, queries, pool, scratch, attended, batch, sinks, chosen), attentionMerge(shape, scratch, attended, batch, sinks));
    return attended;
  }

  /** The gated delta rule over each sequence, from the normed x: [token][value heads * value length], normed and gated by silu. */
  deltaRule(layer: number, x: Vectors, norm: Norm, projections: LoadedMatrix, { shape, outputNorm, ...weights }: DeltaOptions): Vectors {
    const { batch, lanes, layout, states } = this.settings;
    const state = states?.[layer];
    if (state === undefined) throw new Error(`no recurrent state for layer ${layer}`);
    const places = deltaRow(shape);
    const rows = this.#perToken('delta rows', places.length);
    const width = shape.valueHeads * shape.valueLength;
    const [inputs, output, y] = [
      this.#perToken('delta inputs', deltaInputLength(shape)),
      this.#perToken('delta outputs', width),
      this.#perToken('gated heads', width),
    ];
    this.#multiply(projections, x, norm, { kind: 'store', y: rows, stride: places.length }, 'tokens');
    this.blockOperations.push(clearStates(state.length, state.blocks, batch, { lanes, layout }));
    const gates = { heads: shape.valueHeads, headLength: shape.valueLength, activation: 'silu', rowLength: places.length } as const;
    this.operations.push(
      ...deltaRule(shape, { ...weights, rows, inputs, y: output, state: state.blocks, batch }, { lanes, layout }),
      gatedHeads({ ...gates, ...places.gate, group: shape.valueHeads / shape.keyHeads }, { x: output, gates: rows, y, norm: outputNorm }, lanes),
    );
    return y;
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

  /** x [token][width] times a number for each token: the first in its row of `gates` [token][4], activated. */
  scaleRows(label: string, x: Vectors, gates: Vectors, width: number, activation: ActivationFunction): Vectors {
    const y = this.#perToken(label, width);
    const shape = { heads: 1, headLength: width, activation, rowLength: 4, start: 0, pitch: 0, group: 1, isShared: true };
    this.operations.push(gatedHeads(shape, { x, gates, y }, this.settings.lanes));
    return y;
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
   * Experts of the normed x, chosen by what the router makes of x; added to `to`, or rows of their own without one.
   * With a residual good as long as what addLinear gives.
   */
  experts(x: Vectors, options: ExpertsOptions): Vectors {
    const { shape, norm, gate, gateAndUp, down, to, ...more } = options;
    const { lanes, family, matrixUnit, batch, layout, maxTokens } = this.settings;
    const before = this.pagedExperts.at(-1);
    const guesses = gateAndUp.slots === undefined ? undefined : before && this.#guess(before, options);
    const routes = this.#route('routes', x, options);
    this.operations.push(expertsSort(shape, routes, batch, maxTokens, lanes, needsSort(shape, this.settings)));
    const hidden = this.#sharedRows('expert hidden', maxTokens * shape.topK, gateAndUp.rows / 2);
    const outputs = this.#sharedRows('expert outputs', maxTokens * shape.topK, down.rows);
    const common = { router: shape, routes, batch, maxTokens, lanes, family, matrixUnit, layout };
    const multiplied = [
      ...expertMatmul(gateAndUp, { ...common, x, rowsAre: 'tokens', norm, finish: { kind: 'gated', y: hidden, gate }, bias: more.gateAndUpBias }),
      ...expertMatmul(down, { ...common, x: hidden, rowsAre: 'choices', finish: { kind: 'store', y: outputs, stride: down.rows }, bias: more.downBias }),
    ];
    this.operations.push(...multiplied);
    if (gateAndUp.slots !== undefined) this.pagedExperts.push({ shape, routes, guesses, x, maxTokens, matrices: [gateAndUp, down], operations: multiplied });
    const y = to === undefined ? this.#perToken('experts', down.rows) : this.#otherResidual(to, down.rows);
    this.operations.push(expertsSum({ router: shape, routes, x: outputs, y, to, columns: down.rows, maxTokens, lanes }));
    return y;
  }

  /** Choices among the experts of x. */
  #route(label: string, x: Vectors, { shape, router: scores, selectionBias, factors, table }: ExpertsOptions): Slice {
    const { lanes, batch, layout, maxTokens } = this.settings;
    const routes = this.#buffer(`${label} ${shape.experts} ${shape.topK}`, routesLength(shape, maxTokens) * 4);
    const logits = this.linear('router', scores.matrix, x, scores);
    if (table === undefined) {
      const biases = selectionBias ?? this.#constant(shape.experts, 0);
      this.operations.push(router(shape, { logits, routes, biases, factors: factors ?? this.#constant(shape.experts, 1) }, maxTokens, lanes));
    } else this.operations.push(routerTable(shape, { logits, routes, table, batch }, maxTokens, lanes, layout));
    return routes;
  }

  /** The same of the rows of the layer before, as soon as they are known: what it adds to them is little. */
  #guess({ x, operations: [first] }: PagedExperts, options: ExpertsOptions): Slice {
    const start = this.operations.length;
    const routes = this.#route('guessed routes', x, options);
    const made = this.operations.splice(start);
    this.operations.splice(
      this.operations.findIndex((operation) => operation === first),
      0,
      ...made,
    );
    return routes;
  }

  /** Logits of the batch's logit rows, one token drawn from each, and log-probabilities where they are asked for. `softCap`: c of c * tanh(logit / c), after the scale. */
  choose(x: Vectors, norm: Norm, output: LoadedMatrix, { scale, softCap, bias }: LogitOptions = {}): void {
    const { maxLogitRows, maxEdits } = this.settings;
    const stride = Math.ceil(output.rows / 4) * 4;
    this.#vocabulary = output.rows;
    this.#logits = this.settings.create('logits', 'logits', maxLogitRows * stride * 4);
    this.#rows = this.settings.create('logits', 'results', maxLogitRows * resultLength * 4);
    this.#originals = this.settings.create('logits', 'originals', maxEdits * 4);
    const capped = softCap === undefined ? {} : { activation: 'soft_cap' as const, limit: softCap };
    this.#multiply(output, x, norm, { kind: 'store', y: this.#logits, stride, scale, ...capped }, 'logitRows', bias);
    this.#masks = this.settings.create('logits', 'masks', maxLogitRows * maskLength(output.rows) * 4);
    this.#sample(this.#logits, output.rows);
  }

  /** Behind `choose`: the token that is expected behind each chosen one, from logits of its own. */
  foresee(x: Vectors, norm: Norm, output: LoadedMatrix): void {
    const stride = Math.ceil(output.rows / 4) * 4;
    const logits = this.settings.create('logits', 'logits ahead', this.settings.maxLogitRows * stride * 4);
    this.#multiply(output, x, norm, { kind: 'store', y: logits, stride }, 'logitRows');
    this.#sample(logits, output.rows, true);
  }

  #sample(logits: Slice, vocabulary: number, isAhead = false): void {
    const { batch, layout, invocationLimit } = this.settings;
    const { rows: results, masks } = this.results;
    if (this.#originals === undefined) throw new Error('nothing was chosen');
    const buffers = { logits, results, originals: this.#originals, batch, masks };
    const stride = Math.ceil(vocabulary / 4) * 4;
    this.operations.push(sample(buffers, { vocabulary, stride }, rowLanes(this.settings, invocationLimit), layout, isAhead));
  }

  /** One vector of `columns` numbers for each logit row in place of logits, of all rows of its sequence; nothing is chosen. */
  pool(x: Vectors, columns: number, pooling: Pooling): void {
    const { batch, lanes, layout, maxLogitRows } = this.settings;
    const y = this.settings.create('logits', 'embeddings', maxLogitRows * columns * 4);
    this.#vocabulary = columns;
    this.#logits = y;
    this.#rows = this.#masks = this.settings.create('logits', 'results', 16);
    this.operations.push(poolRows({ x, y, batch, columns, pooling, lanes, layout }));
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

  /** f32 scratch of a family's own kernels: `width` elements a token, or a buffer of `size` bytes; one a label, shared by all layers. */
  scratchRows(label: string, width: number): Vectors {
    return this.#perToken(label, width);
  }

  scratchBuffer(label: string, size: number): Slice {
    return this.#buffer(label, size);
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

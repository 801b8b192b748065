/**
 * Owns the weights of a model: checks what the family needs against what the file has, and puts them on the device. Refuses to know how a
 * tensor is stored (stored.ts, experts.ts) and packed (packer.ts).
 */
import type { ExpertMatrix } from '../../kernels/experts.ts';
import type { Slice } from '../../kernels/kernel.ts';
import type { Heads } from '../../kernels/repack.ts';
import { type PackedMatrix, packedSize, quadRows, type Shard, type StorageWithKernels } from '../../kernels/weights.ts';
import type { ExpertsSpec, HostSpec, LoadedMatrix, MatrixSpec, TensorPart, VectorSpec, WeightSpec, Weights } from '../../models/index.ts';
import { formatBytes, InwardError } from '../errors.ts';
import { wholeBuffer } from '../memory.ts';
import { expertRows, findExpertBias, findExperts, readExpertBias, type StoredExperts } from './experts.ts';
import { unsupported } from './json.ts';
import { KeptParts } from './kept.ts';
import { Packer, type PackerTarget } from './packer.ts';
import { expertHalves } from './stage.ts';
import { findFloats, findIds, findMatrix, hasTensor, readFloats, readIds } from './stored.ts';
import { rawSizeOf, type StoredMatrix } from './strips.ts';
import type { Checkpoint } from './types.ts';

/** Parts of equal storage, and equal order of columns, that become one packed matrix. */
interface Piece {
  readonly storage: StorageWithKernels;
  readonly firstRow: number;
  readonly rows: number;
  readonly parts: readonly StoredMatrix[];
  readonly order: StoredMatrix['order'] | undefined;
  /** Quads of rows of the two tensors take turns. */
  readonly isInterleaved: boolean;
}

export interface LoaderTarget extends PackerTarget {
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** Bytes that the weights will take on the device; throws model_unsupported naming the first tensor that does not fit the family. `slots`: experts of a layer that are there at a time. */
export function weightSize(checkpoint: Checkpoint, specs: ReadonlyMap<string, WeightSpec>, slots: number = Number.POSITIVE_INFINITY): number {
  return Array.from(specs.values(), (spec) => (isPaged(spec, slots) ? slots * expertSize(checkpoint, spec) : specSize(checkpoint, spec))).reduce(
    (sum, size) => sum + size,
    0,
  );
}

/**
 * Experts of each layer that so many bytes have room for at a time; undefined: all, or the model has none. Throws invalid_option where there is
 * not even room for one of each layer, and as `weightSize` does.
 */
export function countSlots(checkpoint: Checkpoint, specs: ReadonlyMap<string, WeightSpec>, expertMemory: number | undefined): number | undefined {
  if (expertMemory === undefined) return undefined;
  const routed = Array.from(specs.values()).filter((spec) => isPaged(spec, 0));
  const size = routed.reduce((sum, spec) => sum + expertSize(checkpoint, spec), 0);
  const slots = Math.floor(expertMemory / size);
  if (routed.every(({ experts }) => experts <= slots)) return undefined;
  if (slots > 0) return slots;
  throw new InwardError('invalid_option', { option: 'expertMemory', rule: `at least ${formatBytes(size)}, one expert of every layer` });
}

function isPaged(spec: WeightSpec, slots: number): spec is ExpertsSpec {
  return spec.kind === 'experts' && spec.isRouted === true && slots < spec.experts;
}

function expertSize(checkpoint: Checkpoint, spec: ExpertsSpec): number {
  return packedSize(findExperts(checkpoint, spec).storage, expertRows(spec), spec.columns);
}

/** Bytes that one of them takes on the device. Throws as `weightSize` does. */
export function specSize(checkpoint: Checkpoint, spec: WeightSpec): number {
  switch (spec.kind) {
    case 'matrix':
      return planPieces(checkpoint, spec).reduce(
        (sum, { storage, rows, order }) => sum + packedSize(storage, rows, spec.columns) + (order?.byteLength ?? 0),
        0,
      );
    case 'experts':
      return packedSize(findExperts(checkpoint, spec).storage, spec.experts * expertRows(spec), spec.columns);
    case 'vector':
      for (const part of spec.parts) findFloats(checkpoint, part.tensor, shapeOf(part, spec));
      return vectorSize(vectorLength(spec));
    case 'expertBias':
      findExpertBias(checkpoint, spec);
      return vectorSize(spec.experts * expertRows(spec));
    case 'ids':
      findIds(checkpoint, spec);
      return spec.rows * spec.columns * 4;
    case 'host':
      if (isWanted(checkpoint, spec)) findFloats(checkpoint, spec.tensor, [spec.length]);
      return 0;
  }
}

function shapeOf({ rows }: TensorPart, { columns }: VectorSpec): readonly number[] {
  return columns === undefined ? [rows] : [rows, columns];
}

function isWanted(checkpoint: Checkpoint, { tensor, optional = false }: HostSpec): boolean {
  return !optional || hasTensor(checkpoint, tensor);
}

function vectorLength({ parts, columns = 1 }: VectorSpec): number {
  return columns * parts.reduce((sum, { rows }) => sum + rows, 0);
}

/** Bytes of a vector of so many f32 on the device: whole vectors of four. */
function vectorSize(length: number): number {
  return Math.ceil(length / 4) * 16;
}

/** Experts that stay in the files until they are wanted, or in host memory once they were. */
export interface ExpertFiles {
  /** Brings an expert of a matrix with slots to one of them. Throws as `loadWeights` does. */
  load(matrix: ExpertMatrix, expert: number, slot: number): Promise<void>;
  /** What is submitted next finds all that were loaded. */
  flush(): Promise<void>;
  /** Bytes that went to the device, and those of them that came from files and not from host memory. */
  readonly broughtSize: number;
  readonly readSize: number;
}

/** Where experts are that there is not room for on the device. */
export interface ExpertPlaces {
  /** Of each layer, on the device at a time; undefined: all. */
  readonly slots: number | undefined;
  /** Bytes of the files that stay in host memory. */
  readonly hostSize: number;
}

export interface LoadedWeights extends Weights {
  /** Where `slots` left some out: they read the checkpoint, which must stay open. */
  readonly files?: ExpertFiles;
}

/** Reads every tensor of the specs; of experts that are not all on the device none. Throws model_unsupported, gguf_invalid, checkpoint_invalid, out_of_memory. */
export async function loadWeights(
  checkpoint: Checkpoint,
  specs: ReadonlyMap<string, WeightSpec>,
  target: LoaderTarget,
  { slots = Number.POSITIVE_INFINITY, hostSize }: ExpertPlaces = { slots: undefined, hostSize: 0 },
): Promise<LoadedWeights> {
  const loader = new Loader(checkpoint, target, weightSize(checkpoint, specs, slots), hostSize);
  const matrices = new Map<string, LoadedMatrix>();
  const experts = new Map<string, ExpertMatrix>();
  const vectors = new Map<string, Slice>();
  const hosts = new Map<string, Float32Array>();
  for (const [name, spec] of specs) {
    if (spec.kind === 'matrix') matrices.set(name, await loader.matrix(name, spec));
    else if (spec.kind === 'experts') experts.set(name, isPaged(spec, slots) ? loader.slots(name, spec, slots) : await loader.experts(name, spec));
    else if (spec.kind === 'vector') vectors.set(name, loader.vector(name, readVector(checkpoint, spec)));
    else if (spec.kind === 'expertBias') vectors.set(name, loader.vector(name, readExpertBias(checkpoint, spec)));
    else if (spec.kind === 'ids') vectors.set(name, loader.ids(name, readIds(checkpoint, spec)));
    else if (isWanted(checkpoint, spec)) hosts.set(name, readFloats(checkpoint, spec.tensor, [spec.length]));
  }
  await loader.finish();
  return {
    matrix: (name) => present(matrices.get(name), name),
    experts: (name) => present(experts.get(name), name),
    vector: (name) => present(vectors.get(name), name),
    host: (name) => hosts.get(name),
    ...(loader.files && { files: loader.files }),
  };
}

/** The same without any rows, from the header alone; vectors are `nowhere`. Throws model_unsupported. */
export function outlineWeights(checkpoint: Checkpoint, specs: ReadonlyMap<string, WeightSpec>, nowhere: Slice): Weights {
  const matrices = new Map<string, LoadedMatrix>();
  const experts = new Map<string, ExpertMatrix>();
  for (const [name, spec] of specs) {
    if (spec.kind === 'experts') {
      experts.set(name, { storage: findExperts(checkpoint, spec).storage, rows: expertRows(spec), columns: spec.columns, shards: [] });
    } else if (spec.kind === 'matrix') {
      const pieces = planPieces(checkpoint, spec);
      const outlined = pieces.map(({ firstRow, storage, rows: own, order }) => {
        return { firstRow, matrix: { storage, rows: own, columns: spec.columns, shards: [], ...(order && { order: nowhere }) } };
      });
      matrices.set(name, joinPieces(spec, pieces, outlined));
    }
  }
  return {
    matrix: (name) => present(matrices.get(name), name),
    experts: (name) => present(experts.get(name), name),
    vector: () => nowhere,
    host: () => undefined,
  };
}

function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the family asks for "${name}", which it did not list`);
  return value;
}

/** Runs of parts with equal storage. */
function planPieces(checkpoint: Checkpoint, spec: MatrixSpec): Piece[] {
  const pieces: { storage: StorageWithKernels; firstRow: number; rows: number; parts: StoredMatrix[]; order: StoredMatrix['order'] | undefined }[] = [];
  let row = 0;
  for (const part of spec.parts) {
    const stored = findMatrix(checkpoint, part, spec.columns, spec.storedColumns);
    const { storage, name, order } = stored;
    const last = pieces.at(-1);
    if (row % quadRows !== 0) throw unsupported(name, `a first row in multiples of ${quadRows}`, row);
    if ((spec.isTable || spec.headRows !== undefined) && order !== undefined)
      throw unsupported(name, `columns in their own order, storage ${storage}`, 'another order');
    if (last?.storage === storage && isSameOrder(last.order, order)) {
      last.rows += stored.rows;
      last.parts.push(stored);
    } else pieces.push({ storage, firstRow: row, rows: stored.rows, parts: [stored], order });
    row += stored.rows;
  }
  return pieces.map((piece) => ({ ...piece, isInterleaved: spec.interleaved === true && pieces.length === 1 }));
}

/** The matrix that pieces make up; `loaded`: what became of each. */
function joinPieces({ columns }: MatrixSpec, pieces: readonly Piece[], loaded: LoadedMatrix['pieces']): LoadedMatrix {
  return { rows: pieces.reduce((sum, piece) => sum + piece.rows, 0), columns, isInterleaved: pieces.every((piece) => piece.isInterleaved), pieces: loaded };
}

function isSameOrder(a: StoredMatrix['order'] | undefined, b: StoredMatrix['order'] | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.every((column, i) => column === b[i]));
}

/** The tensors of a vector, as the device reads them. */
function readVector(checkpoint: Checkpoint, spec: VectorSpec): Float32Array<ArrayBuffer> {
  const { hasPairs, hasWholeNorms: isWhole } = checkpoint.names;
  const values = new Float32Array(vectorLength(spec));
  let at = 0;
  for (const part of spec.parts) {
    const { tensor, heads } = part;
    const read = readFloats(checkpoint, tensor, shapeOf(part, spec));
    values.set(heads === undefined || hasPairs ? read : pairHalves(read, heads), at);
    at += read.length;
  }
  if (isWhole) return values;
  if (spec.isLogarithm) return values.map((value) => -Math.exp(value));
  return spec.isOffset ? values.map((value) => value + 1) : values;
}

/** Of each head numbers i and i + half of the rotary length, side by side; what is not rotated stays. */
function pairHalves(values: Float32Array, { headLength, rotaryLength }: Heads): Float32Array {
  return values.map((_, i) => {
    const inHead = i % headLength;
    const from = inHead < rotaryLength ? (inHead >> 1) + (inHead & 1) * (rotaryLength / 2) : inHead;
    return values[i - inHead + from] ?? 0;
  });
}

function expertMatrix({ storage, rows }: StoredExperts, columns: number, shards: readonly Shard[]): ExpertMatrix {
  return {
    storage,
    rows,
    columns,
    shards: shards.map((shard) => ({ firstExpert: shard.firstRow / rows, experts: shard.rows / rows, packed: shard.packed })),
  };
}

/** Packs single experts of matrices with slots, as long as the engine runs. */
class SlotPacker implements ExpertFiles {
  broughtSize = 0;
  readonly #packer: Packer;
  readonly #kept: KeptParts;
  /** With what is kept in the place of the files. */
  readonly #checkpoint: Checkpoint;
  readonly #matrices = new Map<ExpertMatrix, { readonly stored: StoredExperts; readonly shards: readonly Shard[] }>();

  constructor(checkpoint: Checkpoint, target: PackerTarget, hostSize: number) {
    this.#kept = new KeptParts(checkpoint, hostSize);
    this.#checkpoint = { ...checkpoint, read: (position, into) => this.#kept.read(position, into) };
    // Its buffers stay, and hold nothing of a request.
    this.#packer = new Packer({ ...target, stageOwner: 'uploads', halves: expertHalves }, () => undefined);
  }

  get readSize(): number {
    return this.#kept.readSize;
  }

  add(matrix: ExpertMatrix, spec: ExpertsSpec, shards: readonly Shard[]): void {
    this.#matrices.set(matrix, { stored: findExperts(this.#checkpoint, spec), shards });
  }

  async load(matrix: ExpertMatrix, expert: number, slot: number): Promise<void> {
    const found = this.#matrices.get(matrix);
    if (found === undefined) throw new Error('a matrix without slots');
    for (const { stored, placements } of found.stored.sourcesOf(expert, slot)) {
      await this.#packer.pack(stored, placements, found.shards);
      this.broughtSize += rawSizeOf(stored, 0, stored.rows);
    }
  }

  flush(): Promise<void> {
    return this.#packer.flush();
  }
}

class Loader {
  files: SlotPacker | undefined;
  readonly #checkpoint: Checkpoint;
  readonly #target: LoaderTarget;
  readonly #packer: Packer;
  readonly #total: number;
  readonly #hostSize: number;
  #done = 0;

  constructor(checkpoint: Checkpoint, target: LoaderTarget, total: number, hostSize: number) {
    this.#checkpoint = checkpoint;
    this.#hostSize = hostSize;
    this.#target = target;
    this.#packer = new Packer(target, (size) => this.#advance(size));
    this.#total = total;
    target.memory.reserve('weights', total);
    this.#advance(0);
  }

  vector(label: string, values: Float32Array<ArrayBuffer>): Slice {
    const { device, memory } = this.#target;
    // Kernels read vectors of four.
    const size = vectorSize(values.length);
    const buffer = memory.create('weights', label, size, GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    device.queue.writeBuffer(buffer, 0, values);
    this.#advance(size);
    return wholeBuffer(buffer);
  }

  ids(label: string, values: Uint32Array<ArrayBuffer>): Slice {
    const slice = this.#words(label, values);
    this.#advance(values.byteLength);
    return slice;
  }

  async matrix(label: string, spec: MatrixSpec): Promise<LoadedMatrix> {
    const pieces = planPieces(this.#checkpoint, spec);
    const loaded = [];
    for (const piece of pieces) loaded.push({ firstRow: piece.firstRow, matrix: await this.#piece(label, piece, spec) });
    return joinPieces(spec, pieces, loaded);
  }

  async experts(label: string, spec: ExpertsSpec): Promise<ExpertMatrix> {
    const stored = findExperts(this.#checkpoint, spec);
    const shards = this.#expertShards(label, stored, spec.experts, spec.columns);
    for (const { stored: matrix, placements } of stored.sources()) await this.#packer.pack(matrix, placements, shards);
    return expertMatrix(stored, spec.columns, shards);
  }

  /** Room for so many of them, and none there. */
  slots(label: string, spec: ExpertsSpec, slots: number): ExpertMatrix {
    const stored = findExperts(this.#checkpoint, spec);
    const shards = this.#expertShards(label, stored, slots, spec.columns);
    const matrix = { ...expertMatrix(stored, spec.columns, shards), slots };
    this.files ??= new SlotPacker(this.#checkpoint, this.#target, this.#hostSize);
    this.files.add(matrix, spec, shards);
    this.#advance(slots * expertSize(this.#checkpoint, spec));
    return matrix;
  }

  /** Whole experts a shard, which is what a kernel binds. */
  #expertShards(label: string, { name, storage, rows }: StoredExperts, experts: number, columns: number): Shard[] {
    const shards = this.#packer.createShards(label, storage, experts * rows, columns, rows);
    if (shards === undefined) throw unsupported(name, 'rows of an expert that one binding holds', `${rows} x ${columns}`);
    return shards;
  }

  /** Resolves when everything is on the device. */
  async finish(): Promise<void> {
    await this.#packer.finish();
    // Sizes on the device are what is counted towards; small tensors that stay on the host are in none.
    this.#advance(this.#total - this.#done);
  }

  async #piece(label: string, { storage, rows, parts, isInterleaved, ...piece }: Piece, { columns, headRows }: MatrixSpec): Promise<PackedMatrix> {
    const shards = this.#packer.createShards(label, storage, rows, columns, headRows);
    if (shards === undefined) throw unsupported(parts[0]?.name ?? label, 'rows of a head that one binding holds', `${headRows} x ${columns}`);
    let quad = 0;
    for (const [i, stored] of parts.entries()) {
      const quads = isInterleaved ? { firstQuad: i, quadStep: parts.length } : { firstQuad: quad, quadStep: 1 };
      await this.#packer.pack(stored, [{ firstRow: 0, rowStep: 1, rows: stored.rows, ...quads }], shards);
      quad += Math.ceil(stored.rows / quadRows);
    }
    const order = piece.order && this.#words(label, piece.order);
    return { storage, rows, columns, shards, ...(order && { order }) };
  }

  #words(label: string, words: Uint32Array<ArrayBuffer>): Slice {
    const { device, memory } = this.#target;
    const buffer = memory.create('weights', label, words.byteLength, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    device.queue.writeBuffer(buffer, 0, words);
    return wholeBuffer(buffer);
  }

  #advance(size: number): void {
    this.#done += size;
    this.#target.onProgress?.({ done: Math.min(this.#done, this.#total), total: this.#total });
  }
}

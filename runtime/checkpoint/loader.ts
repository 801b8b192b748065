/**
 * Owns the way of weights from a file to the device: checks what the family needs against what the file has,
 * streams rows in chunks, repacks them on the device. Refuses to hold more than one chunk on the host.
 */

import { type Place, placeOf, type Slice } from '../../kernels/kernel.ts';
import type { PipelineCache } from '../../kernels/pipeline.ts';
import { gridWords, type Heads, repackChunk, repackVariant } from '../../kernels/repack.ts';
import { type PackedMatrix, packedExtent, packedSize, quadRows, rowTile, type Shard, type StorageWithKernels } from '../../kernels/weights.ts';
import type { LoadedMatrix, MatrixSpec, VectorSpec, WeightSpec, Weights } from '../../models/index.ts';
import { type DeviceMemory, wholeBuffer } from '../memory.ts';
import { waitFor } from '../waiting.ts';
import { unsupported } from './json.ts';
import { findMatrix, findTensor, hasTensor } from './stored.ts';
import { chunkSizeOf, readChunk, type StoredMatrix } from './strips.ts';
import type { Checkpoint } from './types.ts';

/** Bytes of the host's chunk. */
const chunkSize = 8 * 2 ** 20;

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

export interface LoaderTarget {
  readonly device: GPUDevice;
  readonly memory: DeviceMemory;
  readonly pipelines: PipelineCache;
  readonly place: Place;
  /** Largest storage binding, in bytes. */
  readonly bindingLimit: number;
  /** Largest width and height of a texture. */
  readonly textureLimit: number;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** Bytes that the weights will take on the device; throws model_unsupported naming the first tensor that does not fit the family. */
export function weightSize(checkpoint: Checkpoint, specs: ReadonlyMap<string, WeightSpec>): number {
  let total = 0;
  for (const spec of specs.values()) {
    if (spec.kind === 'matrix') {
      for (const { storage, rows, order } of planPieces(checkpoint, spec)) total += packedSize(storage, rows, spec.columns) + (order?.byteLength ?? 0);
    } else if (spec.kind === 'vector') total += vectorSize(vectorLength(spec));
  }
  return total;
}

function vectorLength({ parts }: VectorSpec): number {
  return parts.reduce((sum, { rows }) => sum + rows, 0);
}

/** Bytes of a vector of so many f32 on the device: whole vectors of four. */
function vectorSize(length: number): number {
  return Math.ceil(length / 4) * 16;
}

/** Reads every tensor of the specs. Throws model_unsupported, gguf_invalid, checkpoint_invalid, out_of_memory. */
export async function loadWeights(checkpoint: Checkpoint, specs: ReadonlyMap<string, WeightSpec>, target: LoaderTarget): Promise<Weights> {
  const loader = new Loader(checkpoint, target, weightSize(checkpoint, specs));
  const matrices = new Map<string, LoadedMatrix>();
  const vectors = new Map<string, Slice>();
  const hosts = new Map<string, Float32Array>();
  for (const [name, spec] of specs) {
    if (spec.kind === 'matrix') {
      matrices.set(name, await loader.matrix(name, spec));
    } else if (spec.kind === 'vector') vectors.set(name, loader.vector(name, readVector(checkpoint, spec)));
    else if (!spec.optional || hasTensor(checkpoint, spec.tensor)) hosts.set(name, readFloats(checkpoint, spec.tensor, spec.length));
  }
  loader.finish();
  return {
    matrix: (name) => present(matrices.get(name), name),
    vector: (name) => present(vectors.get(name), name),
    host: (name) => hosts.get(name),
  };
}

/** The same without any rows, from the header alone; vectors are `nowhere`. Throws model_unsupported. */
export function outlineWeights(checkpoint: Checkpoint, specs: ReadonlyMap<string, WeightSpec>, nowhere: Slice): Weights {
  const matrices = new Map<string, LoadedMatrix>();
  for (const [name, spec] of specs) {
    if (spec.kind !== 'matrix') continue;
    const pieces = planPieces(checkpoint, spec);
    const outlined = pieces.map(({ firstRow, storage, rows: own, order }) => {
      return { firstRow, matrix: { storage, rows: own, columns: spec.columns, shards: [], ...(order && { order: nowhere }) } };
    });
    matrices.set(name, joinPieces(spec, pieces, outlined));
  }
  return { matrix: (name) => present(matrices.get(name), name), vector: () => nowhere, host: () => undefined };
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
    if (row % quadRows !== 0) throw unsupported(`tensor ${name}`, `a first row in multiples of ${quadRows}`, row);
    if (spec.isTable && order !== undefined) throw unsupported(`tensor ${name}`, `columns of a table in their own order, storage ${storage}`, 'another order');
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
  const { hasPairs, hasWholeNorms } = checkpoint.names;
  const values = new Float32Array(vectorLength(spec));
  let at = 0;
  for (const { tensor, rows, heads } of spec.parts) {
    const read = readFloats(checkpoint, tensor, rows);
    values.set(heads === undefined || hasPairs ? read : pairHalves(read, heads), at);
    at += rows;
  }
  return spec.isOffset && !hasWholeNorms ? values.map((value) => value + 1) : values;
}

/** Of each head numbers i and i + half of the rotary length, side by side; what is not rotated stays. */
function pairHalves(values: Float32Array, { headLength, rotaryLength }: Heads): Float32Array {
  return values.map((_, i) => {
    const inHead = i % headLength;
    const from = inHead < rotaryLength ? (inHead >> 1) + (inHead & 1) * (rotaryLength / 2) : inHead;
    return values[i - inHead + from] ?? 0;
  });
}

/** A small tensor as f32 on the host; F32, F16 or BF16. */
function readFloats(checkpoint: Checkpoint, name: string, length: number): Float32Array<ArrayBuffer> {
  const header = findTensor(checkpoint, name, [length]);
  const bytes = new Uint8Array(header.size);
  checkpoint.read(header.offset, bytes);
  if (header.storage === 'F32') return new Float32Array(bytes.buffer);
  if (header.storage === 'F16') return Float32Array.from(new Float16Array(bytes.buffer));
  // BF16 is the upper half of an f32.
  if (header.storage === 'BF16') return new Float32Array(Uint32Array.from(new Uint16Array(bytes.buffer), (bits) => bits << 16).buffer);
  throw unsupported(`tensor ${name}`, 'storage F32, F16, BF16', header.storage);
}

/** Place of the first quad of rows in a piece, and from one to the next. */
interface QuadPlaces {
  readonly firstQuad: number;
  readonly quadStep: number;
}

class Loader {
  readonly #checkpoint: Checkpoint;
  readonly #target: LoaderTarget;
  readonly #total: number;
  #done = 0;
  #staging: GPUBuffer | undefined;

  constructor(checkpoint: Checkpoint, target: LoaderTarget, total: number) {
    this.#checkpoint = checkpoint;
    this.#target = target;
    this.#total = total;
    target.memory.reserve('weights', total);
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

  async matrix(label: string, spec: MatrixSpec): Promise<LoadedMatrix> {
    const pieces = planPieces(this.#checkpoint, spec);
    const loaded = [];
    for (const piece of pieces) loaded.push({ firstRow: piece.firstRow, matrix: await this.#piece(label, piece, spec.columns) });
    return joinPieces(spec, pieces, loaded);
  }

  finish(): void {
    for (const buffer of [this.#staging, ...this.#grids.values()]) if (buffer !== undefined) this.#target.memory.release('staging', buffer);
    // Sizes on the device are what is counted towards; small tensors that stay on the host are in none.
    this.#advance(this.#total - this.#done);
  }

  async #piece(label: string, piece: Piece, columns: number): Promise<PackedMatrix> {
    const shards = this.#createShards(label, piece, columns);
    let quad = 0;
    for (const [i, stored] of piece.parts.entries()) {
      const at = piece.isInterleaved ? { firstQuad: i, quadStep: piece.parts.length } : { firstQuad: quad, quadStep: 1 };
      await this.#repackMatrix(stored, at, shards);
      quad += Math.ceil(stored.rows / quadRows);
    }
    const order = piece.order && this.#order(label, piece.order);
    return { storage: piece.storage, rows: piece.rows, columns, shards, ...(order && { order }) };
  }

  #order(label: string, order: Uint32Array<ArrayBuffer>): Slice {
    const { device, memory } = this.#target;
    const buffer = memory.create('weights', label, order.byteLength, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    device.queue.writeBuffer(buffer, 0, order);
    return wholeBuffer(buffer);
  }

  /** As few shards as the limits of bindings or textures allow, cut at tiles. */
  #createShards(label: string, piece: Piece, columns: number): Shard[] {
    const { memory, bindingLimit, textureLimit, place } = this.#target;
    const { storage } = piece;
    const tile = packedExtent(storage, rowTile, columns);
    // A matrix too wide for a texture lies in a buffer.
    const fits = place === 'texture' && tile.width <= textureLimit;
    const mostTiles = Math.floor(fits ? textureLimit / tile.height : bindingLimit / (tile.height * tile.width * 16));
    const mostRows = Math.max(1, mostTiles) * rowTile;
    const shards: Shard[] = [];
    for (let firstRow = 0; firstRow < piece.rows; firstRow += mostRows) {
      const rows = Math.min(mostRows, piece.rows - firstRow);
      const { width, height } = packedExtent(storage, rows, columns);
      shards.push({ firstRow, rows, packed: memory.createVectors('weights', label, fits ? 'texture' : 'buffer', width, height, 'rgba32uint') });
    }
    return shards;
  }

  /** `at`: place of the matrix's first quad of rows in the piece, and from one to the next. */
  async #repackMatrix(stored: StoredMatrix, at: QuadPlaces, shards: readonly Shard[]): Promise<void> {
    const { rows, rowStep } = stored;
    const most = Math.max(1, Math.floor(chunkSize / chunkSizeOf(stored, 0, rowStep))) * rowStep;
    for (let row = 0; row < rows; row += most) {
      const count = Math.min(most, rows - row);
      const { bytes, layout } = readChunk(stored, row, count);
      const raw = this.#stagingOf(bytes.byteLength);
      this.#target.device.queue.writeBuffer(raw, 0, bytes);
      // A chunk may end in another shard than it begins in.
      for (let done = 0; done < count; ) {
        const quad = at.firstQuad + ((row + done) / quadRows) * at.quadStep;
        const shard = shards.find((candidate) => quad * quadRows < candidate.firstRow + candidate.rows);
        if (shard === undefined) throw new Error('rows past the last shard');
        const firstQuad = quad - shard.firstRow / quadRows;
        const quadsLeft = Math.ceil((Math.ceil(shard.rows / quadRows) - firstQuad) / at.quadStep);
        const part = Math.min(count - done, quadsLeft * quadRows);
        const place = { columns: stored.columns, shardRows: shard.rows, rows: part, firstRow: done, firstQuad, quadStep: at.quadStep, layout };
        await this.#repack(stored.storage, raw, shard, place);
        done += part;
      }
      this.#advance(packedSize(stored.storage, count, stored.columns));
    }
  }

  async #repack(storage: StorageWithKernels, raw: GPUBuffer, shard: Shard, chunk: Parameters<typeof repackChunk>[1]): Promise<void> {
    const { device, pipelines } = this.#target;
    const pipeline = await pipelines.get(repackVariant(storage, placeOf(shard.packed)));
    const { params, grid } = repackChunk(storage, chunk);
    const uniform = device.createBuffer({ label: 'repack', size: params.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(uniform, 0, params);
    const group = pipelines.bind(pipeline, [wholeBuffer(raw), shard.packed, ...this.#grid(storage), wholeBuffer(uniform)]);
    const encoder = device.createCommandEncoder({ label: 'repack' });
    const pass = encoder.beginComputePass({ label: 'repack' });
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...grid);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await waitFor(device.queue.onSubmittedWorkDone());
    uniform.destroy();
  }

  readonly #grids = new Map<StorageWithKernels, GPUBuffer>();
  /** The grid of a storage that has one. */
  #grid(storage: StorageWithKernels): Slice[] {
    const found = this.#grids.get(storage);
    if (found !== undefined) return [wholeBuffer(found)];
    const words = gridWords(storage);
    if (words === undefined) return [];
    const { device, memory } = this.#target;
    const buffer = memory.create('staging', 'grid', words.byteLength, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    device.queue.writeBuffer(buffer, 0, words);
    this.#grids.set(storage, buffer);
    return [wholeBuffer(buffer)];
  }

  /** One staging buffer, grown when a row is larger than the chunk. */
  #stagingOf(size: number): GPUBuffer {
    const { memory } = this.#target;
    if (this.#staging !== undefined && this.#staging.size >= size) return this.#staging;
    if (this.#staging !== undefined) memory.release('staging', this.#staging);
    this.#staging = memory.create('staging', 'file rows', Math.max(size, chunkSize + 64), GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    return this.#staging;
  }

  #advance(size: number): void {
    this.#done += size;
    this.#target.onProgress?.({ done: Math.min(this.#done, this.#total), total: this.#total });
  }
}

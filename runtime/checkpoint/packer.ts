/**
 * Owns the way of rows from a file to packed shards on the device: chunks of rows through one staging buffer, repacked there. Refuses to
 * hold more than one chunk on the host, and to know which tensors make up a matrix.
 */
import { type Place, placeOf, type Slice } from '../../kernels/kernel.ts';
import type { PipelineCache } from '../../kernels/pipeline.ts';
import { gridWords, type RawLayout, repackChunk, repackVariant } from '../../kernels/repack.ts';
import { packedExtent, packedSize, quadRows, rowTile, type Shard, type StorageWithKernels } from '../../kernels/weights.ts';
import { type DeviceMemory, wholeBuffer } from '../memory.ts';
import { waitFor } from '../waiting.ts';
import { chunkSizeOf, readChunk, type StoredMatrix } from './strips.ts';

/** Bytes of the host's chunk. */
const chunkSize = 8 * 2 ** 20;

export interface PackerTarget {
  readonly device: GPUDevice;
  readonly memory: DeviceMemory;
  readonly pipelines: PipelineCache;
  readonly place: Place;
  /** Largest storage binding, in bytes. */
  readonly bindingLimit: number;
  /** Largest width and height of a texture. */
  readonly textureLimit: number;
}

/** Which rows of a stored matrix go where in a packed one. */
export interface Placement {
  readonly firstRow: number;
  /** From one of the rows to the next. */
  readonly rowStep: number;
  readonly rows: number;
  /** Place of the first quad of rows, and from one to the next. */
  readonly firstQuad: number;
  readonly quadStep: number;
}

/** Rows of a file that are on the device for now. */
interface Chunk {
  readonly raw: GPUBuffer;
  readonly row: number;
  readonly count: number;
  readonly layout: RawLayout;
}

export class Packer {
  readonly #target: PackerTarget;
  readonly #onPacked: (size: number) => void;
  readonly #grids = new Map<StorageWithKernels, GPUBuffer>();
  #staging: GPUBuffer | undefined;

  /** `onPacked`: told bytes on the device. */
  constructor(target: PackerTarget, onPacked: (size: number) => void) {
    this.#target = target;
    this.#onPacked = onPacked;
  }

  /**
   * As few shards as the limits of bindings or textures allow, cut at multiples of `unitRows` rows; undefined where not even one unit fits.
   * They are textures where the device's place is one and the matrix is not too wide for it.
   */
  createShards(label: string, storage: StorageWithKernels, rows: number, columns: number, unitRows: number = rowTile): Shard[] | undefined {
    const { memory, bindingLimit, textureLimit, place } = this.#target;
    const tile = packedExtent(storage, rowTile, columns);
    const fits = place === 'texture' && tile.width <= textureLimit;
    const mostTiles = Math.floor(fits ? textureLimit / tile.height : bindingLimit / (tile.height * tile.width * 16));
    const mostRows = Math.floor((Math.max(1, mostTiles) * rowTile) / unitRows) * unitRows;
    if (mostRows === 0) return undefined;
    const shards: Shard[] = [];
    for (let firstRow = 0; firstRow < rows; firstRow += mostRows) {
      const own = Math.min(mostRows, rows - firstRow);
      const { width, height } = packedExtent(storage, own, columns);
      shards.push({ firstRow, rows: own, packed: memory.createVectors('weights', label, fits ? 'texture' : 'buffer', width, height, 'rgba32uint') });
    }
    return shards;
  }

  /** Reads all rows of a matrix once, and packs them where they belong. */
  async pack(stored: StoredMatrix, placements: readonly Placement[], shards: readonly Shard[]): Promise<void> {
    const { rows, columns, storage } = stored;
    // So that rows that take turns begin quads of their own.
    const step = stored.rowStep * Math.max(...placements.map(({ rowStep }) => rowStep));
    const most = Math.max(1, Math.floor(chunkSize / chunkSizeOf(stored, 0, step))) * step;
    for (let row = 0; row < rows; row += most) {
      const count = Math.min(most, rows - row);
      const { bytes, layout } = readChunk(stored, row, count);
      const raw = this.#stagingOf(bytes.byteLength);
      this.#target.device.queue.writeBuffer(raw, 0, bytes);
      for (const placement of placements) await this.#packChunk(stored, { raw, row, count, layout }, placement, shards);
      this.#onPacked(packedSize(storage, count, columns));
    }
  }

  release(): void {
    for (const buffer of [this.#staging, ...this.#grids.values()]) if (buffer !== undefined) this.#target.memory.release('staging', buffer);
  }

  /** What the chunk has of the placement's rows. */
  async #packChunk({ storage, columns }: StoredMatrix, { raw, row, count, layout }: Chunk, placement: Placement, shards: readonly Shard[]): Promise<void> {
    const { firstRow, rowStep, firstQuad, quadStep } = placement;
    const end = Math.min(placement.rows, Math.ceil((row + count - firstRow) / rowStep));
    // It may end in another shard than it begins in.
    for (let at = Math.max(0, Math.ceil((row - firstRow) / rowStep)); at < end; ) {
      const quad = firstQuad + (at / quadRows) * quadStep;
      const shard = shards.find((candidate) => quad * quadRows < candidate.firstRow + candidate.rows);
      if (shard === undefined) throw new Error('rows past the last shard');
      const inShard = quad - shard.firstRow / quadRows;
      const quadsLeft = Math.ceil((Math.ceil(shard.rows / quadRows) - inShard) / quadStep);
      const rows = Math.min(end - at, quadsLeft * quadRows);
      const from = { firstRow: firstRow + at * rowStep - row, rowStep, layout };
      await this.#repack(storage, raw, shard, { columns, shardRows: shard.rows, rows, firstQuad: inShard, quadStep, ...from });
      at += rows;
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
}

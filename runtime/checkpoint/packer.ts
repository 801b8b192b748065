/**
 * Owns the way of rows from a file to packed shards on the device: as many rows at a time as the stage has room for, repacked on the device.
 * Refuses to know which tensors make up a matrix.
 */
import { type Place, placeOf, type Slice } from '../../kernels/kernel.ts';
import { gridWords, type RawLayout, repackChunk, repackVariant } from '../../kernels/repack.ts';
import { packedExtent, packedSize, quadRows, rowTile, type Shard, type StorageWithKernels } from '../../kernels/weights.ts';
import { wholeBuffer } from '../memory.ts';
import { Stage, type StageTarget } from './stage.ts';
import { rawSizeOf, readChunk, type StoredMatrix } from './strips.ts';

export interface PackerTarget extends StageTarget {
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

/** Rows of a file on their way. */
interface Chunk {
  readonly row: number;
  readonly count: number;
  readonly layout: RawLayout;
}

export class Packer {
  readonly #target: PackerTarget;
  readonly #onPacked: (size: number) => void;
  readonly #grids = new Map<StorageWithKernels, GPUBuffer>();
  #stage: Stage | undefined;

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

  /** Reads all rows of a matrix once, and packs them where they belong. On the device they are after `finish`. */
  async pack(stored: StoredMatrix, placements: readonly Placement[], shards: readonly Shard[]): Promise<void> {
    const { rows, columns, storage } = stored;
    this.#stage ??= await Stage.create(this.#target);
    const stage = this.#stage;
    // So that rows that take turns begin quads of their own.
    const step = stored.rowStep * Math.max(...placements.map(({ rowStep }) => rowStep));
    for (let row = 0; row < rows; ) {
      const least = Math.min(step, rows - row);
      if (stage.room < rawSizeOf(stored, row, least)) await stage.turn();
      const count = Math.max(least, countFitting(stored, row, step, stage.room));
      const { bytes, offset } = await stage.take(rawSizeOf(stored, row, count));
      const layout = readChunk(stored, row, count, bytes, offset);
      for (const placement of placements) await this.#packChunk(stored, { row, count, layout }, placement, shards);
      this.#onPacked(packedSize(storage, count, columns));
      row += count;
    }
  }

  /** Everything is on its way: what is submitted next finds it there. */
  async flush(): Promise<void> {
    await this.#stage?.turn();
  }

  /** Resolves when all of it is on the device. */
  async finish(): Promise<void> {
    await this.#stage?.finish();
    for (const buffer of this.#grids.values()) this.#target.memory.release(this.#target.stageOwner ?? 'staging', buffer);
  }

  /** What the chunk has of the placement's rows. */
  async #packChunk({ storage, columns }: StoredMatrix, { row, count, layout }: Chunk, placement: Placement, shards: readonly Shard[]): Promise<void> {
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
      await this.#repack(storage, shard, { columns, shardRows: shard.rows, rows, firstQuad: inShard, quadStep, ...from });
      at += rows;
    }
  }

  async #repack(storage: StorageWithKernels, shard: Shard, chunk: Parameters<typeof repackChunk>[1]): Promise<void> {
    const pipeline = await this.#target.pipelines.get(repackVariant(storage, placeOf(shard.packed)));
    this.#stage?.add({ pipeline, resources: [shard.packed, ...this.#grid(storage)], ...repackChunk(storage, chunk) });
  }

  /** The grid of a storage that has one. */
  #grid(storage: StorageWithKernels): Slice[] {
    const found = this.#grids.get(storage);
    if (found !== undefined) return [wholeBuffer(found)];
    const words = gridWords(storage);
    if (words === undefined) return [];
    const { device, memory } = this.#target;
    const buffer = memory.create(this.#target.stageOwner ?? 'staging', 'grid', words.byteLength, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    device.queue.writeBuffer(buffer, 0, words);
    this.#grids.set(storage, buffer);
    return [wholeBuffer(buffer)];
  }
}

/** Rows from `row` on, in whole steps, that there is room for. */
function countFitting(stored: StoredMatrix, row: number, step: number, room: number): number {
  const left = stored.rows - row;
  let count = Math.min(left, Math.floor(room / rawSizeOf(stored, row, Math.min(step, left))) * step);
  // What they share may be more for all than for each.
  while (count > step && rawSizeOf(stored, row, count) > room) count = (Math.ceil(count / step) - 1) * step;
  return count;
}

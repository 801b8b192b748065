/**
 * Owns the proof that nothing is left behind: reads KV blocks and scratch back and counts the words that are not zero. For tests and
 * for whoever doubts; slow, and takes a read-back buffer for as long as it lasts. Refuses to give any of what it reads.
 */
import type { Pool } from '../models/index.ts';
import type { DeviceMemory } from './memory.ts';
import { scratchOwners } from './scrub.ts';
import type { BlockId, ZeroReport } from './types.ts';
import { waitFor } from './waiting.ts';

/** KV pools of all layers, and how blocks lie in them. */
export interface Pools {
  readonly layers: readonly Pool[];
  readonly blockCount: number;
  readonly blockLength: number;
}

/** Is given the words [start, end) of a row. */
type Visit = (words: Uint32Array, start: number, end: number, row: number) => void;

/** Bytes that are read at a time, unless a row is longer. */
const chunkSize = 2 ** 22;

/** No step may run meanwhile. */
export async function countResidue(device: GPUDevice, memory: DeviceMemory, pools: Pools, freeBlocks: readonly BlockId[]): Promise<ZeroReport> {
  const report = { kv: 0, activations: 0, logits: 0, staging: 0, batch: 0, words: 0 };
  const count = (owner: keyof ZeroReport, words: Uint32Array, start: number, end: number): void => {
    report.words += end - start;
    for (let i = start; i < end; i++) if (words[i] !== 0) report[owner]++;
  };
  const free = new Set<number>(freeBlocks);
  for (const { vectors, fold } of pools.layers) {
    const made = 'texture' in vectors ? vectors.texture : vectors.buffer;
    const rowSize = 'width' in made ? made.width * 16 : made.size / (pools.blockCount * pools.blockLength);
    const slotLength = rowSize / 4 / fold;
    await eachRow(device, memory, made, rowSize, (words, start, _end, row) => {
      for (let i = 0; i < fold; i++) {
        const block = Math.floor((row * fold + i) / pools.blockLength);
        if (free.has(block)) count('kv', words, start + i * slotLength, start + (i + 1) * slotLength);
      }
    });
  }
  for (const owner of scratchOwners) {
    for (const made of memory.madeFor(owner)) {
      await eachRow(device, memory, made, 'width' in made ? made.width * 16 : 16, (words, start, end) => count(owner, words, start, end));
    }
  }
  return report;
}

async function eachRow(device: GPUDevice, memory: DeviceMemory, made: GPUBuffer | GPUTexture, rowSize: number, visit: Visit): Promise<void> {
  // Rows of a copy from a texture are multiples of 256 bytes.
  const pitch = 'width' in made ? Math.ceil(rowSize / 256) * 256 : rowSize;
  const rows = 'width' in made ? made.height : made.size / rowSize;
  const visitRows = (words: Uint32Array, first: number, count: number): void => {
    for (let i = 0; i < count; i++) visit(words, (i * pitch) / 4, (i * pitch + rowSize) / 4, first + i);
  };
  if ('size' in made && (made.usage & GPUBufferUsage.MAP_READ) !== 0) return readMapped(made, (words) => visitRows(words, 0, rows));
  const most = Math.max(1, Math.floor(chunkSize / pitch));
  const staging = memory.create('constants', 'residue', Math.min(most, rows) * pitch, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  try {
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      const encoder = device.createCommandEncoder();
      if ('width' in made) {
        const source = { texture: made, origin: [0, first] };
        encoder.copyTextureToBuffer(source, { buffer: staging, bytesPerRow: pitch }, { width: made.width, height: count });
      } else encoder.copyBufferToBuffer(made, first * pitch, staging, 0, count * pitch);
      device.queue.submit([encoder.finish()]);
      await readMapped(staging, (words) => visitRows(words, first, count));
    }
  } finally {
    memory.release('constants', staging);
  }
}

async function readMapped(buffer: GPUBuffer, read: (words: Uint32Array) => void): Promise<void> {
  await waitFor(buffer.mapAsync(GPUMapMode.READ));
  read(new Uint32Array(buffer.getMappedRange()));
  buffer.unmap();
}

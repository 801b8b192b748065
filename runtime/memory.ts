/**
 * Owns device buffers and textures: every one has an owner, is counted, and is refused before the device would fail.
 * Refuses to know what is in them.
 */
import type { Place, Plane, Slice, TexelFormat, Vectors } from '../kernels/kernel.ts';
import { formatBytes, InwardError } from './errors.ts';

/** Who a buffer belongs to; the names that stats and errors show. */
export type MemoryOwner = 'weights' | 'constants' | 'kv' | 'activations' | 'logits' | 'staging' | 'batch' | 'uploads';

export class DeviceMemory implements Disposable {
  readonly #device: GPUDevice;
  readonly #limit: number;
  readonly #used = new Map<MemoryOwner, number>();
  readonly #made = new Map<GPUBuffer | GPUTexture, MemoryOwner>();

  /** `limit`: bytes that may be taken in all; Infinity where the device does not say. */
  constructor(device: GPUDevice, limit: number) {
    this.#device = device;
    this.#limit = limit;
  }

  /** Throws out_of_memory when the buffer would pass the limit or the device's largest buffer. */
  create(owner: MemoryOwner, label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const padded = Math.max(16, Math.ceil(size / 16) * 16);
    this.#take(owner, padded);
    const buffer = this.#device.createBuffer({ label, size: padded, usage });
    this.#made.set(buffer, owner);
    return buffer;
  }

  /** Like `create`, as a texture of `rows` times `width` vectors of 16 bytes that kernels read and write; it may be no wider or higher than the device allows. */
  createPlane(owner: MemoryOwner, label: string, width: number, rows: number, format: TexelFormat): Plane {
    const side = this.#device.limits.maxTextureDimension2D;
    if (width > side || rows > side)
      throw new InwardError('out_of_memory', { owner: ownerNames[owner], needed: `${width} x ${rows} vectors`, free: `${side} x ${side}` });
    this.#take(owner, width * rows * 16);
    const usage = 0x08 | 0x01 | 0x02; // STORAGE_BINDING | COPY_SRC | COPY_DST
    const texture = this.#device.createTexture({ label, size: [width, rows], format, usage });
    this.#made.set(texture, owner);
    return { texture, view: texture.createView() };
  }

  /** `rows` times `width` vectors of 16 bytes in a buffer or a texture. */
  createVectors(owner: MemoryOwner, label: string, place: Place, width: number, rows: number, format: TexelFormat = 'rgba32float'): Vectors {
    if (place === 'texture') return this.createPlane(owner, label, width, rows, format);
    return wholeBuffer(this.create(owner, label, width * rows * 16, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST));
  }

  #take(owner: MemoryOwner, size: number): void {
    this.reserve(owner, size);
    this.#used.set(owner, (this.#used.get(owner) ?? 0) + size);
  }

  /** Throws out_of_memory when `size` more bytes do not fit beside what is taken and the `promised` bytes of others. */
  reserve(owner: MemoryOwner, size: number, promised = 0): void {
    const free = this.#limit - this.total - promised;
    if (size > free) throw new InwardError('out_of_memory', { owner: ownerNames[owner], needed: formatBytes(size), free: formatBytes(Math.max(0, free)) });
  }

  get total(): number {
    let sum = 0;
    for (const size of this.#used.values()) sum += size;
    return sum;
  }

  usage(): Record<string, number> {
    return Object.fromEntries(this.#used);
  }

  /** What is alive of an owner, in the order in which it was made. */
  madeFor(owner: MemoryOwner): (GPUBuffer | GPUTexture)[] {
    return [...this.#made].filter(([, other]) => other === owner).map(([made]) => made);
  }

  release(owner: MemoryOwner, buffer: GPUBuffer): void {
    if (!this.#made.delete(buffer)) return;
    this.#used.set(owner, (this.#used.get(owner) ?? 0) - buffer.size);
    buffer.destroy();
  }

  [Symbol.dispose](): void {
    for (const made of this.#made.keys()) made.destroy();
    this.#made.clear();
    this.#used.clear();
  }
}

const ownerNames: Record<MemoryOwner, string> = {
  weights: 'The weights',
  constants: 'The tables of the model',
  kv: 'The KV cache',
  activations: 'The working memory of a step',
  logits: 'The logits',
  staging: 'The read-back buffers',
  batch: 'The batch of a step',
  uploads: 'The uploads of a step',
};

/** A whole buffer as a slice. */
export function wholeBuffer(buffer: GPUBuffer): Slice {
  return { buffer, offset: 0, size: buffer.size };
}

/** Writes rows of 16-byte vectors from the host. */
export function writeVectors(device: GPUDevice, vectors: Vectors, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
  if ('buffer' in vectors) device.queue.writeBuffer(vectors.buffer, vectors.offset, data);
  else {
    const { texture } = vectors;
    const { width } = texture;
    device.queue.writeTexture({ texture }, data, { bytesPerRow: width * 16 }, { width, height: data.byteLength / 16 / width });
  }
}

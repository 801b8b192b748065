/**
 * Owns device buffers: every one has an owner, is counted, and is refused before the device would fail.
 * Refuses to know what is in them.
 */
import type { Slice } from '../kernels/kernel.ts';
import { formatBytes, InwardError } from './errors.ts';

/** Who a buffer belongs to; the names that stats and errors show. */
export type MemoryOwner = 'weights' | 'kv' | 'activations' | 'logits' | 'staging';

export class DeviceMemory implements Disposable {
  readonly #device: GPUDevice;
  readonly #limit: number;
  readonly #used = new Map<MemoryOwner, number>();
  readonly #buffers: GPUBuffer[] = [];

  /** `limit`: bytes that may be taken in all; Infinity where the device does not say. */
  constructor(device: GPUDevice, limit: number) {
    this.#device = device;
    this.#limit = limit;
  }

  /** Throws out_of_memory when the buffer would pass the limit or the device's largest buffer. */
  create(owner: MemoryOwner, label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const padded = Math.max(16, Math.ceil(size / 16) * 16);
    this.reserve(owner, padded);
    const buffer = this.#device.createBuffer({ label, size: padded, usage });
    this.#used.set(owner, (this.#used.get(owner) ?? 0) + padded);
    this.#buffers.push(buffer);
    return buffer;
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

  release(owner: MemoryOwner, buffer: GPUBuffer): void {
    const index = this.#buffers.indexOf(buffer);
    if (index < 0) return;
    this.#buffers.splice(index, 1);
    this.#used.set(owner, (this.#used.get(owner) ?? 0) - buffer.size);
    buffer.destroy();
  }

  [Symbol.dispose](): void {
    for (const buffer of this.#buffers) buffer.destroy();
    this.#buffers.length = 0;
    this.#used.clear();
  }
}

const ownerNames: Record<MemoryOwner, string> = {
  weights: 'The weights',
  kv: 'The KV cache',
  activations: 'The working memory of a step',
  logits: 'The logits',
  staging: 'The read-back buffers',
};

/** A whole buffer as a slice. */
export function wholeBuffer(buffer: GPUBuffer): Slice {
  return { buffer, offset: 0, size: buffer.size };
}

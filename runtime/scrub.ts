/**
 * Owns the zeroing of scratch: all that steps write on the device beside the KV pools, whose blocks are zeroed by steps
 * (clear_blocks). Refuses to decide when; tables and weights, which hold nothing of a request, stay as they are.
 */
import type { DeviceMemory, MemoryOwner } from './memory.ts';
import type { ZeroReport } from './types.ts';

/** Whose buffers and textures are scratch. */
export const scratchOwners: readonly (MemoryOwner & keyof ZeroReport)[] = ['activations', 'logits', 'staging', 'batch'];

/** Bytes of zeros that one copy to a texture takes, if its rows are no longer. */
const chunkSize = 2 ** 18;

export class Scrubber {
  readonly #memory: DeviceMemory;
  #zeros: GPUBuffer | undefined;

  constructor(memory: DeviceMemory) {
    this.#memory = memory;
  }

  /** Read-back buffers may not be mapped when it runs. */
  encode(encoder: GPUCommandEncoder): void {
    for (const owner of scratchOwners) {
      for (const made of this.#memory.madeFor(owner)) {
        if ('width' in made) this.#encodeTexture(encoder, made);
        else encoder.clearBuffer(made);
      }
    }
  }

  #encodeTexture(encoder: GPUCommandEncoder, texture: GPUTexture): void {
    const { width, height } = texture;
    // Rows of a copy are multiples of 256 bytes.
    const bytesPerRow = Math.ceil((width * 16) / 256) * 256;
    const buffer = this.#zerosOf(bytesPerRow);
    const rows = Math.floor(buffer.size / bytesPerRow);
    for (let y = 0; y < height; y += rows) {
      encoder.copyBufferToTexture({ buffer, bytesPerRow }, { texture, origin: [0, y] }, { width, height: Math.min(rows, height - y) });
    }
  }

  /** A new buffer is zero, and nobody writes to this one. */
  #zerosOf(size: number): GPUBuffer {
    if (this.#zeros === undefined || this.#zeros.size < size) {
      if (this.#zeros !== undefined) this.#memory.release('constants', this.#zeros);
      this.#zeros = this.#memory.create('constants', 'zeros', Math.max(size, chunkSize), GPUBufferUsage.COPY_SRC);
    }
    return this.#zeros;
  }
}

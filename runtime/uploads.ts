/**
 * Owns the way of a step's words to the device: one buffer that the host writes where the device reads, zeroed as soon as the device has
 * copied it. Refuses Dawn's writeBuffer for what belongs to requests: that keeps a copy in memory that nobody can reach.
 */
import type { HandedRows } from '../models/index.ts';
import type { DeviceMemory } from './memory.ts';
import { pitchOf } from './outlets.ts';
import { waitFor } from './waiting.ts';

export class Uploads {
  readonly #device: GPUDevice;
  readonly #buffer: GPUBuffer;
  /** The buffer's memory, while the device does not have it. */
  #words: Uint32Array = new Uint32Array();
  /** Words in use. */
  #length = 0;
  #encoder: GPUCommandEncoder;

  private constructor(device: GPUDevice, buffer: GPUBuffer) {
    this.#device = device;
    this.#buffer = buffer;
    this.#encoder = device.createCommandEncoder();
  }

  /** Room for `size` bytes a step. Throws out_of_memory. */
  static async create(device: GPUDevice, memory: DeviceMemory, size: number): Promise<Uploads> {
    const uploads = new Uploads(device, memory.create('uploads', 'uploads', size, GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC));
    await waitFor(uploads.request());
    uploads.recycle();
    return uploads;
  }

  /** Words for a place of a buffer, in bytes. */
  add(words: Uint32Array, target: GPUBuffer, offset: number): void {
    this.#words.set(words, this.#length);
    this.#encoder.copyBufferToBuffer(this.#buffer, this.#length * 4, target, offset, words.byteLength);
    this.#length += words.length;
  }

  /** [token][width] for the rows that a stage before hands on. */
  addRows(rows: Float32Array, entry: HandedRows): void {
    const { vectors, width } = entry;
    const words = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
    if ('buffer' in vectors) {
      this.add(words, vectors.buffer, vectors.offset);
      return;
    }
    const tokens = rows.length / width;
    const bytesPerRow = pitchOf(entry);
    // A texel is four words.
    const start = Math.ceil(this.#length / 4) * 4;
    for (let token = 0; token < tokens; token++) {
      this.#words.set(words.subarray(token * width, (token + 1) * width), start + (token * bytesPerRow) / 4);
    }
    const source = { buffer: this.#buffer, offset: start * 4, bytesPerRow };
    this.#encoder.copyBufferToTexture(source, { texture: vectors.texture }, { width: width / 4, height: tokens });
    this.#length = start + (tokens * bytesPerRow) / 4;
  }

  /** Commands that copy what was added, to be submitted before those that read it. */
  finish(): GPUCommandBuffer {
    this.#buffer.unmap();
    return this.#encoder.finish();
  }

  /** Asks for the memory back, behind the submit; resolves when the device has done what was submitted. */
  request(): Promise<undefined> {
    return this.#buffer.mapAsync(GPUMapMode.WRITE) as Promise<undefined>;
  }

  /** Once it is back: zeroes what was added, and takes new words. */
  recycle(): void {
    this.#words = new Uint32Array(this.#buffer.getMappedRange());
    this.#words.fill(0, 0, this.#length);
    this.#length = 0;
    this.#encoder = this.#device.createCommandEncoder();
  }
}

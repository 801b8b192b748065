/** Owns what the set-ups of the kernel bench build on: one device, its memory for one case, and how numbers get there and back. */
import type { Operation, Slice, StepCounts, TexelFormat, Vectors } from '../../kernels/kernel.ts';
import { dispatch, PipelineCache, type PreparedOperation } from '../../kernels/pipeline.ts';
import { steadyFamily, type TileFacts, tileFacts } from '../../kernels/tiles.ts';
import type { OpenDevice } from '../../runtime/device.ts';
import { DeviceMemory, wholeBuffer, writeVectors } from '../../runtime/memory.ts';
import { prepareAlone } from '../kernels/prepare.ts';
import { relativeError } from '../kernels/serve.ts';

/** A case that is ready to run. */
export interface Prepared {
  readonly operations: readonly Operation[];
  readonly counts: StepCounts;
  /** After a run: normalised mean squared error of a sample of the results. */
  check(): Promise<number>;
}

/** Of a batch that is a header and, for embed, ids; kernels that may gather rows name their place, though these here do not gather. */
export const plainLayout: Readonly<Record<string, number>> = { BATCH_IDS: 4, BATCH_LOGIT_TOKENS: 4 };

export const noCounts: StepCounts = { tokens: 0, logitRows: 0, items: 0, clears: 0, copies: 0 };

export class Workbench {
  readonly open: OpenDevice;
  readonly pipelines: PipelineCache;
  /** Kernels of the family that the device takes, as the engine's are; on matrix units too, unless it is deterministic. */
  readonly facts: TileFacts;
  #memory: DeviceMemory;

  constructor(open: OpenDevice, isDeterministic = false) {
    this.open = open;
    this.facts = tileFacts({ ...open, family: steadyFamily(open.family, isDeterministic) });
    this.pipelines = new PipelineCache(open.device, open.pinsSubgroups);
    this.#memory = new DeviceMemory(open.device, open.memoryLimit);
  }

  get memory(): DeviceMemory {
    return this.#memory;
  }

  /** Frees what the case before has taken. */
  clear(): void {
    this.#memory[Symbol.dispose]();
    this.#memory = new DeviceMemory(this.open.device, this.open.memoryLimit);
  }

  /** Zeroed. */
  empty(size: number): Slice {
    return wholeBuffer(this.#memory.create('activations', 'bench', size, usage));
  }

  buffer(data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>): Slice {
    const slice = this.empty(data.byteLength);
    this.open.device.queue.writeBuffer(slice.buffer, 0, data);
    return slice;
  }

  uniform(data: Float32Array<ArrayBuffer>): Slice {
    const buffer = this.#memory.create('activations', 'bench', data.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    this.open.device.queue.writeBuffer(buffer, 0, data);
    return wholeBuffer(buffer);
  }

  /** Where the device reads fastest: `width` vectors of four numbers in each of `rows` rows; zeroed without data. */
  vectors(width: number, rows: number, data?: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, format: TexelFormat = 'rgba32float'): Vectors {
    const vectors = this.#memory.createVectors('activations', 'bench', this.open.place, width, rows, format);
    if (data !== undefined) writeVectors(this.open.device, vectors, data);
    return vectors;
  }

  prepare(operations: readonly Operation[]): Promise<PreparedOperation[]> {
    return Promise.all(operations.map((operation) => prepareAlone(this.open.device, this.#memory, this.pipelines, operation)));
  }

  /** Once, in a submit of its own, which later ones wait for. */
  async run(operations: readonly Operation[], counts: StepCounts): Promise<void> {
    const prepared = await this.prepare(operations);
    const encoder = this.open.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const each of prepared) dispatch(pass, each, counts);
    pass.end();
    this.open.device.queue.submit([encoder.finish()]);
  }

  /** The first `length` words, of the first row of a texture. */
  async readWords(vectors: Vectors, length: number): Promise<Uint32Array<ArrayBuffer>> {
    const { device } = this.open;
    const size = Math.ceil((length * 4) / 256) * 256;
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    if ('buffer' in vectors) encoder.copyBufferToBuffer(vectors.buffer, vectors.offset, staging, 0, Math.min(size, vectors.size));
    else encoder.copyTextureToBuffer({ texture: vectors.texture }, { buffer: staging, bytesPerRow: size }, { width: length / 4, height: 1 });
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const words = new Uint32Array(staging.getMappedRange().slice(0)).subarray(0, length);
    staging.destroy();
    return words;
  }

  /** The same as numbers. */
  async read(vectors: Vectors, length: number): Promise<Float32Array> {
    const words = await this.readWords(vectors, length);
    return new Float32Array(words.buffer, words.byteOffset, words.length);
  }
}

const usage = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST

/** Normalised mean squared error. */
export function distance(got: ArrayLike<number>, expected: Float64Array): number {
  return relativeError(got, expected) ** 2;
}

/**
 * Owns what every GPU test shares: one device a process, buffers with sentinel words behind them, error scopes
 * around every run, one comparer that names the worst element. Refuses to skip silently.
 */
import type { Operation, Place, Slice, StepCounts, Vectors } from '../kernels/kernel.ts';
import type { MatrixUnit } from '../kernels/matrix_unit.ts';
import { PipelineCache } from '../kernels/pipeline.ts';
import { type DevicePretence, type OpenDevice, openDevice } from '../runtime/device.ts';
import { findDrivers } from '../runtime/drivers.ts';
import { DeviceMemory, writeVectors } from '../runtime/memory.ts';
import { type DeviceName, deviceNames } from '../runtime/types.ts';

/** Which device the GPU tests run on: INWARD_TEST_DEVICE, else the best one. */
export function testDevice(): DeviceName | 'auto' {
  const name = process.env['INWARD_TEST_DEVICE'];
  return deviceNames.find((known) => known === name) ?? 'auto';
}

export function lacksSwiftshader(): boolean {
  return !findDrivers().some(({ name }) => name === 'swiftshader');
}

/** What the device multiplies matrices with: whether it has f16, and its own units. */
export async function findUnits(): Promise<{ readonly hasF16: boolean; readonly own: readonly MatrixUnit[] }> {
  using open = await openDevice(testDevice(), { extras: ['shader-f16'] });
  return { hasF16: open.device.features.has('shader-f16'), own: [open.matrixUnit, open.int8Unit].filter((unit) => unit !== undefined) };
}

const sentinel = 0x5eed5eed;
const sentinelLength = 16;

export class Gpu {
  readonly open: OpenDevice;
  readonly pipelines: PipelineCache;
  readonly memory: DeviceMemory;

  private constructor(open: OpenDevice) {
    this.open = open;
    this.pipelines = new PipelineCache(open.device, open.pinsSubgroups);
    this.memory = new DeviceMemory(open.device, Number.POSITIVE_INFINITY);
  }

  static async create(device: DeviceName | 'auto' = testDevice(), pretence: DevicePretence = {}): Promise<Gpu> {
    return new Gpu(await openDevice(device, pretence));
  }

  get lanes(): number {
    return this.open.subgroupSize;
  }

  /** A storage buffer with this content and sentinel words behind the slice. */
  buffer(data: ArrayBufferView): Slice {
    const words = Math.ceil(data.byteLength / 4);
    const buffer = this.memory.create(
      // What a runner does not zero between requests.
      'weights',
      'test',
      (words + sentinelLength) * 4,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    );
    const all = new Uint32Array(words + sentinelLength).fill(sentinel);
    new Uint8Array(all.buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.open.device.queue.writeBuffer(buffer, 0, all);
    return { buffer, offset: 0, size: words * 4 };
  }

  /** Bytes of a slice made by `buffer`; throws when a word behind it was touched. */
  async read(slice: Slice): Promise<ArrayBuffer> {
    const { device } = this.open;
    const size = slice.size + sentinelLength * 4;
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(slice.buffer, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange().slice(0);
    staging.destroy();
    if (new Uint32Array(bytes, slice.size).some((word) => word !== sentinel)) throw new Error('words behind the buffer were written');
    return bytes.slice(0, slice.size);
  }

  /** Rows of `width` numbers. In a buffer, sentinel words stand behind them; a texture has nothing behind it. */
  vectors(data: Float32Array<ArrayBuffer>, width: number, place: Place): Vectors {
    if (place === 'buffer') return this.buffer(data);
    const plane = this.memory.createPlane('activations', 'test', width / 4, data.length / width, 'rgba32float');
    writeVectors(this.open.device, plane, data);
    return plane;
  }

  /** A KV pool: slots of `slotVectors` vectors of 16 bytes, in a texture `fold` of them side by side. */
  pool(data: Float16Array<ArrayBuffer> | Float32Array<ArrayBuffer>, slotVectors: number, fold: number, place: Place): Vectors {
    if (place === 'buffer') return this.buffer(data);
    const rows = Math.ceil(data.byteLength / 16 / slotVectors / fold);
    const plane = this.memory.createPlane('kv', 'test', slotVectors * fold, rows, 'rgba32uint');
    const words = new Uint32Array(slotVectors * fold * rows * 4);
    words.set(new Uint32Array(data.buffer));
    writeVectors(this.open.device, plane, words);
    return plane;
  }

  /** A uniform buffer. */
  uniform(data: Float32Array<ArrayBuffer>): Slice {
    const buffer = this.memory.create('weights', 'test', data.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    this.open.device.queue.writeBuffer(buffer, 0, data);
    return { buffer, offset: 0, size: data.byteLength };
  }

  async readVectors(vectors: Vectors): Promise<Float32Array> {
    return new Float32Array(await this.readBytes(vectors));
  }

  async readBytes(vectors: Vectors): Promise<ArrayBuffer> {
    if ('buffer' in vectors) return this.read(vectors);
    const { texture } = vectors;
    const { width, height } = texture;
    // Rows of a copy are multiples of 256 bytes.
    const bytesPerRow = Math.ceil((width * 16) / 256) * 256;
    const staging = this.open.device.createBuffer({ size: bytesPerRow * height, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.open.device.createCommandEncoder();
    encoder.copyTextureToBuffer({ texture }, { buffer: staging, bytesPerRow }, { width, height });
    this.open.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const all = new Uint8Array(staging.getMappedRange().slice(0));
    staging.destroy();
    const bytes = new Uint8Array(width * 16 * height);
    for (let row = 0; row < height; row++) bytes.set(all.subarray(row * bytesPerRow, row * bytesPerRow + width * 16), row * width * 16);
    return bytes.buffer;
  }

  async readFloats(slice: Slice): Promise<Float32Array> {
    return new Float32Array(await this.read(slice));
  }

  async readWords(slice: Slice): Promise<Uint32Array> {
    return new Uint32Array(await this.read(slice));
  }

  /** Runs operations in one pass; `variant` forces one instead of the one the counts choose. Any device error is thrown. */
  async run(operations: readonly Operation[], counts: StepCounts, variant?: number): Promise<void> {
    const { device } = this.open;
    for (const filter of ['validation', 'out-of-memory', 'internal'] as const) device.pushErrorScope(filter);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const operation of operations) {
      const chosen = variant ?? operation.choose(counts);
      const source = operation.variants[chosen];
      if (source === undefined) throw new Error(`no variant ${chosen}`);
      const pipeline = await this.pipelines.get(source);
      const uniform = operation.params === undefined ? [] : [this.#uniform(operation.params)];
      if (operation.gridX(counts, chosen) === 0) continue;
      pass.setPipeline(pipeline.pipeline);
      pass.setBindGroup(0, this.pipelines.bind(pipeline, [...operation.resources, ...uniform]));
      pass.dispatchWorkgroups(operation.gridX(counts, chosen), operation.gridY(counts, chosen));
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    for (let i = 0; i < 3; i++) {
      const error = await device.popErrorScope();
      if (error !== null) throw new Error(error.message);
    }
  }

  #uniform(params: Uint32Array): Slice {
    const buffer = this.memory.create('constants', 'params', params.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    this.open.device.queue.writeBuffer(buffer, 0, params);
    return { buffer, offset: 0, size: params.byteLength };
  }
}

/** Rows one after the other. */
export function joined(rows: readonly ArrayLike<number>[]): Float32Array<ArrayBuffer> {
  return Float32Array.from(rows.flatMap((row) => Array.from(row)));
}

/** Normalised mean squared error; the message names the worst element. */
export function compare(got: ArrayLike<number>, expected: ArrayLike<number>): { error: number; message: string } {
  let squares = 0;
  let scale = 0;
  let worst = 0;
  let worstIndex = -1;
  if (got.length !== expected.length) return { error: Number.POSITIVE_INFINITY, message: `${got.length} elements instead of ${expected.length}` };
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((got[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    if (!(difference <= worst)) {
      worst = difference;
      worstIndex = i;
    }
    squares += difference ** 2;
    scale += (expected[i] ?? 0) ** 2;
  }
  const error = squares / Math.max(scale, Number.MIN_VALUE);
  return {
    error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error,
    message: `worst at ${worstIndex}: got ${got[worstIndex]}, expected ${expected[worstIndex]}; NMSE ${error}`,
  };
}

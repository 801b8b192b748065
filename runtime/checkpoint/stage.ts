/**
 * Owns the memory through which rows of files reach the device: buffers that the host writes and that take turns, so that one is filled
 * while the device works on what the others held. Refuses to hold more on the host, and to know what rows mean.
 */
import type { Vectors } from '../../kernels/kernel.ts';
import type { Pipeline, PipelineCache } from '../../kernels/pipeline.ts';
import { type DeviceMemory, type MemoryOwner, wholeBuffer } from '../memory.ts';
import { longPause, waitFor } from '../waiting.ts';

/** Bytes of files that the host holds, of two halves together. */
export const chunkSize: number = 16 * 2 ** 20;
/** Halves of a stage through which experts go: so much can be read ahead of a device that works on something else. */
export const expertHalves = 8;
/** Bytes on the device that such a stage takes: its halves, and what kernels read one from. */
export const expertStageSize: number = ((expertHalves + 1) * chunkSize) / 2;
/** From the uniform of one run to the next: as WebGPU aligns them. */
const uniformStep = 256;

/** A run of a kernel whose first resource is what was taken, and the last its uniform. */
export interface StageRun {
  readonly pipeline: Pipeline;
  readonly resources: readonly Vectors[];
  readonly params: Uint32Array;
  readonly grid: readonly [number, number];
}

export interface StageTarget {
  readonly device: GPUDevice;
  readonly memory: DeviceMemory;
  readonly pipelines: PipelineCache;
  /** Who its buffers belong to; default `staging`, for a stage that is gone before a step runs. */
  readonly stageOwner?: MemoryOwner;
  /** Default 2. */
  readonly halves?: number;
}

export class Stage {
  readonly #target: StageTarget;
  /** The one that is filled comes first. */
  readonly #halves: Half[];
  /** What that holds, where kernels read it. */
  #raw: GPUBuffer;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array();
  #used = 0;
  #runs: StageRun[] = [];

  private constructor(target: StageTarget) {
    this.#target = target;
    this.#halves = Array.from({ length: target.halves ?? 2 }, () => new Half(this.#create(chunkSize / 2, GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC)));
    this.#raw = this.#create(chunkSize / 2, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
  }

  /** Throws out_of_memory. */
  static async create(target: StageTarget): Promise<Stage> {
    const stage = new Stage(target);
    await stage.#open();
    return stage;
  }

  get #owner(): MemoryOwner {
    return this.#target.stageOwner ?? 'staging';
  }

  /** Bytes that can be taken before the halves change places. */
  get room(): number {
    return this.#bytes.length - this.#used;
  }

  /** The memory to fill, and from where on `size` bytes of it, whole words, are free; they hold anything. Throws out_of_memory where a half has not so many. */
  async take(size: number): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly offset: number }> {
    if (size > this.room) await this.turn();
    if (size > this.room) await this.#grow(size);
    const offset = this.#used;
    this.#used += size;
    return { bytes: this.#bytes, offset };
  }

  /** To be done once the half is on the device. */
  add(run: StageRun): void {
    this.#runs.push(run);
  }

  /** Gives what was taken to the device, and goes on with the next half as soon as the device has done with that; an empty half stays. */
  async turn(): Promise<void> {
    if (this.#runs.length === 0) return;
    this.#submit();
    this.#halves.push(...this.#halves.splice(0, 1));
    await this.#open();
  }

  /** Resolves when the device has done all of it; nothing may be taken any more. */
  async finish(): Promise<void> {
    this.#submit();
    await waitFor(this.#target.device.queue.onSubmittedWorkDone(), longPause);
    for (const buffer of [...this.#halves.map((half) => half.buffer), this.#raw]) this.#target.memory.release(this.#owner, buffer);
  }

  async #open(): Promise<void> {
    this.#bytes = (await this.#halves[0]?.open()) ?? this.#bytes;
    this.#used = 0;
  }

  /** For a step of rows that is larger than a half. */
  async #grow(size: number): Promise<void> {
    const { memory } = this.#target;
    if (this.#halves[0] !== undefined) memory.release(this.#owner, this.#halves[0].buffer);
    this.#halves[0] = new Half(this.#create(size, GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC));
    if (this.#raw.size < size) {
      // What was submitted may read it to its end.
      memory.release(this.#owner, this.#raw);
      this.#raw = this.#create(size, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
    }
    await this.#open();
  }

  #create(size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    return this.#target.memory.create(this.#owner, 'file rows', size, usage);
  }

  #submit(): void {
    const { device } = this.#target;
    const [half] = this.#halves;
    if (half === undefined || this.#runs.length === 0) return;
    half.buffer.unmap();
    const uniforms = this.#writeUniforms();
    const encoder = device.createCommandEncoder({ label: 'repack' });
    encoder.copyBufferToBuffer(half.buffer, 0, this.#raw, 0, this.#used);
    const pass = encoder.beginComputePass({ label: 'repack' });
    for (const [i, { pipeline, resources, params, grid }] of this.#runs.entries()) {
      const uniform = { buffer: uniforms, offset: i * uniformStep, size: params.byteLength };
      pass.setPipeline(pipeline.pipeline);
      pass.setBindGroup(0, this.#target.pipelines.bind(pipeline, [wholeBuffer(this.#raw), ...resources, uniform]));
      pass.dispatchWorkgroups(...grid);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
    uniforms.destroy();
    this.#runs = [];
    half.request();
  }

  #writeUniforms(): GPUBuffer {
    const { device } = this.#target;
    const words = new Uint32Array((this.#runs.length * uniformStep) / 4);
    for (const [i, { params }] of this.#runs.entries()) words.set(params, (i * uniformStep) / 4);
    const uniforms = device.createBuffer({ label: 'repack', size: words.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(uniforms, 0, words);
    return uniforms;
  }
}

/** A buffer that the host writes while the device does not read it. */
class Half {
  readonly buffer: GPUBuffer;
  #mapped: Promise<undefined>;

  constructor(buffer: GPUBuffer) {
    this.buffer = buffer;
    this.#mapped = this.request();
  }

  /** Asks for it back, behind what was submitted. */
  request(): Promise<undefined> {
    this.#mapped = this.buffer.mapAsync(GPUMapMode.WRITE) as Promise<undefined>;
    // Whoever opens it hears of a failure.
    this.#mapped.catch(() => undefined);
    return this.#mapped;
  }

  async open(): Promise<Uint8Array<ArrayBuffer>> {
    await waitFor(this.#mapped, longPause);
    return new Uint8Array(this.buffer.getMappedRange());
  }
}

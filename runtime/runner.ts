/**
 * Owns the way of a batch through the device: one upload, one command buffer, one result row a logit row back. The only place that
 * submits a step to the queue. Refuses to decide what a batch holds.
 */
import type { Operation, Slice } from '../kernels/kernel.ts';
import { dispatch, type PipelineCache, type PreparedOperation } from '../kernels/pipeline.ts';
import type { Graph } from '../models/index.ts';
import type { Batch } from './batch.ts';
import type { DeviceMemory } from './memory.ts';
import { StepResults } from './results.ts';
import { waitFor } from './waiting.ts';

export class Runner {
  readonly #device: GPUDevice;
  readonly #batchBuffer: GPUBuffer;
  readonly #rows: Slice;
  readonly #logits: Slice;
  readonly #rowStaging: GPUBuffer;
  readonly #logitStaging: () => GPUBuffer;
  readonly #clears: readonly PreparedOperation[];
  readonly #steps: readonly PreparedOperation[];
  readonly #results: StepResults;
  #dispatches = 0;

  private constructor(
    device: GPUDevice,
    memory: DeviceMemory,
    batchBuffer: GPUBuffer,
    graph: Graph,
    clears: readonly PreparedOperation[],
    steps: readonly PreparedOperation[],
  ) {
    const { rows, logits, vocabulary } = graph.results;
    this.#device = device;
    this.#batchBuffer = batchBuffer;
    this.#rows = rows;
    this.#logits = logits;
    this.#clears = clears;
    this.#steps = steps;
    this.#rowStaging = memory.create('staging', 'results', rows.size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    let logitStaging: GPUBuffer | undefined;
    this.#logitStaging = () => {
      logitStaging ??= memory.create('staging', 'logits', logits.size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
      return logitStaging;
    };
    const { maxLogitRows } = graph.settings;
    this.#results = new StepResults(maxLogitRows, vocabulary, logits.size / 4 / maxLogitRows);
  }

  /** Compiles every variant that the graph can choose, and binds it. */
  static async create(
    device: GPUDevice,
    memory: DeviceMemory,
    pipelines: PipelineCache,
    batchBuffer: GPUBuffer,
    graph: Graph,
    onCompiled: (done: number, total: number) => void = () => undefined,
  ): Promise<Runner> {
    const compiling = new Set([...graph.clears, ...graph.operations].flatMap(({ variants }) => variants.map((variant) => pipelines.get(variant))));
    let done = 0;
    // A failure comes out of `prepare`, which waits for the same promises.
    for (const pipeline of compiling) void pipeline.then(() => onCompiled(++done, compiling.size)).catch(() => undefined);
    const uniforms = new UniformArena(device, memory, [...graph.clears, ...graph.operations]);
    const prepare = (operations: readonly Operation[]) => Promise.all(operations.map((operation) => pipelines.prepare(operation, uniforms.of(operation))));
    return new Runner(device, memory, batchBuffer, graph, await prepare(graph.clears), await prepare(graph.operations));
  }

  /** Dispatches of the last step. */
  get dispatchCount(): number {
    return this.#dispatches;
  }

  /** Runs one step. Resolves with a row for each logit row, valid until the next call; logits only with `batch.wantsLogits`. */
  async run(batch: Batch): Promise<StepResults> {
    this.#upload(batch);
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.#dispatches = 0;
    if (batch.counts.clears > 0) this.#encode(pass, this.#clears, batch);
    if (batch.counts.tokens > 0) this.#encode(pass, this.#steps, batch);
    pass.end();
    return this.#finish(batch, encoder);
  }

  /** The same with each dispatch in a submit of its own, and what it took in ms: for profiles, several times slower. */
  async runTimed(batch: Batch, onDispatch: (kernel: string, ms: number) => void): Promise<StepResults> {
    const { queue } = this.#device;
    this.#upload(batch);
    for (const operation of [...(batch.counts.clears > 0 ? this.#clears : []), ...(batch.counts.tokens > 0 ? this.#steps : [])]) {
      const encoder = this.#device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      const kernel = dispatch(pass, operation, batch.counts);
      pass.end();
      if (kernel === undefined) continue;
      const started = performance.now();
      queue.submit([encoder.finish()]);
      await queue.onSubmittedWorkDone();
      onDispatch(kernel, performance.now() - started);
    }
    return this.#finish(batch, this.#device.createCommandEncoder());
  }

  #upload(batch: Batch): void {
    this.#device.queue.writeBuffer(this.#batchBuffer, 0, batch.seal());
  }

  #encode(pass: GPUComputePassEncoder, operations: readonly PreparedOperation[], batch: Batch): void {
    for (const operation of operations) if (dispatch(pass, operation, batch.counts) !== undefined) this.#dispatches++;
  }

  /** Reads the results of what has been encoded. */
  async #finish(batch: Batch, encoder: GPUCommandEncoder): Promise<StepResults> {
    const logitSize = (this.#logits.size / batch.limits.maxLogitRows) * batch.counts.logitRows;
    encoder.copyBufferToBuffer(this.#rows.buffer, 0, this.#rowStaging, 0, this.#rows.size);
    if (batch.wantsLogits) encoder.copyBufferToBuffer(this.#logits.buffer, 0, this.#logitStaging(), 0, logitSize);
    this.#device.queue.submit([encoder.finish()]);

    const rowsMapped = this.#rowStaging.mapAsync(GPUMapMode.READ);
    const logitsMapped = batch.wantsLogits ? this.#logitStaging().mapAsync(GPUMapMode.READ, 0, logitSize) : undefined;
    await waitFor(rowsMapped);
    if (logitsMapped !== undefined) await waitFor(logitsMapped);
    const logits = logitsMapped && new Float32Array(this.#logitStaging().getMappedRange(0, logitSize).slice(0));
    this.#results.set(new Uint32Array(this.#rowStaging.getMappedRange()), logits);
    this.#rowStaging.unmap();
    if (logitsMapped !== undefined) this.#logitStaging().unmap();
    return this.#results;
  }
}

/** The uniforms of all operations in one buffer. */
class UniformArena {
  readonly #slices = new Map<Operation, Slice>();

  constructor(device: GPUDevice, memory: DeviceMemory, operations: readonly Operation[]) {
    const stride = 256; // the alignment that every device allows
    const withParams = operations.filter((operation) => operation.params !== undefined);
    const words = new Uint32Array((withParams.length * stride) / 4);
    const buffer = memory.create('activations', 'uniforms', words.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    withParams.forEach((operation, i) => {
      const params = operation.params ?? new Uint32Array();
      words.set(params, (i * stride) / 4);
      this.#slices.set(operation, { buffer, offset: i * stride, size: params.byteLength });
    });
    device.queue.writeBuffer(buffer, 0, words);
  }

  of(operation: Operation): Slice | undefined {
    return this.#slices.get(operation);
  }
}

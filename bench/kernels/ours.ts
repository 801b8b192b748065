/** Owns a chain on our device: packed by the engine's loader, multiplied by the engine's matmul, from host vectors to host vectors. */
import type { Slice, Vectors } from '../../kernels/kernel.ts';
import { matmul } from '../../kernels/matmul.ts';
import { dispatch, PipelineCache, type PreparedOperation } from '../../kernels/pipeline.ts';
import { tileFacts } from '../../kernels/tiles.ts';
import { multiplied } from '../../kernels/weights.ts';
import type { MatrixSpec } from '../../models/index.ts';
import { loadWeights } from '../../runtime/checkpoint/loader.ts';
import type { OpenDevice } from '../../runtime/device.ts';
import { DeviceMemory, wholeBuffer, writeVectors } from '../../runtime/memory.ts';
import type { ActivationFormat } from '../../runtime/types.ts';
import { waitFor } from '../../runtime/waiting.ts';
import { prepareAlone } from './prepare.ts';
import { createCheckpoint, type Stored } from './stored.ts';

export interface ChainMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly stored: Stored;
}

interface Loaded {
  readonly steps: readonly PreparedOperation[];
  readonly input: Vectors;
  readonly output: Slice;
  readonly batch: Slice;
  readonly staging: GPUBuffer;
}

export class OurChain {
  readonly #open: OpenDevice;
  readonly #activations: ActivationFormat;
  readonly #pipelines: PipelineCache;
  #memory: DeviceMemory;
  #loaded: Loaded | undefined;
  #outputLength = 0;

  constructor(open: OpenDevice, activations: ActivationFormat) {
    this.#open = open;
    this.#activations = activations;
    this.#pipelines = new PipelineCache(open.device, open.pinsSubgroups);
    this.#memory = new DeviceMemory(open.device, open.memoryLimit);
  }

  /** In place of what was loaded before. */
  async load(matrices: readonly ChainMatrix[], mostTokens: number): Promise<void> {
    const { device, memoryLimit, place } = this.#open;
    const facts = tileFacts(this.#open);
    this.#memory[Symbol.dispose]();
    const memory = new DeviceMemory(device, memoryLimit);
    this.#memory = memory;
    const specs = matrices.map(({ rows, columns }, i): [string, MatrixSpec] => [
      `m${i}`,
      { kind: 'matrix', parts: [{ tensor: `m${i}.weight`, rows }], columns },
    ]);
    const checkpoint = createCheckpoint(Object.fromEntries(matrices.map(({ stored }, i) => [`m${i}`, stored])));
    const weights = await loadWeights(checkpoint, new Map(specs), { ...this.#open, memory, pipelines: this.#pipelines });
    const lengths = [matrices[0]?.columns ?? 0, ...matrices.map(({ rows }) => rows)];
    // The result is read back, so it lies in a buffer.
    const output = wholeBuffer(memory.create('activations', 'vectors', (lengths.pop() ?? 0) * mostTokens * 4, usage));
    const inputs = lengths.map((length) => memory.createVectors('activations', 'vectors', place, length / 4, mostTokens));
    const vectors: readonly Vectors[] = [...inputs, output];
    const batch = wholeBuffer(memory.create('activations', 'batch', 16, usage));
    const operations = matrices.flatMap(({ rows }, i) => {
      const finish = { kind: 'store', y: vectors[i + 1] as Vectors, stride: rows } as const;
      const args = { finish, over: 'tokens', batch, layout, ...facts } as const;
      return weights.matrix(`m${i}`).pieces.flatMap(({ matrix, firstRow }) => {
        const format = multiplied(this.#activations, matrix.storage, facts.lanes);
        return matmul(matrix, { x: { format, vectors: vectors[i] as Vectors }, offset: firstRow, ...args });
      });
    });
    const steps = await Promise.all(operations.map((operation) => prepareAlone(device, memory, this.#pipelines, operation)));
    const staging = memory.create('staging', 'result', output.size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    this.#outputLength = matrices.at(-1)?.rows ?? 0;
    this.#loaded = { steps, input: vectors[0] as Vectors, output, batch, staging };
  }

  /** The first row of the result for `tokens` vectors x. */
  async run(x: Float32Array, tokens: number): Promise<Float32Array> {
    if (this.#loaded === undefined) throw new Error('run before load');
    const { steps, input, output, batch, staging } = this.#loaded;
    const { device } = this.#open;
    device.queue.writeBuffer(batch.buffer, 0, Uint32Array.of(tokens, 0, 0, 0));
    writeVectors(device, input, new Float32Array(x));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const step of steps) dispatch(pass, step, { tokens, logitRows: 0, items: 0, clears: 0, copies: 0 });
    pass.end();
    const size = this.#outputLength * tokens * 4;
    encoder.copyBufferToBuffer(output.buffer, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await waitFor(staging.mapAsync(GPUMapMode.READ, 0, size));
    const result = new Float32Array(staging.getMappedRange(0, size).slice(0));
    staging.unmap();
    return result.slice(0, this.#outputLength);
  }
}

/** Only the count of tokens is read from the batch. */
const layout = { BATCH_LOGIT_TOKENS: 0 };

const usage = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST

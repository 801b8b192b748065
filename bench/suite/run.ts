/**
 * Owns one case on one device: its operations over random numbers, the time of a dispatch, and the distance of a sample of its results
 * from the reference in double precision. And the device's own ceilings: how fast it copies, and how fast it multiplies and adds.
 */
import { Bench } from 'tinybench';
import { attentionReference } from '../../kernels/attention.ref.ts';
import { type AttentionShape, attention, attentionMerge, poolExtent } from '../../kernels/attention.ts';
import { embed } from '../../kernels/embed.ts';
import { dequantizeRow } from '../../kernels/formats.ref.ts';
import type { Operation, Slice, StepCounts, Vectors } from '../../kernels/kernel.ts';
import { matmul } from '../../kernels/matmul.ts';
import { dispatch, PipelineCache } from '../../kernels/pipeline.ts';
import { randomFileRows, randomFloats } from '../../kernels/random.ref.ts';
import { fileRowSize } from '../../kernels/repack.ts';
import { matvecReference } from '../../kernels/weights.ref.ts';
import { Batch } from '../../runtime/batch.ts';
import { loadWeights } from '../../runtime/checkpoint/loader.ts';
import type { OpenDevice } from '../../runtime/device.ts';
import { DeviceMemory, wholeBuffer, writeVectors } from '../../runtime/memory.ts';
import { Sequence } from '../../runtime/sequence.ts';
import type { BlockId } from '../../runtime/types.ts';
import { prepareAlone } from '../kernels/prepare.ts';
import { relativeError } from '../kernels/serve.ts';
import { createCheckpoint } from '../kernels/stored.ts';
import { type Case, nameCase, workOf } from './cases.ts';

export interface CaseResult {
  readonly name: string;
  /** Labels of the kernels. */
  readonly kernels: readonly string[];
  /** Of one run, in ms; median and quickest. */
  readonly ms: number;
  readonly quickestMs: number;
  readonly bytes: number;
  readonly operations: number;
  /** Normalised mean squared error of a sample of the results. */
  readonly error: number;
}

export interface Ceilings {
  /** Bytes read and written by a copy of 64 MiB, in GB/s. */
  readonly copy: number;
  /** Multiplies and adds of f32 in registers, in GFLOP/s. */
  readonly multiplyAdd: number;
}

/** Runs of a submit take at least so long, so that the submit itself does not count. */
const leastSubmitMs = 5;
const leastMs = 250;
/** Rows whose results are held against the reference. */
const sampleRows = 32;

interface Prepared {
  readonly operations: readonly Operation[];
  readonly counts: StepCounts;
  /** After a run. */
  check(): Promise<number>;
}

export class Suite {
  readonly #open: OpenDevice;
  readonly #pipelines: PipelineCache;
  #memory: DeviceMemory;

  constructor(open: OpenDevice) {
    this.#open = open;
    this.#pipelines = new PipelineCache(open.device, open.pinsSubgroups);
    this.#memory = new DeviceMemory(open.device, open.memoryLimit);
  }

  async run(one: Case): Promise<CaseResult> {
    this.#memory[Symbol.dispose]();
    this.#memory = new DeviceMemory(this.#open.device, this.#open.memoryLimit);
    const { operations, counts, check } = await (one.kind === 'attention' ? this.#attention(one) : this.#rows(one));
    const prepared = await Promise.all(operations.map((operation) => prepareAlone(this.#open.device, this.#memory, this.#pipelines, operation)));
    const kernels: string[] = [];
    const submit = this.#submitter((pass) => {
      kernels.length = 0;
      for (const operation of prepared) kernels.push(dispatch(pass, operation, counts) ?? '');
    });
    await submit(1);
    const error = await check();
    const { ms, quickestMs } = await time(submit);
    return { name: nameCase(one), kernels: kernels.filter(Boolean), ms, quickestMs, ...workOf(one), error };
  }

  async measureCeilings(): Promise<Ceilings> {
    const size = 64 * 2 ** 20;
    const [from, to] = ['from', 'to'].map((label) => this.#memory.create('activations', label, size, usage));
    if (from === undefined || to === undefined) throw new Error('no buffers');
    const copy = await time(async (count) => {
      const encoder = this.#open.device.createCommandEncoder();
      for (let i = 0; i < count; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size);
      this.#open.device.queue.submit([encoder.finish()]);
      await this.#open.device.queue.onSubmittedWorkDone();
    });
    const groups = 256;
    const turns = 4096;
    const pipeline = await this.#open.device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module: this.#open.device.createShaderModule({ code: multiplyAddText(this.#open.subgroupSize, turns) }), entryPoint: 'main' },
    });
    const result = this.#memory.create('activations', 'sums', groups * this.#open.subgroupSize * 4, usage);
    const group = this.#open.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: result } }] });
    const arithmetic = await time(
      this.#submitter((pass) => {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(groups);
      }),
    );
    return { copy: (2 * size) / copy.ms / 1e6, multiplyAdd: (groups * this.#open.subgroupSize * turns * chains * 2) / arithmetic.ms / 1e6 };
  }

  #submitter(encode: (pass: GPUComputePassEncoder) => void): (count: number) => Promise<void> {
    const { device } = this.#open;
    return async (count) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let i = 0; i < count; i++) encode(pass);
      pass.end();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
    };
  }

  async #rows(one: Exclude<Case, { kind: 'attention' }>): Promise<Prepared> {
    const { device, place, subgroupSize: lanes } = this.#open;
    const { storage, rows, columns, tokens } = one;
    const blocks = randomFileRows(storage, rows, columns, rows);
    const specs = new Map([['m', { kind: 'matrix' as const, columns, parts: [{ tensor: 'm0', rows }] }]]);
    const weights = await loadWeights(createCheckpoint([{ storage, rows, columns, blocks }]), specs, {
      ...this.#open,
      memory: this.#memory,
      pipelines: this.#pipelines,
    });
    const matrix = weights.matrix('m').pieces[0]?.matrix;
    if (matrix === undefined) throw new Error('no matrix');
    const layout = { BATCH_IDS: 4 };
    const ids = Uint32Array.from({ length: tokens }, (_, token) => (token * 61) % rows);
    const batch = this.#buffer(Uint32Array.of(tokens, 0, 0, 0, ...ids));
    const rowSize = fileRowSize(storage, columns);
    const valuesOf = (row: number): Float64Array => dequantizeRow(storage, blocks.subarray(row * rowSize, (row + 1) * rowSize), columns);
    const counts = { tokens, logitRows: 0, items: 0, clears: 0 };
    if (one.kind === 'embed') {
      const y = this.#buffer(new Float32Array(tokens * columns));
      const check = async (): Promise<number> => distance(await this.#read(y, columns), valuesOf(ids[0] ?? 0));
      return { operations: embed(matrix, y, batch, lanes, layout), counts, check };
    }
    const x = randomFloats(columns * tokens, 1);
    const vectors = this.#memory.createVectors('activations', 'x', place, columns / 4, tokens);
    writeVectors(device, vectors, x);
    const y = this.#buffer(new Float32Array(tokens * rows));
    const finish = { kind: 'store' as const, y, stride: rows };
    const check = async (): Promise<number> => {
      const step = Math.max(1, Math.floor(rows / sampleRows));
      const sample = Array.from({ length: Math.min(rows, sampleRows) }, (_, i) => i * step);
      const got = await this.#read(y, rows);
      return distance(
        Float32Array.from(sample, (row) => got[row] ?? Number.NaN),
        matvecReference(sample.map(valuesOf), x.subarray(0, columns)),
      );
    };
    return { operations: matmul(matrix, { x: { format: 'f32', vectors }, finish, offset: 0, over: 'tokens', batch, lanes, layout }), counts, check };
  }

  async #attention({ heads, kvHeads, headLength, positions, tokens }: Extract<Case, { kind: 'attention' }>): Promise<Prepared> {
    const { device, place, subgroupSize: lanes } = this.#open;
    const blockLength = 16;
    const blockCount = Math.ceil(positions / blockLength);
    const batch = new Batch({ maxTokens: tokens, maxSequences: 1, maxLogitRows: 1, contextLength: positions + 1, blockCount, blockLength, maxEdits: 0 });
    const sequence = new Sequence({ promptIds: new Uint32Array(positions), maxTokens: 1 }, positions + 1, { event: () => undefined, fail: () => undefined });
    sequence.blocks = Array.from({ length: blockCount }, (_, i) => i as BlockId);
    sequence.computed = positions - tokens;
    batch.addTokens(sequence, tokens);
    const words = this.#buffer(batch.seal().slice());
    const slots = blockCount * blockLength;
    const extent = poolExtent({ kvHeads, headLength, kv: 'f16' }, slots, this.#open);
    const shape: AttentionShape = {
      heads,
      kvHeads,
      headLength,
      rotaryLength: headLength,
      kv: 'f16',
      blockLength,
      poolFold: extent.fold,
      lanes,
      layout: batch.layout,
    };
    const width = kvHeads * headLength;
    const stored = Float16Array.from(randomFloats(slots * 2 * width, 2));
    const pool = this.#memory.createVectors('kv', 'pool', place, extent.width, extent.rows, 'rgba32uint');
    writeVectors(device, pool, new Uint32Array(stored.buffer));
    const query = randomFloats(tokens * heads * headLength, 3, headLength ** -0.5);
    const queries = this.#memory.createVectors('activations', 'queries', place, (heads * headLength) / 4, tokens);
    writeVectors(device, queries, query);
    const scratch = {
      partials: this.#buffer(new Float32Array(batch.maxItems * heads * headLength)),
      states: this.#buffer(new Float32Array(batch.maxItems * heads * 2)),
    };
    // Queries and results share the kind of place; a texture is copied to be read.
    const y: Vectors = this.#memory.createVectors('activations', 'attended', place, (heads * headLength) / 4, tokens);
    const check = async (): Promise<number> => {
      const rows = (offset: number, length: number): Float32Array =>
        Float32Array.from({ length: length * width }, (_, i) => stored[(Math.floor(i / width) * 2 + offset) * width + (i % width)] ?? Number.NaN);
      const length = positions - tokens + 1;
      const expected = attentionReference(shape, query.subarray(0, heads * headLength), rows(0, length), rows(1, length), length);
      return distance(await this.#read(y, heads * headLength), expected);
    };
    return { operations: [attention(shape, queries, pool, scratch, y, words), attentionMerge(shape, scratch, y, words)], counts: { ...batch.counts }, check };
  }

  #buffer(data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>): Slice {
    const buffer = this.#memory.create('activations', 'bench', data.byteLength, usage);
    this.#open.device.queue.writeBuffer(buffer, 0, data);
    return wholeBuffer(buffer);
  }

  /** The first `length` numbers, of the first row of a texture. */
  async #read(vectors: Vectors, length: number): Promise<Float32Array> {
    const { device } = this.#open;
    const size = Math.ceil((length * 4) / 256) * 256;
    const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    if ('buffer' in vectors) encoder.copyBufferToBuffer(vectors.buffer, 0, staging, 0, Math.min(size, vectors.size));
    else encoder.copyTextureToBuffer({ texture: vectors.texture }, { buffer: staging, bytesPerRow: size }, { width: length / 4, height: 1 });
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const numbers = new Float32Array(staging.getMappedRange().slice(0)).subarray(0, length);
    staging.destroy();
    return numbers;
  }
}

const usage = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST

/** `submit` runs the work as often as it is told and waits. Times are of one run. */
async function time(submit: (count: number) => Promise<void>): Promise<{ ms: number; quickestMs: number }> {
  await submit(1);
  const started = performance.now();
  await submit(1);
  const count = Math.max(1, Math.ceil(leastSubmitMs / Math.max(0.001, performance.now() - started)));
  const bench = new Bench({ time: leastMs, iterations: 5, warmup: false });
  bench.add('submit', () => submit(count));
  await bench.run();
  const [task] = bench.tasks;
  const result = task?.result;
  if (result === undefined || !('latency' in result)) throw new Error('nothing was timed');
  return { ms: result.latency.p50 / count, quickestMs: result.latency.min / count };
}

/** Independent sums of a lane. */
const chains = 8;

function multiplyAddText(lanes: number, turns: number): string {
  const each = (text: (i: number) => string): string => Array.from({ length: chains }, (_, i) => text(i)).join(' ');
  return `@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(${lanes})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = f32(id.x) * 1e-9;
  ${each((i) => `var s${i} = factor + ${i}.0;`)}
  for (var turn = 0u; turn < ${turns / 8}u; turn++) {
    ${Array.from({ length: 8 }, () => each((i) => `s${i} = s${i} * factor + 1.5;`)).join('\n    ')}
  }
  sums[id.x] = ${Array.from({ length: chains }, (_, i) => `s${i}`).join(' + ')};
}`;
}

/** Normalised mean squared error. */
function distance(got: Float32Array, expected: Float64Array): number {
  return relativeError(got, expected) ** 2;
}

/**
 * Owns the way of a batch through the device: one upload, one command buffer, one result row a logit row back, or a row a token where
 * another stage goes on. The only place that submits a step to the queue. Refuses to decide what a batch holds.
 */
import type { Operation, Slice, StepCounts } from '../kernels/kernel.ts';
import { dispatch, type PipelineCache, type PreparedOperation } from '../kernels/pipeline.ts';
import { maskLength } from '../kernels/sample.ts';
import type { KernelFamily } from '../kernels/tiles.ts';
import type { Graph } from '../models/index.ts';
import type { ExpertFiles } from './checkpoint/loader.ts';
import { type ExpertCounts, ExpertPager, noExperts } from './experts/pager.ts';
import type { DeviceMemory } from './memory.ts';
import { type Outlet, pitchOf } from './outlets.ts';
import { countResidue, type FreeBlocks } from './residue.ts';
import type { Step } from './scheduling/parts.ts';
import { Scrubber } from './scrub.ts';
import type { ZeroReport } from './types.ts';
import { Uploads } from './uploads.ts';
import { shortPause, stepPause, waitFor } from './waiting.ts';

/** All that the commands of a step depend on; nothing of what its batch holds is in them. */
interface StepKind extends Required<StepCounts> {
  wantsLogits: boolean;
}

/** When the parts of the last step beside its submit were done, on the clock of performance.now(). */
export interface StepTimes {
  uploaded: number;
  encoded: number;
  /** Beside the device: the next step's commands. */
  encodedAhead: number;
  /** The device has finished, and its results can be read. */
  mapped: number;
}

interface Commands {
  readonly buffer: GPUCommandBuffer;
  readonly dispatches: number;
}

export class Runner<Out> {
  readonly #device: GPUDevice;
  readonly #batchBuffer: GPUBuffer;
  /** Undefined on a stage that chooses nothing. */
  readonly #masks: Slice | undefined;
  readonly #maskSize: number;
  readonly #outlet: Outlet<Out>;
  readonly #blockOperations: readonly PreparedOperation[];
  readonly #steps: readonly PreparedOperation[];
  readonly #scrubber: Scrubber;
  readonly #uploads: Uploads;
  /** Of models whose experts are not all on the device, with the place of each such layer in the steps. */
  readonly #pager: ExpertPager | undefined;
  readonly #pagedAt: readonly { readonly start: number; readonly end: number }[];
  readonly #memory: DeviceMemory;
  readonly #graph: Graph;
  readonly #pause: number;
  #dispatches = 0;
  #submittedAt = 0;
  readonly #times: StepTimes = { uploaded: 0, encoded: 0, encodedAhead: 0, mapped: 0 };
  /** Commands encoded while the step before ran, and for which kind of step. */
  #ahead: Commands | undefined;
  readonly #aheadKind: StepKind = { tokens: 0, logitRows: 0, items: 0, clears: 0, copies: 0, sequences: 0, stateClears: 0, wantsLogits: false };

  private constructor(
    device: GPUDevice,
    memory: DeviceMemory,
    uploads: Uploads,
    batchBuffer: GPUBuffer,
    graph: Graph,
    outlet: Outlet<Out>,
    blockOperations: readonly PreparedOperation[],
    steps: readonly PreparedOperation[],
    pager: ExpertPager | undefined,
  ) {
    this.#device = device;
    this.#uploads = uploads;
    this.#batchBuffer = batchBuffer;
    this.#outlet = outlet;
    if (graph.exit === undefined) this.#masks = graph.results.masks;
    this.#maskSize = maskSizeOf(graph);
    this.#blockOperations = blockOperations;
    this.#steps = steps;
    this.#pager = pager;
    this.#pagedAt = graph.pagedExperts.map(({ operations: [first, ...others] }) => {
      const start = graph.operations.findIndex((operation) => operation === first);
      return { start, end: start + 1 + others.length };
    });
    this.#scrubber = new Scrubber(memory);
    this.#memory = memory;
    this.#graph = graph;
    this.#pause = pauseOf(graph.settings.family);
  }

  /** Compiles every variant that the graph can choose, and binds it. */
  static async create<Out>(
    device: GPUDevice,
    memory: DeviceMemory,
    pipelines: PipelineCache,
    batchBuffer: GPUBuffer,
    graph: Graph,
    outlet: Outlet<Out>,
    onCompiled: (done: number, total: number) => void = () => undefined,
    files?: ExpertFiles,
  ): Promise<Runner<Out>> {
    const compiling = new Set([...graph.blockOperations, ...graph.operations].flatMap(({ variants }) => variants.map((variant) => pipelines.get(variant))));
    let done = 0;
    // A failure comes out of `prepare`, which waits for the same promises.
    for (const pipeline of compiling) void pipeline.then(() => onCompiled(++done, compiling.size)).catch(() => undefined);
    const uniforms = new UniformArena(device, memory, [...graph.blockOperations, ...graph.operations]);
    const prepare = (operations: readonly Operation[]) => Promise.all(operations.map((operation) => pipelines.prepare(operation, uniforms.of(operation))));
    const { maxLogitRows, maxTokens, family } = graph.settings;
    const entrySize = graph.entry === undefined ? 0 : 16 + maxTokens * pitchOf(graph.entry);
    const uploads = await Uploads.create(device, memory, batchBuffer.size + maxLogitRows * maskSizeOf(graph) + entrySize);
    const pager = files && (await ExpertPager.create(device, memory, graph.pagedExperts, files, pauseOf(family)));
    return new Runner(device, memory, uploads, batchBuffer, graph, outlet, await prepare(graph.blockOperations), await prepare(graph.operations), pager);
  }

  /** Dispatches of the last step. */
  get dispatchCount(): number {
    return this.#dispatches;
  }

  /** Of experts that are not all on the device. */
  get expertCounts(): ExpertCounts {
    return this.#pager?.counts ?? noExperts;
  }

  /** Room for logits on their way to the host, which few ask for; made once. Throws out_of_memory: before a step needs it, so that only the request fails that asks. */
  reserveLogits(): void {
    this.#outlet.reserveLogits();
  }

  /** When the last step had been handed to the device, on the clock of performance.now(). */
  get submittedAt(): number {
    return this.#submittedAt;
  }

  /** Of the last step, for profiles. */
  get times(): Readonly<StepTimes> {
    return this.#times;
  }

  /**
   * Runs one step. Resolves with a row for each logit row, logits only with `batch.wantsLogits`, or with a row for each token: valid until the next call.
   * `rows`: those that the stage before hands on.
   */
  async run(batch: Step, rows?: Float32Array): Promise<Out> {
    const times = this.#times;
    this.#upload(batch, rows);
    times.uploaded = performance.now();
    if (this.#pager !== undefined && batch.counts.tokens > 0) return this.#runPaged(batch, this.#pager);
    const { buffer, dispatches } = this.#takeAhead(batch) ?? this.#encodeStep({ ...batch.counts, wantsLogits: batch.wantsLogits });
    times.encoded = performance.now();
    this.#submit([this.#uploads.finish(), buffer]);
    this.#dispatches = dispatches;
    const mapped = this.#map(batch);
    // The device is busy from here on.
    this.#encodeAhead(batch);
    times.encodedAhead = performance.now();
    return this.#read(batch, mapped);
  }

  /** In sections: each ends with a router, whose choices the host must see to before the next begins. */
  async #runPaged(batch: Step, pager: ExpertPager): Promise<Out> {
    const { counts } = batch;
    this.#submit([this.#uploads.finish()]);
    this.#dispatches = 0;
    let done = 0;
    for (const [i, { start, end }] of this.#pagedAt.entries()) {
      this.#submitSection(counts, done, start, (encoder) => pager.encodeCopy(encoder, i, counts.tokens));
      for await (const told of pager.passes(i, counts.tokens)) {
        this.#submit([told]);
        this.#submitSection(counts, start, end);
      }
      done = end;
    }
    this.#submitSection(counts, done, this.#steps.length, (encoder) => this.#outlet.encode(encoder, { ...counts, wantsLogits: batch.wantsLogits }));
    this.#times.encoded = performance.now();
    const mapped = this.#map(batch);
    this.#times.encodedAhead = performance.now();
    await pager.finish();
    return this.#read(batch, mapped);
  }

  /** Steps from `start` to before `end`, and what is encoded behind them. */
  #submitSection(counts: Required<StepCounts>, start: number, end: number, encodeMore: (encoder: GPUCommandEncoder) => void = () => undefined): void {
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    if (start === 0 && changesBlocks(counts)) this.#dispatches += encode(pass, this.#blockOperations, counts);
    this.#dispatches += encode(pass, this.#steps.slice(start, end), counts);
    pass.end();
    encodeMore(encoder);
    this.#submit([encoder.finish()]);
  }

  /** The next step while this one runs, if this one only decodes: most are followed by one with the same counts. */
  #encodeAhead({ counts, wantsLogits }: Step): void {
    if (counts.tokens === 0 || counts.tokens !== counts.logitRows) return;
    Object.assign(this.#aheadKind, counts, { clears: 0, copies: 0, stateClears: 0, wantsLogits });
    this.#ahead = this.#encodeStep(this.#aheadKind);
  }

  /** What was encoded ahead, if it is what this batch needs; otherwise it is dropped. */
  #takeAhead({ counts, wantsLogits }: Step): Commands | undefined {
    const kind = this.#aheadKind;
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const { tokens, logitRows, items, sequences } = counts;
    const isSame = tokens === kind.tokens && logitRows === kind.logitRows && items === kind.items && sequences === kind.sequences;
    return isSame && !changesBlocks(counts) && wantsLogits === kind.wantsLogits ? ahead : undefined;
  }

  #encodeStep(kind: StepKind): Commands {
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    let dispatches = 0;
    if (changesBlocks(kind)) dispatches += encode(pass, this.#blockOperations, kind);
    if (kind.tokens > 0) dispatches += encode(pass, this.#steps, kind);
    pass.end();
    this.#outlet.encode(encoder, kind);
    return { buffer: encoder.finish(), dispatches };
  }

  /** The same with each dispatch in a submit of its own, and what it took in ms: for profiles, several times slower. */
  async runTimed(batch: Step, onDispatch: (kernel: string, ms: number) => void): Promise<Out> {
    const { queue } = this.#device;
    this.#upload(batch);
    queue.submit([this.#uploads.finish()]);
    for (const operation of [...(changesBlocks(batch.counts) ? this.#blockOperations : []), ...(batch.counts.tokens > 0 ? this.#steps : [])]) {
      const encoder = this.#device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      const kernel = dispatch(pass, operation, batch.counts);
      pass.end();
      if (kernel === undefined) continue;
      const started = performance.now();
      queue.submit([encoder.finish()]);
      await waitFor(queue.onSubmittedWorkDone(), shortPause);
      onDispatch(kernel, performance.now() - started);
    }
    const encoder = this.#device.createCommandEncoder();
    this.#outlet.encode(encoder, { ...batch.counts, wantsLogits: batch.wantsLogits });
    this.#submit([encoder.finish()]);
    return this.#read(batch, this.#map(batch));
  }

  #upload(batch: Step, rows?: Float32Array): void {
    if (batch.hasDeparted && batch.counts.tokens > 0) this.#scrub();
    this.#uploads.add(batch.seal(), this.#batchBuffer, 0);
    if (this.#masks !== undefined) for (const { row, words } of batch.masks) this.#uploads.add(words, this.#masks.buffer, row * this.#maskSize);
    const { entry } = this.#graph;
    if (rows !== undefined && rows.length > 0 && entry !== undefined) this.#uploads.addRows(rows, entry);
  }

  /** Counts words that are not zero in free blocks, of KV of `blockCount` in all, and in scratch. No step may run meanwhile. */
  readResidue(freeBlocks: FreeBlocks, blockCount: number): Promise<ZeroReport> {
    const { pools, states = [], blockLength } = this.#graph.settings;
    const isThere = <T>(found: T | undefined): found is T => found !== undefined;
    return countResidue(this.#device, this.#memory, { layers: pools.filter(isThere), states: states.filter(isThere), blockCount, blockLength }, freeBlocks);
  }

  /** Zeroes what steps have written, before the next step writes: somebody else's is then alone there. */
  #scrub(): void {
    const encoder = this.#device.createCommandEncoder();
    this.#scrubber.encode(encoder);
    this.#device.queue.submit([encoder.finish()]);
  }

  #submit(commands: readonly GPUCommandBuffer[]): void {
    this.#device.queue.submit(commands);
    this.#submittedAt = performance.now();
  }

  /** Asks for what comes out right behind the submit, and for the memory of the upload. */
  #map({ counts, wantsLogits }: Step): Promise<unknown> {
    return Promise.all([...this.#outlet.map({ ...counts, wantsLogits }), this.#uploads.request()]);
  }

  async #read({ counts, wantsLogits, hasDeparted }: Step, mapped: Promise<unknown>): Promise<Out> {
    await waitFor(mapped, this.#pause);
    this.#uploads.recycle();
    this.#times.mapped = performance.now();
    const out = this.#outlet.read({ ...counts, wantsLogits });
    // Without a token the step belongs to nobody: what it wrote itself goes too, and an idle engine holds zeros.
    if (hasDeparted && counts.tokens === 0) this.#scrub();
    return out;
  }
}

/** Bytes of a logit row's mask; none on a stage that chooses nothing. */
function maskSizeOf(graph: Graph): number {
  return graph.exit === undefined ? maskLength(graph.results.vocabulary) * 4 : 0;
}

/** A GPU's step may be short, and the host's core is none of its own. */
function pauseOf(family: KernelFamily = 'narrow'): number {
  return family === 'narrow' ? stepPause : shortPause;
}

/** Whether a step clears or copies blocks before it computes anything. */
function changesBlocks({ clears, copies, stateClears }: Required<StepCounts>): boolean {
  return clears + copies + stateClears > 0;
}

/** Gives how many dispatches that were. */
function encode(pass: GPUComputePassEncoder, operations: readonly PreparedOperation[], counts: StepCounts): number {
  let dispatches = 0;
  for (const operation of operations) if (dispatch(pass, operation, counts) !== undefined) dispatches++;
  return dispatches;
}

/** The uniforms of all operations in one buffer. */
class UniformArena {
  readonly #slices = new Map<Operation, Slice>();

  constructor(device: GPUDevice, memory: DeviceMemory, operations: readonly Operation[]) {
    const stride = 256; // the alignment that every device allows
    const withParams = operations.filter((operation) => operation.params !== undefined);
    const words = new Uint32Array((withParams.length * stride) / 4);
    const buffer = memory.create('constants', 'uniforms', words.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
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

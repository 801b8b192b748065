/**
 * Owns the timing of a matmul's tiles on the device, with the model's own weights, while an engine opens. Refuses to leave anything
 * behind: the KV block that it writes to is handed over to be zeroed, its buffers are destroyed, pipelines that nobody chose forgotten.
 */
import type { Operation, Slice, StepCounts, Variant } from '../../kernels/kernel.ts';
import { dispatch, type PipelineCache, type PreparedOperation } from '../../kernels/pipeline.ts';
import { type Tile, tileName } from '../../kernels/tiles.ts';
import type { GraphMatmul } from '../../models/index.ts';
import type { DeviceMemory } from '../memory.ts';
import type { Batch } from '../scheduling/batch.ts';
import type { BlockPool } from '../scheduling/blocks.ts';
import { Scheduler, type SchedulerLimits } from '../scheduling/scheduler.ts';
import { Sequence } from '../scheduling/sequence.ts';
import { waitFor } from '../waiting.ts';
import type { TileTimer } from './measure.ts';

export interface TimerTarget {
  readonly device: GPUDevice;
  readonly memory: DeviceMemory;
  readonly pipelines: PipelineCache;
  readonly batch: Batch;
  readonly batchBuffer: GPUBuffer;
  readonly blocks: BlockPool;
  readonly limits: SchedulerLimits;
}

/** Layers that take turns, so that weights come from memory as in a step and not from a cache. */
const mostLayers = 8;
/** Milliseconds that a measurement takes at least: long against the pauses of the wait. */
const leastTime = 4;
const mostDispatches = 200;

interface Timed {
  readonly layers: readonly PreparedOperation[];
  /** Milliseconds of one dispatch of the tile's own number of tokens, roughly. */
  estimate: number;
}

export class DeviceTimer implements TileTimer, Disposable {
  readonly #target: TimerTarget;
  /** Matmuls of each shape. */
  readonly #shapes: readonly (readonly GraphMatmul[])[];
  readonly #sequence: Sequence;
  readonly #counts: StepCounts;
  readonly #scheduled: number;
  readonly #timed = new Map<string, Timed>();
  readonly #uniforms: GPUBuffer[] = [];
  readonly #made = new Map<string, Operation>();

  /** `mostTokens`: that are timed. */
  constructor(target: TimerTarget, shapes: readonly (readonly GraphMatmul[])[], mostTokens: number) {
    this.#target = target;
    this.#shapes = shapes;
    const { batch, blocks, limits } = target;
    const { contextLength } = batch.limits;
    this.#sequence = new Sequence({ promptIds: new Uint32Array(mostTokens), maxTokens: 1 }, contextLength, silent);
    const scheduler = new Scheduler(limits, blocks);
    scheduler.add(this.#sequence);
    scheduler.schedule(batch);
    this.#scheduled = batch.counts.tokens;
    this.#counts = { ...batch.counts, items: 0, clears: 0, copies: 0 };
    target.device.queue.writeBuffer(target.batchBuffer, 0, batch.seal());
  }

  async compile(shape: number, tile: Tile): Promise<void> {
    const layers: PreparedOperation[] = [];
    for (const { make } of (this.#shapes[shape] ?? []).slice(0, mostLayers)) {
      const [operation] = make([tile]);
      if (operation === undefined) continue;
      this.#made.set(`${shape} ${tileName(tile)}`, operation);
      layers.push(await this.#target.pipelines.prepare(operation, this.#uniform(operation)));
    }
    this.#timed.set(`${shape} ${tileName(tile)}`, { layers, estimate: leastTime });
  }

  async warm(shape: number, tile: Tile): Promise<void> {
    const timed = this.#timed.get(`${shape} ${tileName(tile)}`);
    if (timed === undefined) return;
    this.useTokens(tile.tokens);
    await this.#run(timed.layers, 1);
    timed.estimate = await this.#run(timed.layers, 1);
  }

  useTokens(tokens: number): void {
    const { device, batchBuffer, batch } = this.#target;
    this.#counts.tokens = Math.min(tokens, this.#scheduled);
    // Which tokens these rows are does not matter to the time.
    this.#counts.logitRows = Math.min(tokens, batch.limits.maxLogitRows);
    device.queue.writeBuffer(batchBuffer, 0, Uint32Array.of(this.#counts.tokens, this.#counts.logitRows));
  }

  async time(shape: number, tile: Tile): Promise<number> {
    const timed = this.#timed.get(`${shape} ${tileName(tile)}`);
    if (timed === undefined) return Number.POSITIVE_INFINITY;
    const estimate = timed.estimate * Math.ceil(this.#counts.tokens / tile.tokens);
    const dispatches = Math.min(mostDispatches, Math.max(1, Math.ceil(leastTime / estimate)));
    return (await this.#run(timed.layers, dispatches)) / dispatches;
  }

  now(): number {
    return performance.now();
  }

  /** Lets go of everything but the pipelines of tiles that were chosen. */
  forget(isChosen: (shape: number, tile: string) => boolean): void {
    // Shapes of different heights share pipelines: what one has chosen is not let go of for another.
    const made = Map.groupBy(this.#made, ([key]) => isChosen(Number(key.slice(0, key.indexOf(' '))), key.slice(key.indexOf(' ') + 1)));
    const variantsOf = (are: boolean): readonly Variant[] => (made.get(are) ?? []).flatMap(([, { variants }]) => variants);
    this.#target.pipelines.forget(variantsOf(false), variantsOf(true));
  }

  [Symbol.dispose](): void {
    // Dirty: the first step of the warm-up zeroes them.
    this.#target.blocks.give(this.#sequence.blocks);
    for (const buffer of this.#uniforms) this.#target.memory.release('staging', buffer);
  }

  /** Milliseconds of so many dispatches, layer after layer. */
  async #run(layers: readonly PreparedOperation[], dispatches: number): Promise<number> {
    const { device } = this.#target;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < dispatches; i++) dispatch(pass, layers[i % layers.length] as PreparedOperation, this.#counts);
    pass.end();
    const commands = encoder.finish();
    const started = performance.now();
    device.queue.submit([commands]);
    await waitFor(device.queue.onSubmittedWorkDone());
    return performance.now() - started;
  }

  #uniform({ params }: Operation): Slice | undefined {
    if (params === undefined) return undefined;
    const { device, memory } = this.#target;
    const buffer = memory.create('staging', 'tuner', params.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    device.queue.writeBuffer(buffer, 0, params);
    this.#uniforms.push(buffer);
    return { buffer, offset: 0, size: params.byteLength };
  }
}

const silent = { event: () => undefined, fail: () => undefined };

/**
 * Owns the way of chosen experts to the device, where there is not room for all: brings those that the layer before has guessed while the device works,
 * reads what the router chose, brings what is still missing, and tells the kernels where each is. Refuses to run a layer: the runner does, once for
 * each pass. Only here does a choice of the router come to the host; its buffers are scratch, or zeroed with the step's.
 */
import type { Slice } from '../../kernels/kernel.ts';
import { routeConstants } from '../../kernels/router.ts';
import type { PagedExperts } from '../../models/index.ts';
import type { ExpertFiles } from '../checkpoint/loader.ts';
import type { DeviceMemory } from '../memory.ts';
import type { EngineStats } from '../types.ts';
import { Uploads } from '../uploads.ts';
import { waitFor } from '../waiting.ts';
import { Foresight } from './foresight.ts';
import { type Pass, Residency } from './residency.ts';

interface Layer {
  readonly paged: PagedExperts;
  readonly residency: Residency;
  readonly foresight: Foresight;
}

export type ExpertCounts = Pick<EngineStats, 'expertUses' | 'expertLoads' | 'expertsAhead' | 'expertsForeseen' | 'expertBytes' | 'expertFileBytes'>;

export const noExperts: ExpertCounts = { expertUses: 0, expertLoads: 0, expertsAhead: 0, expertsForeseen: 0, expertBytes: 0, expertFileBytes: 0 };

export class ExpertPager {
  readonly #files: ExpertFiles;
  readonly #layers: readonly Layer[];
  /** Choices of a layer, and behind them guesses at those of the next one, on their way to the host. */
  readonly #staging: GPUBuffer;
  /** The way of a layer's slots to the routes. */
  readonly #uploads: Uploads;
  #isAway = false;
  readonly #counts = { expertUses: 0, expertLoads: 0, expertsAhead: 0, expertsForeseen: 0 };
  readonly #slots: Uint32Array;
  readonly #isChosen: Uint8Array;
  /** Guesses at the next layer's choices, [token][rank]; none where it has no layer before it. */
  readonly #guessed: Uint32Array;
  #guesses: Uint32Array;
  readonly #pause: number;

  private constructor(files: ExpertFiles, layers: readonly Layer[], mostChoices: number, staging: GPUBuffer, uploads: Uploads, pause: number) {
    const most = Math.max(...layers.map(({ paged }) => paged.shape.experts));
    this.#files = files;
    this.#layers = layers;
    this.#staging = staging;
    this.#uploads = uploads;
    this.#slots = new Uint32Array(most);
    this.#isChosen = new Uint8Array(most);
    this.#guessed = new Uint32Array(mostChoices);
    this.#guesses = this.#guessed.subarray(0, 0);
    this.#pause = pause;
  }

  /** `pause`: ms between looks at whether the device has finished. Throws out_of_memory. */
  static async create(device: GPUDevice, memory: DeviceMemory, paged: readonly PagedExperts[], files: ExpertFiles, pause: number): Promise<ExpertPager> {
    const layers = paged.map((layer) => ({
      paged: layer,
      residency: new Residency(layer.shape.experts, layer.matrices[0]?.slots ?? 0),
      foresight: new Foresight(layer.shape),
    }));
    const most = (of: (layer: PagedExperts) => number): number => Math.max(...paged.map(of));
    const mostChoices = most(({ shape, maxTokens }) => maxTokens * shape.topK);
    const staging = memory.create('staging', 'choices', 2 * mostChoices * 4, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    const uploads = await Uploads.create(device, memory, most(({ shape }) => shape.experts) * 4);
    return new ExpertPager(files, layers, mostChoices, staging, uploads, pause);
  }

  get counts(): ExpertCounts {
    return { ...this.#counts, expertBytes: this.#files.broughtSize, expertFileBytes: this.#files.readSize };
  }

  /** Behind a layer's router: its choices, and guesses at the next layer's, to where the host can read them. */
  encodeCopy(encoder: GPUCommandEncoder, index: number, tokens: number): void {
    let at = 0;
    for (const { routes, size } of this.#listRead(index, tokens)) {
      encoder.copyBufferToBuffer(routes.buffer, routes.offset, this.#staging, at, size);
      at += size;
    }
  }

  /** What is read of a layer: routes, and how many bytes of them. */
  #listRead(index: number, tokens: number): { readonly routes: Slice; readonly size: number }[] {
    const [own, next] = [this.#layers[index]?.paged, this.#layers[index + 1]?.paged];
    const read = [
      [own?.routes, own?.shape.topK],
      [next?.guesses, next?.shape.topK],
    ] as const;
    return read.flatMap(([routes, topK = 0]) => (routes === undefined ? [] : [{ routes, size: tokens * topK * 4 }]));
  }

  /** Once that is submitted: for each pass over the layer what to submit before its operations. The pass is over when the next one is asked for. */
  async *passes(index: number, tokens: number): AsyncGenerator<GPUCommandBuffer> {
    const layer = this.#layers[index];
    if (layer === undefined) return;
    const sizes = this.#listRead(index, tokens).map(({ size }) => size);
    // Asked for before anything else is submitted, which it would wait for.
    const mapped = this.#staging.mapAsync(
      GPUMapMode.READ,
      0,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    mapped.catch(() => undefined); // reported where it is waited for
    const ahead = await this.#bringAhead(layer);
    await waitFor(mapped, this.#pause);
    const chosen = this.#readChosen(layer, sizes, ahead);
    for (const pass of layer.residency.passes(chosen)) {
      await this.#bring(layer, pass);
      this.#counts.expertUses += pass.experts.length;
      this.#counts.expertLoads += pass.loads.length;
      yield await this.#tell(layer.paged, layer.residency, pass.experts);
    }
  }

  async #bring({ paged }: Layer, { loads }: Pass): Promise<void> {
    for (const { expert, slot } of loads) for (const matrix of paged.matrices) await this.#files.load(matrix, expert, slot);
    if (loads.length > 0) await this.#files.flush();
  }

  /** What was guessed and is not there, while the device is on its way to the layer's choices. */
  async #bringAhead(layer: Layer): Promise<readonly number[]> {
    // As many as there are slots for: the first pass.
    const [pass] = layer.residency.passes(layer.foresight.choose(this.#guesses));
    if (pass === undefined) return [];
    await this.#bring(layer, pass);
    this.#counts.expertsAhead += pass.loads.length;
    return pass.loads.map(({ expert }) => expert);
  }

  /** Each expert that some token has, once; the guesses are now those of the next layer. `ahead`: what was brought for this one. */
  #readChosen({ paged, foresight }: Layer, [own = 0, next = 0]: readonly number[], ahead: readonly number[]): number[] {
    const words = new Uint32Array(this.#staging.getMappedRange(0, own + next));
    // Of logits that are no numbers an id may be none; its row is reported by what draws from it.
    for (const expert of words.subarray(0, own / 4)) if (expert < paged.shape.experts) this.#isChosen[expert] = 1;
    foresight.learn(this.#guesses, (expert) => this.#isChosen[expert] === 1);
    this.#guesses.fill(0);
    this.#guesses = this.#guessed.subarray(0, next / 4);
    this.#guesses.set(words.subarray(own / 4));
    this.#staging.unmap();
    this.#counts.expertsForeseen += ahead.filter((expert) => this.#isChosen[expert] === 1).length;
    const chosen: number[] = [];
    for (let expert = 0; expert < paged.shape.experts; expert++) if (this.#isChosen[expert] === 1) chosen.push(expert);
    this.#isChosen.fill(0);
    return chosen;
  }

  /** Where the pass's experts are; the others are behind the last slot. */
  async #tell({ routes, shape, maxTokens, matrices }: PagedExperts, residency: Residency, experts: readonly number[]): Promise<GPUCommandBuffer> {
    await this.#open();
    const slots = this.#slots.subarray(0, shape.experts).fill(matrices[0]?.slots ?? 0);
    for (const expert of experts) slots[expert] = residency.slotOf(expert) ?? 0;
    this.#uploads.add(slots, routes.buffer, routes.offset + (routeConstants(shape, maxTokens)['ROUTE_SLOTS'] ?? 0) * 4);
    slots.fill(0);
    this.#isAway = true;
    return this.#uploads.finish();
  }

  /** Its memory back from what was submitted before. */
  async #open(): Promise<void> {
    if (!this.#isAway) return;
    await waitFor(this.#uploads.request(), this.#pause);
    this.#uploads.recycle();
    this.#isAway = false;
  }

  /** At the end of a step: nothing of it stays in what is mapped. */
  async finish(): Promise<void> {
    await this.#open();
  }
}

/**
 * Owns the way of chosen experts to the device, where there is not room for all: reads what the router chose of a layer, brings what is missing from
 * the files, and tells the kernels where each is. Refuses to run a layer: the runner does, once for each pass. Only here does a choice of the
 * router come to the host; its buffers are scratch, or zeroed with the step's.
 */
import { routeConstants } from '../../kernels/router.ts';
import type { PagedExperts } from '../../models/index.ts';
import type { ExpertFiles } from '../checkpoint/loader.ts';
import type { DeviceMemory } from '../memory.ts';
import { Uploads } from '../uploads.ts';
import { waitFor } from '../waiting.ts';
import { Residency } from './residency.ts';

interface Layer {
  readonly paged: PagedExperts;
  readonly residency: Residency;
}

export class ExpertPager {
  readonly #files: ExpertFiles;
  readonly #layers: readonly Layer[];
  /** Choices of a layer, on their way to the host. */
  readonly #staging: GPUBuffer;
  /** The way of a layer's slots to the routes. */
  readonly #uploads: Uploads;
  #isAway = false;
  /** Experts that were wanted so far, and those of them that were not there. */
  uses = 0;
  loads = 0;
  readonly #slots: Uint32Array;
  readonly #isChosen: Uint8Array;
  readonly #pause: number;

  private constructor(files: ExpertFiles, layers: readonly Layer[], staging: GPUBuffer, uploads: Uploads, pause: number) {
    const most = Math.max(...layers.map(({ paged }) => paged.shape.experts));
    this.#files = files;
    this.#layers = layers;
    this.#staging = staging;
    this.#uploads = uploads;
    this.#slots = new Uint32Array(most);
    this.#isChosen = new Uint8Array(most);
    this.#pause = pause;
  }

  /** `pause`: ms between looks at whether the device has finished. Throws out_of_memory. */
  static async create(device: GPUDevice, memory: DeviceMemory, paged: readonly PagedExperts[], files: ExpertFiles, pause: number): Promise<ExpertPager> {
    const layers = paged.map((layer) => ({ paged: layer, residency: new Residency(layer.shape.experts, layer.matrices[0]?.slots ?? 0) }));
    const most = (of: (layer: PagedExperts) => number): number => Math.max(...paged.map(of)) * 4;
    const staging = memory.create(
      'staging',
      'choices',
      most(({ shape, maxTokens }) => maxTokens * shape.topK),
      GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    );
    const uploads = await Uploads.create(
      device,
      memory,
      most(({ shape }) => shape.experts),
    );
    return new ExpertPager(files, layers, staging, uploads, pause);
  }

  /** Behind a layer's router: its choices to where the host can read them. */
  encodeCopy(encoder: GPUCommandEncoder, index: number, tokens: number): void {
    const layer = this.#layers[index];
    if (layer === undefined) return;
    const { routes, shape } = layer.paged;
    encoder.copyBufferToBuffer(routes.buffer, routes.offset, this.#staging, 0, tokens * shape.topK * 4);
  }

  /** Once that is submitted: for each pass over the layer what to submit before its operations. The pass is over when the next one is asked for. */
  async *passes(index: number, tokens: number): AsyncGenerator<GPUCommandBuffer> {
    const layer = this.#layers[index];
    if (layer === undefined) return;
    const { paged, residency } = layer;
    for (const { experts, loads } of residency.passes(await this.#readChosen(paged, tokens))) {
      for (const { expert, slot } of loads) for (const matrix of paged.matrices) await this.#files.load(matrix, expert, slot);
      if (loads.length > 0) await this.#files.flush();
      this.uses += experts.length;
      this.loads += loads.length;
      yield await this.#tell(paged, residency, experts);
    }
  }

  /** Each expert that some token has, once. */
  async #readChosen({ shape }: PagedExperts, tokens: number): Promise<number[]> {
    const size = tokens * shape.topK * 4;
    await waitFor(this.#staging.mapAsync(GPUMapMode.READ, 0, size), this.#pause);
    // Of logits that are no numbers an id may be none; its row is reported by what draws from it.
    for (const expert of new Uint32Array(this.#staging.getMappedRange(0, size))) if (expert < shape.experts) this.#isChosen[expert] = 1;
    this.#staging.unmap();
    const chosen: number[] = [];
    for (let expert = 0; expert < shape.experts; expert++) if (this.#isChosen[expert] === 1) chosen.push(expert);
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

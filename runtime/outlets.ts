/**
 * Owns what comes out of a step: how it is copied to where the host can read it, and how it is read: results of logit rows where a model ends, rows
 * of tokens where another stage goes on. Refuses to keep anything: what is read is valid until the next step.
 */
import type { Graph, HandedRows } from '../models/index.ts';
import type { DeviceMemory } from './memory.ts';
import { StepResults } from './results.ts';

/** Of a step, as far as it says how much comes out. */
export interface OutletCounts {
  readonly tokens: number;
  readonly logitRows: number;
  readonly wantsLogits: boolean;
}

export interface Outlet<Out> {
  /** Behind the step's dispatches. */
  encode(encoder: GPUCommandEncoder, counts: OutletCounts): void;
  /** Asks for what was copied, right behind the submit. */
  map(counts: OutletCounts): readonly Promise<unknown>[];
  /** Once that is there. */
  read(counts: OutletCounts): Out;
  /** Makes room for logits. Throws out_of_memory. */
  reserveLogits(): void;
}

const stagingUsage = 0x01 | 0x08; // MAP_READ | COPY_DST

/** Of a graph that ends with logits or vectors. */
export class ResultOutlet implements Outlet<StepResults> {
  readonly #memory: DeviceMemory;
  readonly #graph: Graph['results'];
  readonly #rowSize: number;
  readonly #rowStaging: GPUBuffer;
  readonly #results: StepResults;
  #logitStaging: GPUBuffer | undefined;

  constructor(memory: DeviceMemory, { results, settings: { maxLogitRows } }: Graph) {
    const { rows, logits, vocabulary } = results;
    this.#memory = memory;
    this.#graph = results;
    this.#rowSize = logits.size / maxLogitRows;
    this.#rowStaging = memory.create('staging', 'results', rows.size, stagingUsage);
    this.#results = new StepResults(maxLogitRows, vocabulary, this.#rowSize / 4);
  }

  encode(encoder: GPUCommandEncoder, { logitRows, wantsLogits }: OutletCounts): void {
    const { rows, logits } = this.#graph;
    encoder.copyBufferToBuffer(rows.buffer, 0, this.#rowStaging, 0, rows.size);
    if (wantsLogits) encoder.copyBufferToBuffer(logits.buffer, 0, this.#logits(), 0, this.#rowSize * logitRows);
  }

  map({ logitRows, wantsLogits }: OutletCounts): readonly Promise<unknown>[] {
    const rows = this.#rowStaging.mapAsync(GPUMapMode.READ);
    return wantsLogits ? [rows, this.#logits().mapAsync(GPUMapMode.READ, 0, this.#rowSize * logitRows)] : [rows];
  }

  read({ logitRows, wantsLogits }: OutletCounts): StepResults {
    const logits = wantsLogits
      ? new Float32Array(
          this.#logits()
            .getMappedRange(0, this.#rowSize * logitRows)
            .slice(0),
        )
      : undefined;
    this.#results.set(new Uint32Array(this.#rowStaging.getMappedRange()), logits);
    this.#rowStaging.unmap();
    if (wantsLogits) this.#logits().unmap();
    return this.#results;
  }

  /** Made once: few ask for logits. */
  reserveLogits(): void {
    this.#logits();
  }

  #logits(): GPUBuffer {
    this.#logitStaging ??= this.#memory.create('staging', 'logits', this.#graph.logits.size, stagingUsage);
    return this.#logitStaging;
  }
}

/** Of a graph that another stage goes on from: [token][width]. */
export class RowOutlet implements Outlet<Float32Array> {
  readonly #from: HandedRows;
  readonly #pitch: number;
  readonly #staging: GPUBuffer;
  readonly #rows: Float32Array;

  constructor(memory: DeviceMemory, exit: HandedRows, maxTokens: number) {
    this.#from = exit;
    this.#pitch = pitchOf(exit);
    this.#staging = memory.create('staging', 'rows', maxTokens * this.#pitch, stagingUsage);
    this.#rows = new Float32Array(maxTokens * exit.width);
  }

  encode(encoder: GPUCommandEncoder, { tokens }: OutletCounts): void {
    const { vectors, width } = this.#from;
    if (tokens === 0) return;
    if ('buffer' in vectors) encoder.copyBufferToBuffer(vectors.buffer, vectors.offset, this.#staging, 0, tokens * this.#pitch);
    else encoder.copyTextureToBuffer({ texture: vectors.texture }, { buffer: this.#staging, bytesPerRow: this.#pitch }, { width: width / 4, height: tokens });
  }

  map({ tokens }: OutletCounts): readonly Promise<unknown>[] {
    return tokens === 0 ? [] : [this.#staging.mapAsync(GPUMapMode.READ, 0, tokens * this.#pitch)];
  }

  /** Whoever has used them overwrites them. */
  read({ tokens }: OutletCounts): Float32Array {
    if (tokens === 0) return this.#rows.subarray(0, 0);
    const { width } = this.#from;
    const mapped = new Float32Array(this.#staging.getMappedRange(0, tokens * this.#pitch));
    for (let token = 0; token < tokens; token++) {
      const first = (token * this.#pitch) / 4;
      this.#rows.set(mapped.subarray(first, first + width), token * width);
    }
    this.#staging.unmap();
    return this.#rows.subarray(0, tokens * width);
  }

  reserveLogits(): void {
    // There are none here.
  }
}

/** Bytes from row to row of a copy: between a texture and a buffer a multiple of 256. */
export function pitchOf({ vectors, width }: HandedRows): number {
  return 'buffer' in vectors ? width * 4 : Math.ceil((width * 4) / 256) * 256;
}

/**
 * Owns the way of batches through several stages, of which the first is here: each is cut into parts, and while the next stage works on one the first works
 * on the next, of the same step or of one behind it. To the engine it is a runner like that of one device. Refuses to go on when a stage is gone.
 */
import { InwardError } from '../errors.ts';
import type { FreeBlocks } from '../residue.ts';
import { StepResults } from '../results.ts';
import type { Runner } from '../runner.ts';
import type { Batch } from '../scheduling/batch.ts';
import { type BatchPart, BatchParts, countParts } from '../scheduling/parts.ts';
import type { ZeroReport } from '../types.ts';
import type { Ring, RingMessage } from './ring.ts';

export interface StagedOptions {
  readonly vocabularySize: number;
  readonly maxLogitRows: number;
  /** Parts of a step at most, and tokens of a part at least. */
  readonly microBatches: number;
  readonly leastTokens: number;
}

type Answer = Exclude<RingMessage, { readonly type: 'step' }>;

export class StagedRunner {
  readonly #first: Runner<Float32Array>;
  readonly #ring: Ring;
  readonly #options: StagedOptions;
  /** Of each batch that may be under way. */
  readonly #places: ReadonlyMap<Batch, { readonly parts: BatchParts; readonly results: StepResults }>;
  /** Once all parts of the last step are on their way. */
  #sent: Promise<unknown> = Promise.resolve();
  /** Of what went round and has not come back, in order. */
  readonly #waiting: PromiseWithResolvers<Answer>[] = [];
  #isBroken = false;
  #dispatches = 0;
  #submittedAt = 0;

  constructor(first: Runner<Float32Array>, ring: Ring, batches: readonly Batch[], options: StagedOptions) {
    this.#first = first;
    this.#ring = ring;
    this.#options = options;
    const { maxLogitRows, vocabularySize } = options;
    // Rows of logits are whole vectors of four.
    const createResults = (): StepResults => new StepResults(maxLogitRows, vocabularySize, Math.ceil(vocabularySize / 4) * 4);
    this.#places = new Map(batches.map((batch) => [batch, { parts: new BatchParts(batch), results: createResults() }]));
    ring.listen({
      message: (message) => message.type !== 'step' && this.#waiting.shift()?.resolve(message),
      closed: () => this.#break(),
    });
  }

  /** Dispatches of the last step, on this device. */
  get dispatchCount(): number {
    return this.#dispatches;
  }

  /** When the last part of the last step had been handed to this device, on the clock of performance.now(). */
  get submittedAt(): number {
    return this.#submittedAt;
  }

  /** Of the layers on this device. */
  get expertCounts(): Runner<Float32Array>['expertCounts'] {
    return this.#first.expertCounts;
  }

  /** The last stage has room for logits from the start. */
  reserveLogits(): void {
    this.#first.reserveLogits();
  }

  /** Runs one step, in `most` parts at most, behind those that are under way. Resolves with a row for each logit row, valid until the batch's next step. Throws stage_lost. */
  async run(batch: Batch, most: number = this.#options.microBatches): Promise<StepResults> {
    const place = this.#places.get(batch);
    if (place === undefined) throw new InwardError('internal', { part: 'the stages' });
    const { parts: cutter, results } = place;
    const parts = cutter.split(countParts(batch.counts.tokens, most, this.#options.leastTokens));
    try {
      const answers = this.#sent.then(() => this.#send(parts));
      this.#sent = answers.catch(() => undefined);
      join(results, parts, await Promise.all(await answers));
      return results;
    } finally {
      cutter.zero();
    }
  }

  /** One part after the other. */
  async #send(parts: readonly BatchPart[]): Promise<Promise<Answer>[]> {
    this.#dispatches = 0;
    const answers: Promise<Answer>[] = [];
    for (const part of parts) {
      const rows = await this.#first.run(part);
      this.#dispatches += this.#first.dispatchCount;
      this.#submittedAt = this.#first.submittedAt;
      const { counts, masks, wantsLogits, hasDeparted } = part;
      answers.push(this.#ask({ type: 'step', counts, masks, wantsLogits, hasDeparted, words: part.seal(), rows }));
      rows.fill(0);
    }
    return answers;
  }

  /** Sends something round, and gives what comes back. */
  #ask(message: RingMessage): Promise<Answer> {
    const answer = Promise.withResolvers<Answer>();
    // A part behind it may fail before anybody waits for this one.
    answer.promise.catch(() => undefined);
    if (this.#isBroken) answer.reject(new InwardError('stage_lost', { reason: 'its pipe is closed' }));
    else {
      this.#waiting.push(answer);
      this.#ring.send(message);
    }
    return answer.promise;
  }

  /** Counts words that are not zero in free blocks and scratch, of all stages. No step may run meanwhile. */
  async readResidue(free: FreeBlocks, blockCount: number): Promise<ZeroReport> {
    const report = await this.#first.readResidue(free, blockCount);
    const answer = await this.#ask({ type: 'check', kv: Uint32Array.from(free.kv), state: Uint32Array.from(free.state), blockCount, report });
    if (answer.type !== 'check') throw new InwardError('internal', { part: 'the stages' });
    return answer.report;
  }

  #break(): void {
    this.#isBroken = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new InwardError('stage_lost', { reason: 'its pipe is closed' }));
  }
}

function join(results: StepResults, parts: readonly BatchPart[], answers: readonly Answer[]): void {
  parts.forEach(({ firstRow }, i) => {
    const answer = answers[i];
    if (answer?.type !== 'results') throw new InwardError('internal', { part: 'the stages' });
    results.put(firstRow, answer.words, answer.logits);
    answer.words.fill(0);
    answer.logits?.fill(0);
  });
}

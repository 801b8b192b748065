/**
 * Owns the queues and decides what a step computes: continuous batching, chunked prefill under a token budget,
 * admission, deadlines, preemption by recompute, and what a result means for a sequence. Pure and synchronous: no GPU,
 * no I/O, and time only through the clock that it is given.
 */
import type { Batch } from './batch.ts';
import type { BlockPool } from './blocks.ts';
import { InwardError } from './errors.ts';
import type { RowResults } from './results.ts';
import type { Sequence } from './sequence.ts';
import type { FinishReason, TokenLogprobs } from './types.ts';

export interface SchedulerLimits {
  readonly maxSequences: number;
  readonly queueLength: number;
  readonly tokenBudget: number;
  readonly blockLength: number;
}

export class Scheduler {
  readonly #limits: SchedulerLimits;
  readonly #pool: BlockPool;
  readonly #now: () => number;
  readonly #waiting: Sequence[] = [];
  /** In order of admission: the newest is last, and the first to be preempted. */
  readonly #running: Sequence[] = [];
  /** A sequence has given its blocks back since the last batch. */
  #hasDeparted = false;
  #preemptions = 0;
  #promptTokens = 0;
  #generatedTokens = 0;

  /** `now`: the clock of the sequences' deadlines, in ms. */
  constructor(limits: SchedulerLimits, pool: BlockPool, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#pool = pool;
    this.#now = now;
  }

  get runningCount(): number {
    return this.#running.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Sequences whose readers are behind. */
  get parkedCount(): number {
    return this.#all.filter(({ isParked }) => isParked).length;
  }

  /** The earliest deadline, on the clock's scale; Infinity if there is none. */
  get nextDeadline(): number {
    return this.#all.reduce((earliest, { deadline }) => Math.min(earliest, deadline), Number.POSITIVE_INFINITY);
  }

  get #all(): Sequence[] {
    return [...this.#waiting, ...this.#running];
  }

  /** Times a sequence had to give its blocks back and start over. */
  get preemptionCount(): number {
    return this.#preemptions;
  }

  /** Prompt tokens put into batches; those of a preempted sequence count again. */
  get promptTokenCount(): number {
    return this.#promptTokens;
  }

  /** Tokens that sequences have gained. */
  get generatedTokenCount(): number {
    return this.#generatedTokens;
  }

  /** Whether a step would do anything (zeroing what others have left counts). */
  get hasWork(): boolean {
    return this.#running.length > 0 || this.#waiting.length > 0 || this.#pool.dirtyCount > 0 || this.#hasDeparted;
  }

  /** Throws queue_full. */
  add(sequence: Sequence): void {
    const { maxSequences, queueLength } = this.#limits;
    if (this.#running.length + this.#waiting.length >= maxSequences + queueLength) throw new InwardError('queue_full', { limit: maxSequences + queueLength });
    this.#waiting.push(sequence);
  }

  /** Fills the batch. It stays empty only if nothing can change before a sequence arrives or is aborted. */
  schedule(batch: Batch): void {
    this.#fill(batch);
    // Preemption may have taken place before anything found room: the blocks are there now.
    if (batch.isEmpty && this.#pool.dirtyCount > 0) this.#fill(batch);
    batch.hasDeparted = this.#hasDeparted;
    this.#hasDeparted = false;
  }

  /** Advances the sequences of a step that has run. */
  commit(batch: Batch, results: RowResults): void {
    for (let row = 0; row < batch.counts.logitRows; row++) {
      const sequence = batch.rowSequences[row];
      const position = batch.rowPositions[row] ?? 0;
      if (sequence === undefined || sequence.aborted) continue;
      if (results.isBroken(row)) fail(sequence, new InwardError('logits_invalid'));
      else if (position < sequence.promptLength - 1) {
        sequence.reported = position + 1;
        sequence.sink.event({ type: 'prompt', position, ...details(results, row, sequence.logits === 'all', sequence.promptLogprobs) });
      } else this.#append(sequence, row, results);
    }
  }

  /** Ends every sequence with an error (device lost, shutdown). */
  failAll(error: InwardError): void {
    for (const sequence of this.#all) fail(sequence, error);
    this.#dropAborted();
  }

  /** Aborted and late sequences leave first, so that their blocks are zeroed by this very step. */
  #fill(batch: Batch): void {
    batch.reset();
    this.#failLate();
    this.#dropAborted();
    for (const block of this.#pool.clean()) batch.addClear(block);
    let budget = this.#limits.tokenBudget;
    // Decoding sequences first: a long prompt must not make others wait.
    for (const sequence of [...this.#running]) {
      if (sequence.pending === 1 && budget > 0) budget -= this.#place(batch, sequence, 1);
    }
    for (const sequence of [...this.#running]) {
      if (sequence.pending > 1 && budget > 0) budget -= this.#place(batch, sequence, budget);
    }
    while (budget > 0 && this.#running.length < this.#limits.maxSequences) {
      const sequence = this.#admit();
      if (sequence === undefined) break;
      this.#running.push(sequence);
      budget -= this.#place(batch, sequence, budget);
    }
  }

  /** Puts up to `most` pending tokens of a running sequence into the batch; returns how many. */
  #place(batch: Batch, sequence: Sequence, most: number): number {
    if (sequence.isParked || !this.#running.includes(sequence)) return 0;
    let count = Math.min(most, sequence.pending);
    const scoring = sequence.isScoring && sequence.computed < sequence.promptLength - 1;
    const freeRows = batch.limits.maxLogitRows - batch.counts.logitRows;
    if (scoring) count = Math.min(count, freeRows);
    if (count <= 0 || freeRows <= 0) return 0;
    // The last token asks for a choice, which brings its edits; without room for them it waits for the next step.
    if (count === sequence.pending && (sequence.edits?.length ?? 0) > batch.freeEdits) return 0;
    if (!this.#grow(batch, sequence, sequence.computed + count)) return 0;
    const first = batch.counts.tokens;
    batch.addTokens(sequence, count);
    for (let i = 0; i < count; i++) {
      const position = sequence.computed + i;
      const isLast = position === sequence.length - 1;
      // After a preemption generated tokens stand behind the prompt: they were drawn already.
      const isUnreported = scoring && position >= sequence.reported && position < sequence.promptLength - 1;
      if (isLast) batch.addChoice(sequence, first + i, position);
      else if (isUnreported) batch.addScore(sequence, first + i, position);
    }
    this.#promptTokens += Math.max(0, Math.min(count, sequence.promptLength - sequence.computed));
    sequence.computed += count;
    return count;
  }

  /**
   * Gives the sequence blocks for `length` tokens. False: not this step. If those that the next step zeroes are too
   * few, sequences that are not in the batch yet go back to the queue: parked ones first, then the newest.
   */
  #grow(batch: Batch, sequence: Sequence, length: number): boolean {
    const needed = this.#blocksFor(length) - sequence.blocks.length;
    if (needed <= this.#pool.freeCount) {
      for (let i = 0; i < needed; i++) sequence.blocks.push(this.#pool.take());
      return true;
    }
    while (needed > this.#pool.freeCount + this.#pool.dirtyCount && this.#running.length > 1) {
      const outside = this.#running.filter((running) => !batch.sequences.includes(running));
      const victim = outside.findLast(({ isParked }) => isParked) ?? outside.at(-1);
      if (victim === undefined) break;
      this.#preempt(victim);
      if (victim === sequence) break;
    }
    return false;
  }

  /** Back to the head of the queue; its tokens are kept and computed anew, so none is lost or drawn twice. */
  #preempt(sequence: Sequence): void {
    this.#release(sequence);
    sequence.computed = 0;
    this.#waiting.unshift(sequence);
    this.#preemptions++;
  }

  #release(sequence: Sequence): void {
    this.#hasDeparted ||= sequence.blocks.length > 0;
    this.#pool.give(sequence.blocks);
    sequence.blocks = [];
    const index = this.#running.indexOf(sequence);
    if (index >= 0) this.#running.splice(index, 1);
  }

  /** Takes the first of the queue that is not parked, if the pool holds all its tokens and one block more: no thrashing. */
  #admit(): Sequence | undefined {
    const index = this.#waiting.findIndex(({ isParked }) => !isParked);
    const next = this.#waiting[index];
    if (next === undefined || this.#blocksFor(next.length) + 1 > this.#pool.freeCount) return undefined;
    this.#waiting.splice(index, 1);
    return next;
  }

  #blocksFor(length: number): number {
    return Math.ceil(length / this.#limits.blockLength);
  }

  #append(sequence: Sequence, row: number, results: RowResults): void {
    if (sequence.maxTokens === 0) {
      this.#finish(sequence, 'length');
      return;
    }
    const id = results.id(row);
    sequence.append(id);
    this.#generatedTokens++;
    sequence.sink.event({ type: 'token', id, ...details(results, row, sequence.logits !== 'none', sequence.logprobs) });
    if (sequence.stopIds.has(id)) this.#finish(sequence, 'stop');
    else if (sequence.generated >= sequence.maxTokens) this.#finish(sequence, 'length');
  }

  #finish(sequence: Sequence, reason: FinishReason): void {
    this.#release(sequence);
    sequence.sink.event({ type: 'end', reason, promptTokens: sequence.promptLength, completionTokens: sequence.generated });
    sequence.zero();
  }

  #failLate(): void {
    const now = this.#now();
    // Without a list of both: this is once a step.
    for (const sequences of [this.#running, this.#waiting])
      for (const sequence of sequences)
        if (sequence.deadline <= now && !sequence.aborted) fail(sequence, new InwardError('deadline_exceeded', { limit: sequence.deadlineMs }));
  }

  #dropAborted(): void {
    if (!this.#running.some(isAborted) && !this.#waiting.some(isAborted)) return;
    for (const sequence of this.#all.filter(isAborted)) {
      this.#release(sequence);
      sequence.zero();
    }
    const waiting = this.#waiting.filter((sequence) => !sequence.aborted);
    this.#waiting.splice(0, this.#waiting.length, ...waiting);
  }
}

const isAborted = ({ aborted }: Sequence): boolean => aborted;

function fail(sequence: Sequence, error: InwardError): void {
  sequence.sink.fail(error);
  sequence.aborted = true;
}

/** What an event carries beside its token. */
function details(
  results: RowResults,
  row: number,
  withLogits: boolean,
  logprobs: number | undefined,
): { readonly logits?: Float32Array; readonly logprobs?: TokenLogprobs } {
  return {
    ...(withLogits && { logits: results.logits(row) }),
    ...(logprobs !== undefined && { logprobs: results.logprobs(row, logprobs) }),
  };
}

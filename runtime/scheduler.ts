/**
 * Owns the queues and decides what a step computes: continuous batching, chunked prefill under a token budget,
 * admission, preemption by recompute, and what a result means for a sequence. Pure and synchronous: no GPU, no I/O.
 */
import type { Batch } from './batch.ts';
import type { BlockPool } from './blocks.ts';
import { InwardError } from './errors.ts';
import type { Sequence } from './sequence.ts';
import type { FinishReason, TokenId } from './types.ts';

export interface SchedulerLimits {
  readonly maxSequences: number;
  readonly queueLength: number;
  readonly tokenBudget: number;
  readonly blockLength: number;
}

export class Scheduler {
  readonly #limits: SchedulerLimits;
  readonly #pool: BlockPool;
  readonly #waiting: Sequence[] = [];
  /** In order of admission: the newest is last, and the first to be preempted. */
  readonly #running: Sequence[] = [];
  #preemptions = 0;
  #promptTokens = 0;
  #generatedTokens = 0;

  constructor(limits: SchedulerLimits, pool: BlockPool) {
    this.#limits = limits;
    this.#pool = pool;
  }

  get runningCount(): number {
    return this.#running.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
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

  /** Whether a step would do anything (zeroing freed blocks counts). */
  get hasWork(): boolean {
    return this.#running.length > 0 || this.#waiting.length > 0 || this.#pool.dirtyCount > 0;
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
  }

  /** Advances the sequences of a step that has run. `ids`: one token a logit row; `logits(row)`: that row on the host. */
  commit(batch: Batch, ids: Uint32Array, logits: (row: number) => Float32Array): void {
    for (let row = 0; row < batch.counts.logitRows; row++) {
      const sequence = batch.rowSequences[row];
      const position = batch.rowPositions[row] ?? 0;
      if (sequence === undefined || sequence.aborted) continue;
      if (position < sequence.promptLength - 1) {
        sequence.reported = position + 1;
        sequence.sink.event({ type: 'prompt', position, logits: logits(row) });
      } else this.#append(sequence, ids[row] as TokenId, sequence.logits === 'none' ? undefined : logits(row));
    }
  }

  /** Ends every sequence with an error (device lost, shutdown). */
  failAll(error: InwardError): void {
    for (const sequence of [...this.#waiting, ...this.#running]) {
      sequence.sink.fail(error);
      sequence.aborted = true;
    }
    this.#dropAborted();
  }

  /** Aborted sequences leave first, so that their blocks are zeroed by this very step. */
  #fill(batch: Batch): void {
    batch.reset();
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
    while (budget > 0 && this.#running.length < this.#limits.maxSequences && this.#canAdmit()) {
      const sequence = this.#waiting.shift();
      if (sequence === undefined) break;
      this.#running.push(sequence);
      budget -= this.#place(batch, sequence, budget);
    }
  }

  /** Puts up to `most` pending tokens of a running sequence into the batch; returns how many. */
  #place(batch: Batch, sequence: Sequence, most: number): number {
    if (!this.#running.includes(sequence)) return 0;
    let count = Math.min(most, sequence.pending);
    const scoring = sequence.logits === 'all' && sequence.computed < sequence.promptLength - 1;
    const freeRows = batch.limits.maxLogitRows - batch.counts.logitRows;
    if (scoring) count = Math.min(count, freeRows);
    if (count <= 0 || freeRows <= 0) return 0;
    if (!this.#grow(batch, sequence, sequence.computed + count)) return 0;
    const first = batch.counts.tokens;
    batch.addTokens(sequence, count);
    for (let i = 0; i < count; i++) {
      const position = sequence.computed + i;
      const isLast = position === sequence.length - 1;
      // After a preemption generated tokens stand behind the prompt: they were drawn already.
      const isUnreported = scoring && position >= sequence.reported && position < sequence.promptLength - 1;
      if (isLast || isUnreported) batch.addLogitRow(sequence, first + i, position);
    }
    this.#promptTokens += Math.max(0, Math.min(count, sequence.promptLength - sequence.computed));
    sequence.computed += count;
    return count;
  }

  /**
   * Gives the sequence blocks for `length` tokens. False: not this step. If those that the next step zeroes are too
   * few, the newest sequences that are not in the batch yet go back to the queue.
   */
  #grow(batch: Batch, sequence: Sequence, length: number): boolean {
    const needed = this.#blocksFor(length) - sequence.blocks.length;
    if (needed <= this.#pool.freeCount) {
      for (let i = 0; i < needed; i++) sequence.blocks.push(this.#pool.take());
      return true;
    }
    while (needed > this.#pool.freeCount + this.#pool.dirtyCount && this.#running.length > 1) {
      const victim = this.#running.findLast((running) => !batch.sequences.includes(running));
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
    this.#pool.give(sequence.blocks);
    sequence.blocks = [];
    const index = this.#running.indexOf(sequence);
    if (index >= 0) this.#running.splice(index, 1);
  }

  /** The head of the queue comes in when the pool holds all its tokens and one block more: no thrashing. */
  #canAdmit(): boolean {
    const next = this.#waiting[0];
    return next !== undefined && this.#blocksFor(next.length) + 1 <= this.#pool.freeCount;
  }

  #blocksFor(length: number): number {
    return Math.ceil(length / this.#limits.blockLength);
  }

  #append(sequence: Sequence, id: TokenId, logits: Float32Array | undefined): void {
    if (sequence.maxTokens === 0) {
      this.#finish(sequence, 'length');
      return;
    }
    sequence.ids[sequence.length++] = id;
    this.#generatedTokens++;
    sequence.sink.event(logits === undefined ? { type: 'token', id } : { type: 'token', id, logits });
    if (sequence.stopIds.has(id)) this.#finish(sequence, 'stop');
    else if (sequence.generated >= sequence.maxTokens) this.#finish(sequence, 'length');
  }

  #finish(sequence: Sequence, reason: FinishReason): void {
    this.#release(sequence);
    sequence.sink.event({ type: 'end', reason, promptTokens: sequence.promptLength, completionTokens: sequence.generated });
    sequence.zero();
  }

  #dropAborted(): void {
    for (const sequence of [...this.#running, ...this.#waiting]) {
      if (!sequence.aborted) continue;
      this.#release(sequence);
      sequence.zero();
    }
    const waiting = this.#waiting.filter((sequence) => !sequence.aborted);
    this.#waiting.splice(0, this.#waiting.length, ...waiting);
  }
}

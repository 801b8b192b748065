/**
 * Owns what one step computes, as the one array that is uploaded: counts, per-token, per-item, per-logit-row
 * sections, block tables and logit edits at fixed word offsets (the BATCH_ constants that kernels get through lib/batch.wgsl).
 * Arrays of the maximum size, made once. Refuses to decide what goes in.
 */
import type { StepCounts } from '../../kernels/kernel.ts';
import type { BlockId } from '../types.ts';
import { editLength } from './edits.ts';
import { isLong, type Sequence } from './sequence.ts';

export interface BatchLimits {
  readonly maxTokens: number;
  readonly maxSequences: number;
  readonly maxLogitRows: number;
  readonly contextLength: number;
  /** Blocks of the pool (as many can be cleared in a step). */
  readonly blockCount: number;
  readonly blockLength: number;
  /** KV positions of an item of attention at least, a multiple of the block length; default that of CPU devices. */
  readonly leastItem?: number;
  /** Changed logits of a step, over all rows. */
  readonly maxEdits: number;
  /** See ModelShape. */
  readonly longFrom?: number | undefined;
  /** A token sees all of its sequence, not only what stands before it; a sequence's tokens are all in one step. */
  readonly isEncoder?: boolean;
  /** See ModelShape. */
  readonly foresees?: boolean | undefined;
}

/** Words for the counts. */
const headerLength = 8;

/** Beside a block of state (kernels/lib/states.wgsl): the sequence begins, and what the block holds counts as zero. */
export const startsAnew: number = 2 ** 31;

/** Beside a row of logits, in place of a token's next one: the one that the row chooses (kernels/lookup/next.wgsl). */
const chosenBy = 2 ** 31;

/** In place of a token whose log-probability is asked for: the one that the row chooses. */
const chosen = 0xffffffff;

/** Attention of one token is cut into at most so many items; where it is cut depends on its position alone, so that sums are the same in every batch. */
const maxItemsPerToken = 16;
/** KV positions of an item at least. A GPU has room for many workgroups, and each waits for memory at every turn. */
export const leastItems = { cpu: 512, gpu: 128 };

/** KV positions of one item for a token that sees `length` positions. */
export function itemLength(length: number, blockLength: number, least: number = leastItems.cpu): number {
  const even = Math.ceil(length / maxItemsPerToken / blockLength) * blockLength;
  return Math.max(least, even);
}

export class Batch {
  readonly limits: BatchLimits;
  readonly words: Uint32Array;
  readonly #floats: Float32Array;
  /** Constants for kernels: BATCH_ offsets in words, TABLE_LENGTH in blocks, TOKEN_ITEMS_LIMIT: items that a token may have. */
  readonly layout: Readonly<Record<string, number>>;
  readonly maxItems: number;
  readonly counts: Required<StepCounts> = { tokens: 0, logitRows: 0, items: 0, clears: 0, copies: 0, sequences: 0, stateClears: 0 };
  /** The sequence of every logit row, and the position whose logits the row holds. */
  readonly rowSequences: Sequence[] = [];
  readonly rowPositions: number[] = [];
  /** Logit rows that choose among some ids only, with the mask of each (kernels/sample.ts); the runner uploads them. */
  readonly masks: { readonly row: number; readonly words: Uint32Array<ArrayBuffer> }[] = [];
  /** Sequences in this step, in table order. */
  readonly sequences: Sequence[] = [];
  wantsLogits = false;
  /** A sequence has ended, been cancelled or preempted since the last step: scratch is zeroed too (runner.ts). */
  hasDeparted = false;
  #edits = 0;

  constructor(limits: BatchLimits) {
    this.limits = limits;
    const { maxTokens, maxLogitRows, maxSequences, leastItem = leastItems.cpu } = limits;
    const tableLength = Math.ceil(limits.contextLength / limits.blockLength);
    this.maxItems = maxTokens * Math.min(maxItemsPerToken, Math.ceil(limits.contextLength / leastItem));
    let next = headerLength;
    const section = (length: number): number => {
      const start = next;
      next += length;
      return start;
    };
    this.layout = {
      BATCH_IDS: section(maxTokens),
      BATCH_POSITIONS: section(maxTokens),
      BATCH_SLOTS: section(maxTokens),
      BATCH_ROWS: section(maxTokens),
      BATCH_NEXT_IDS: section(limits.foresees ? maxTokens : 0),
      BATCH_TOKEN_ITEMS: section(maxTokens + 1),
      BATCH_ITEM_TOKENS: section(this.maxItems),
      BATCH_ITEM_STARTS: section(this.maxItems),
      BATCH_ITEM_ENDS: section(this.maxItems),
      BATCH_LOGIT_TOKENS: section(maxLogitRows),
      BATCH_TEMPERATURES: section(maxLogitRows),
      BATCH_TOP_KS: section(maxLogitRows),
      BATCH_TOP_PS: section(maxLogitRows),
      BATCH_MIN_PS: section(maxLogitRows),
      BATCH_SEEDS: section(maxLogitRows),
      BATCH_DRAWS: section(maxLogitRows),
      BATCH_TOPS: section(maxLogitRows),
      BATCH_TARGETS: section(maxLogitRows),
      BATCH_MASKED: section(maxLogitRows),
      BATCH_EDIT_STARTS: section(maxLogitRows + 1),
      BATCH_CLEARS: section(limits.blockCount),
      BATCH_COPY_FROMS: section(maxSequences),
      BATCH_COPY_TOS: section(maxSequences),
      BATCH_COPY_SLOTS: section(maxSequences),
      BATCH_STATES: section(maxSequences),
      BATCH_RUNS: section(maxSequences + 1),
      BATCH_STATE_CLEARS: section(maxSequences),
      BATCH_TABLES: section(maxSequences * tableLength),
      // Last, so that what is not used is not uploaded.
      BATCH_EDITS: section(limits.maxEdits * editLength),
      TABLE_LENGTH: tableLength,
      TOKEN_ITEMS_LIMIT: this.maxItems / maxTokens,
    };
    this.words = new Uint32Array(next);
    this.#floats = new Float32Array(this.words.buffer);
  }

  /** Whether a step of it would do nothing. */
  get isEmpty(): boolean {
    const { tokens, clears, copies, stateClears } = this.counts;
    return tokens === 0 && clears === 0 && copies === 0 && stateClears === 0 && !this.hasDeparted;
  }

  reset(): void {
    const { counts } = this;
    counts.tokens = counts.logitRows = counts.items = counts.clears = counts.copies = counts.sequences = counts.stateClears = 0;
    this.rowSequences.length = this.rowPositions.length = this.sequences.length = this.masks.length = 0;
    this.wantsLogits = this.hasDeparted = false;
    this.#edits = 0;
  }

  /** Changed logits that still find room. */
  get freeEdits(): number {
    return this.limits.maxEdits - this.#edits;
  }

  addClear(block: number): void {
    this.words[this.#at('BATCH_CLEARS') + this.counts.clears++] = block;
  }

  /** A block of recurrent state, in every layer that has some. */
  addStateClear(block: number): void {
    this.words[this.#at('BATCH_STATE_CLEARS') + this.counts.stateClears++] = block;
  }

  /** Copies that still find room: one a sequence. */
  get freeCopies(): number {
    return this.limits.maxSequences - this.counts.copies;
  }

  /** The first `slots` slots of block `from` to block `to`, in every layer, after the clears and before any token is stored. */
  addCopy(from: BlockId, to: BlockId, slots: number): void {
    const copy = this.counts.copies++;
    this.words[this.#at('BATCH_COPY_FROMS') + copy] = from;
    this.words[this.#at('BATCH_COPY_TOS') + copy] = to;
    this.words[this.#at('BATCH_COPY_SLOTS') + copy] = slots;
  }

  /** Adds tokens [computed, computed + count) of a sequence whose blocks are in place. */
  addTokens(sequence: Sequence, count: number): void {
    const { words, limits } = this;
    const table = this.counts.sequences++;
    this.sequences.push(sequence);
    words.set(sequence.blocks, this.#at('BATCH_TABLES') + table * this.#at('TABLE_LENGTH'));
    words[this.#at('BATCH_RUNS') + table] = this.counts.tokens;
    words[this.#at('BATCH_STATES') + table] = (sequence.state ?? 0) + (sequence.computed === 0 ? startsAnew : 0);
    // The second half of the table of rotations is for long sequences.
    const turn = isLong(sequence, limits.longFrom) ? limits.contextLength : 0;
    for (let i = 0; i < count; i++) {
      const token = this.counts.tokens++;
      const position = sequence.computed + i;
      words[this.#at('BATCH_IDS') + token] = sequence.ids[position] ?? 0;
      words[this.#at('BATCH_POSITIONS') + token] = turn + position;
      words[this.#at('BATCH_SLOTS') + token] =
        (sequence.blocks[Math.floor(position / limits.blockLength)] ?? 0) * limits.blockLength + (position % limits.blockLength);
      words[this.#at('BATCH_ROWS') + token] = table;
      if (limits.foresees) words[this.#at('BATCH_NEXT_IDS') + token] = sequence.ids[position + 1] ?? 0;
      this.#addItems(token, limits.isEncoder ? sequence.length : position + 1);
    }
  }

  /** Asks for a token drawn from the logits of the batch's token that stands at `position` of the sequence, the last one known. */
  addChoice(sequence: Sequence, token: number, position: number): void {
    const { sampling, edits, logprobs } = sequence;
    const row = this.#addRow(sequence, token, position);
    if (this.limits.foresees) this.words[this.#at('BATCH_NEXT_IDS') + token] = chosenBy + row;
    this.#floats[this.#at('BATCH_TEMPERATURES') + row] = sampling.temperature;
    this.words[this.#at('BATCH_TOP_KS') + row] = sampling.topK;
    this.#floats[this.#at('BATCH_TOP_PS') + row] = sampling.topP;
    this.#floats[this.#at('BATCH_MIN_PS') + row] = sampling.minP;
    this.words[this.#at('BATCH_SEEDS') + row] = sampling.seed;
    this.words[this.#at('BATCH_DRAWS') + row] = position;
    this.words[this.#at('BATCH_TOPS') + row] = logprobs === undefined ? 0 : logprobs + 1;
    this.words[this.#at('BATCH_TARGETS') + row] = chosen;
    const { allowed } = sequence;
    if (allowed !== undefined) {
      this.words[this.#at('BATCH_MASKED') + row] = 1;
      this.masks.push({ row, words: allowed });
    }
    edits?.write(this.words, this.#floats, this.#at('BATCH_EDITS') + this.#edits * editLength);
    this.#edits += edits?.length ?? 0;
  }

  /** Asks what the model says at `position` of a prompt about the token that follows there. */
  addScore(sequence: Sequence, token: number, position: number): void {
    const row = this.#addRow(sequence, token, position);
    this.words[this.#at('BATCH_TEMPERATURES') + row] = 0;
    this.words[this.#at('BATCH_TOPS') + row] = sequence.promptLogprobs === undefined ? 0 : sequence.promptLogprobs + 1;
    this.words[this.#at('BATCH_TARGETS') + row] = sequence.ids[position + 1] ?? 0;
  }

  #addRow(sequence: Sequence, token: number, position: number): number {
    const row = this.counts.logitRows++;
    this.words[this.#at('BATCH_LOGIT_TOKENS') + row] = token;
    this.words[this.#at('BATCH_EDIT_STARTS') + row] = this.#edits;
    this.words[this.#at('BATCH_MASKED') + row] = 0;
    this.rowSequences.push(sequence);
    this.rowPositions.push(position);
    this.wantsLogits ||= this.limits.isEncoder === true || sequence.logits !== 'none';
    return row;
  }

  /** Writes the header and the ends of lists; returns the words to upload. */
  seal(): Uint32Array {
    const { counts, words } = this;
    words[0] = counts.tokens;
    words[1] = counts.logitRows;
    words[2] = counts.items;
    words[3] = counts.clears;
    words[4] = counts.copies;
    words[this.#at('BATCH_TOKEN_ITEMS') + counts.tokens] = counts.items;
    words[this.#at('BATCH_EDIT_STARTS') + counts.logitRows] = this.#edits;
    words[this.#at('BATCH_RUNS') + counts.sequences] = counts.tokens;
    return words.subarray(0, this.#end);
  }

  /** Overwrites the host's copy of token ids. */
  zero(): void {
    this.words.fill(0, 0, this.#end);
  }

  /** Behind the last word in use. */
  get #end(): number {
    return this.#at('BATCH_EDITS') + this.#edits * editLength;
  }

  #addItems(token: number, length: number): void {
    const step = itemLength(length, this.limits.blockLength, this.limits.leastItem);
    this.words[this.#at('BATCH_TOKEN_ITEMS') + token] = this.counts.items;
    for (let start = 0; start < length; start += step) {
      const item = this.counts.items++;
      this.words[this.#at('BATCH_ITEM_TOKENS') + item] = token;
      this.words[this.#at('BATCH_ITEM_STARTS') + item] = start;
      this.words[this.#at('BATCH_ITEM_ENDS') + item] = Math.min(length, start + step);
    }
  }

  #at(name: string): number {
    return this.layout[name] ?? 0;
  }
}

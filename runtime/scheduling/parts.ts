/**
 * Owns the cutting of a batch into parts that stages compute one behind the other (micro-batches): runs of its tokens, each a step of the same layout by
 * itself. What is cleared and copied is done in the first one. Refuses to decide how many there are, and to change what any token sees.
 */
import type { StepCounts } from '../../kernels/kernel.ts';
import { type Batch, startsAnew } from './batch.ts';
import { editLength } from './edits.ts';

/** What a runner needs of a batch. */
export interface Step {
  readonly counts: Required<StepCounts>;
  /** Logit rows that choose among some ids only. */
  readonly masks: readonly { readonly row: number; readonly words: Uint32Array<ArrayBuffer> }[];
  readonly wantsLogits: boolean;
  readonly hasDeparted: boolean;
  /** The words to upload. */
  seal(): Uint32Array;
}

/** A run of a batch's tokens. */
export interface BatchPart extends Step {
  /** Its first logit row in the batch. */
  readonly firstRow: number;
}

/** Sections of a number a token or a logit row that stay as they are. */
const tokenSections = ['BATCH_IDS', 'BATCH_POSITIONS', 'BATCH_SLOTS'] as const;
const rowSections = [
  ...['BATCH_TEMPERATURES', 'BATCH_TOP_KS', 'BATCH_TOP_PS', 'BATCH_MIN_PS', 'BATCH_SEEDS', 'BATCH_DRAWS', 'BATCH_TOPS', 'BATCH_TARGETS'],
  'BATCH_MASKED',
];
const changeSections = {
  BATCH_CLEARS: 'clears',
  BATCH_COPY_FROMS: 'copies',
  BATCH_COPY_TOS: 'copies',
  BATCH_COPY_SLOTS: 'copies',
  BATCH_STATE_CLEARS: 'stateClears',
} as const;

/** How many parts a step of so many tokens is cut into: at most `most`, none of fewer than `least` tokens, so that cutting costs less than it brings. */
export function countParts(tokens: number, most: number, least: number): number {
  return Math.max(1, Math.min(most, Math.floor(tokens / least)));
}

export class BatchParts {
  readonly #batch: Batch;
  /** Made when they are needed. */
  readonly #words: Uint32Array[] = [];

  constructor(batch: Batch) {
    this.#batch = batch;
  }

  /** Parts of nearly equal length; the batch itself where it is one. Valid until the next call, and to be wiped with `zero`. */
  split(count: number): readonly BatchPart[] {
    const batch = this.#batch;
    const sealed = batch.seal();
    if (count === 1) return [{ ...pick(batch), firstRow: 0, seal: () => sealed }];
    const { tokens } = batch.counts;
    const bounds = Array.from({ length: count + 1 }, (_, i) => Math.floor((i * tokens) / count));
    return bounds.slice(1).map((end, i) => {
      const words = (this.#words[i] ??= new Uint32Array(batch.words.length));
      return cut(batch, sealed, words, bounds[i] ?? 0, end);
    });
  }

  /** Overwrites what parts hold of a batch. */
  zero(): void {
    for (const words of this.#words) words.fill(0);
  }
}

const pick = ({ counts, masks, wantsLogits, hasDeparted }: Batch): Omit<Step, 'seal'> => ({ counts, masks, wantsLogits, hasDeparted });

/** Tokens [start, end) of a sealed batch. */
function cut(batch: Batch, from: Uint32Array, to: Uint32Array, start: number, end: number): BatchPart {
  const at = (name: string): number => batch.layout[name] ?? 0;
  const word = (name: string, index: number): number => from[at(name) + index] ?? 0;
  /** `count` numbers of a section from `first` on, less `less`. */
  const copy = (name: string, first: number, count: number, less = 0): void => {
    for (let i = 0; i < count; i++) to[at(name) + i] = word(name, first + i) - less;
  };
  const tokens = end - start;
  for (const name of tokenSections) copy(name, start, tokens);
  const isFirst = start === 0;
  const { counts } = batch;
  const changes = isFirst ? { clears: counts.clears, copies: counts.copies, stateClears: counts.stateClears } : { clears: 0, copies: 0, stateClears: 0 };
  for (const [name, kind] of Object.entries(changeSections)) copy(name, 0, changes[kind]);

  const table = word('BATCH_ROWS', start);
  const sequences = tokens === 0 ? 0 : word('BATCH_ROWS', end - 1) - table + 1;
  copy('BATCH_ROWS', start, tokens, table);
  copy('BATCH_TABLES', table * at('TABLE_LENGTH'), sequences * at('TABLE_LENGTH'));
  for (let i = 0; i < sequences; i++) {
    const run = word('BATCH_RUNS', table + i);
    const state = word('BATCH_STATES', table + i);
    to[at('BATCH_RUNS') + i] = Math.max(run, start) - start;
    // What goes on from an earlier part does not begin here.
    to[at('BATCH_STATES') + i] = run < start && state >= startsAnew ? state - startsAnew : state;
  }
  to[at('BATCH_RUNS') + sequences] = tokens;

  const item = word('BATCH_TOKEN_ITEMS', start);
  const items = word('BATCH_TOKEN_ITEMS', end) - item;
  copy('BATCH_TOKEN_ITEMS', start, tokens + 1, item);
  copy('BATCH_ITEM_TOKENS', item, items, start);
  copy('BATCH_ITEM_STARTS', item, items);
  copy('BATCH_ITEM_ENDS', item, items);

  // Rows stand in the order of their tokens.
  let row = 0;
  while (row < counts.logitRows && word('BATCH_LOGIT_TOKENS', row) < start) row++;
  let logitRows = 0;
  while (row + logitRows < counts.logitRows && word('BATCH_LOGIT_TOKENS', row + logitRows) < end) logitRows++;
  copy('BATCH_LOGIT_TOKENS', row, logitRows, start);
  for (const name of rowSections) copy(name, row, logitRows);
  const edit = word('BATCH_EDIT_STARTS', row);
  const edits = word('BATCH_EDIT_STARTS', row + logitRows) - edit;
  copy('BATCH_EDIT_STARTS', row, logitRows + 1, edit);
  copy('BATCH_EDITS', edit * editLength, edits * editLength);

  to.set([tokens, logitRows, items, changes.clears, changes.copies]);
  const sealed = to.subarray(0, at('BATCH_EDITS') + edits * editLength);
  return {
    counts: { tokens, logitRows, items, sequences, ...changes },
    masks: batch.masks.flatMap((mask) => (mask.row >= row && mask.row < row + logitRows ? [{ row: mask.row - row, words: mask.words }] : [])),
    wantsLogits: batch.wantsLogits && logitRows > 0,
    hasDeparted: batch.hasDeparted && isFirst,
    firstRow: row,
    seal: () => sealed,
  };
}

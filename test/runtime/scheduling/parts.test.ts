/** A part of a batch is the batch that holds its tokens alone: the same words wherever kernels look, in order, none lost and none twice. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Batch, type BatchLimits } from '../../../runtime/scheduling/batch.ts';
import { BatchParts, countParts, type Step } from '../../../runtime/scheduling/parts.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import type { BlockId, TokenId } from '../../../runtime/types.ts';

const limits: BatchLimits = { maxTokens: 40, maxSequences: 4, maxLogitRows: 40, contextLength: 2000, blockCount: 90, blockLength: 16, maxEdits: 40 };
const sink = { event: () => undefined, fail: () => undefined };

interface Run {
  readonly computed: number;
  readonly count: number;
  /** Of its last tokens, logit rows. */
  readonly rows: number;
}

function createSequence({ computed, count }: Run, index: number): Sequence {
  const length = computed + count;
  const sampling = { temperature: index / 4, topK: index, seed: 7 * index, logitBias: [{ id: index as TokenId, bias: 1 }] };
  const made = new Sequence({ promptIds: Uint32Array.from({ length }, (_, i) => 100 * index + i), maxTokens: 1, sampling }, limits.contextLength, sink);
  made.blocks = Array.from({ length: Math.ceil(length / 16) }, (_, i) => (20 * index + i) as BlockId);
  made.state = (3 - index) as BlockId;
  return made;
}

/** Tokens [start, end) of the runs, counted through, as if no others were there. */
function fill(batch: Batch, runs: readonly Run[], start: number, end: number): void {
  let first = 0;
  for (const [index, run] of runs.entries()) {
    const [from, to] = [Math.max(start - first, 0), Math.min(end - first, run.count)];
    if (from < to) {
      const sequence = createSequence(run, index);
      sequence.computed = run.computed + from;
      const token = batch.counts.tokens;
      batch.addTokens(sequence, to - from);
      for (let i = Math.max(from, run.count - run.rows); i < to; i++) batch.addChoice(sequence, token + i - from, run.computed + i);
    }
    first += run.count;
  }
}

/** What kernels may look at: each section as far as the counts say. */
function sectionsOf(layout: Batch['layout'], { counts, seal }: Step): Record<string, number[]> {
  const words = seal();
  const { tokens, logitRows, items, sequences, clears, copies, stateClears } = counts;
  const read = (name: string, length: number): number[] => [...words.subarray(layout[`BATCH_${name}`], (layout[`BATCH_${name}`] ?? 0) + length)];
  const edits = read('EDIT_STARTS', logitRows + 1).at(-1) ?? 0;
  const lengths = {
    ...{ IDS: tokens, POSITIONS: tokens, SLOTS: tokens, ROWS: tokens, TOKEN_ITEMS: tokens + 1 },
    ...{ ITEM_TOKENS: items, ITEM_STARTS: items, ITEM_ENDS: items, LOGIT_TOKENS: logitRows, TEMPERATURES: logitRows, TOP_KS: logitRows, TOP_PS: logitRows },
    ...{ MIN_PS: logitRows, SEEDS: logitRows, DRAWS: logitRows, TOPS: logitRows, TARGETS: logitRows, MASKED: logitRows, EDIT_STARTS: logitRows + 1 },
    ...{ CLEARS: clears, COPY_FROMS: copies, COPY_TOS: copies, COPY_SLOTS: copies, STATE_CLEARS: stateClears },
    ...{ STATES: sequences, RUNS: sequences + 1, TABLES: sequences * (layout['TABLE_LENGTH'] ?? 0), EDITS: 4 * edits },
  };
  expect(words.length).toBe((layout['BATCH_EDITS'] ?? 0) + 4 * edits);
  return { header: [...words.subarray(0, 5)], ...Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, read(name, length)])) };
}

const anyRun = fc
  .record({ computed: fc.constantFrom(0, 5, 700), count: fc.integer({ min: 1, max: 10 }), rows: fc.integer({ min: 0, max: 10 }) })
  .map((run) => ({ ...run, rows: Math.min(run.rows, run.count) }));

test('each part holds what a batch of its tokens alone holds, whatever lay in its words before', () => {
  const whole = new Batch(limits);
  const parts = new BatchParts(whole);
  fc.assert(
    fc.property(fc.array(anyRun, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 6 }), (runs, most) => {
      whole.zero();
      whole.reset();
      whole.addClear(7);
      whole.addStateClear(1);
      whole.addCopy(4 as BlockId, 9 as BlockId, 3);
      whole.hasDeparted = true;
      const tokens = runs.reduce((sum, { count }) => sum + count, 0);
      fill(whole, runs, 0, tokens);
      const count = countParts(tokens, most, 2);
      const found = parts.split(count);
      expect(found.length).toBe(count);
      let [start, row] = [0, 0];
      for (const [i, part] of found.entries()) {
        const alone = new Batch(limits);
        if (i === 0) {
          alone.addClear(7);
          alone.addStateClear(1);
          alone.addCopy(4 as BlockId, 9 as BlockId, 3);
        }
        const end = start + part.counts.tokens;
        fill(alone, runs, start, end);
        const { layout, counts, masks } = alone;
        expect(sectionsOf(layout, part)).toEqual(sectionsOf(layout, { counts, masks, wantsLogits: false, hasDeparted: false, seal: () => alone.seal() }));
        expect({ firstRow: part.firstRow, hasDeparted: part.hasDeparted }).toEqual({ firstRow: row, hasDeparted: i === 0 });
        start = end;
        row += part.counts.logitRows;
      }
      expect([start, row]).toEqual([tokens, whole.counts.logitRows]);
    }),
  );
  parts.zero();
});

test('masks go with their rows, logits where there are rows', () => {
  const batch = new Batch(limits);
  for (const index of [0, 1]) {
    const sequence = createSequence({ computed: 0, count: 2, rows: 1 }, index);
    batch.addTokens(sequence, 2);
    batch.addChoice(sequence, 2 * index + 1, 1);
    batch.masks.push({ row: index, words: Uint32Array.of(index + 1) });
  }
  batch.wantsLogits = true;
  const found = new BatchParts(batch).split(4);
  expect(found.map(({ masks }) => masks)).toEqual([[], [{ row: 0, words: Uint32Array.of(1) }], [], [{ row: 0, words: Uint32Array.of(2) }]]);
  expect(found.map(({ wantsLogits }) => wantsLogits)).toEqual([false, true, false, true]);
});

test.each([
  [0, 4, 4, 1],
  [7, 4, 4, 1],
  [8, 4, 4, 2],
  [128, 4, 4, 4],
  [128, 1, 4, 1],
  [100, 64, 64, 1],
])('%i tokens, at most %i parts of at least %i: %i', (tokens, most, least, expected) => expect(countParts(tokens, most, least)).toBe(expected));

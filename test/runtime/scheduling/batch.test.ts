/** The uploaded array: sections apart from each other, and values that do not depend on who else is in the batch. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Batch, type BatchLimits, itemLength } from '../../../runtime/scheduling/batch.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import type { BlockId, Sampling, TokenId } from '../../../runtime/types.ts';

const limits: BatchLimits = { maxTokens: 12, maxSequences: 3, maxLogitRows: 5, contextLength: 1000, blockCount: 90, blockLength: 16, maxEdits: 6 };
const sink = { event: () => undefined, fail: () => undefined };

function sequence(length: number, computed: number, firstBlock: number, sampling: Sampling = {}): Sequence {
  const made = new Sequence({ promptIds: Uint32Array.from({ length }, (_, i) => 1000 + i), maxTokens: 1, sampling }, limits.contextLength, sink);
  made.computed = computed;
  made.blocks = Array.from({ length: Math.ceil(length / 16) }, (_, i) => (firstBlock + i) as BlockId);
  return made;
}

test.each([false, true])('sections lie behind the header, do not overlap, and end with the array (the model foresees: %s)', (foresees) => {
  const batch = new Batch({ ...limits, foresees });
  const { maxTokens, maxLogitRows, blockCount, maxSequences } = limits;
  const tableLength = Math.ceil(1000 / 16);
  const sizes: Record<string, number> = {
    ...Object.fromEntries(['IDS', 'POSITIONS', 'SLOTS', 'ROWS'].map((name) => [name, maxTokens])),
    NEXT_IDS: foresees ? maxTokens : 0,
    TOKEN_ITEMS: maxTokens + 1,
    ...Object.fromEntries(['ITEM_TOKENS', 'ITEM_STARTS', 'ITEM_ENDS'].map((name) => [name, batch.maxItems])),
    ...Object.fromEntries(
      ['LOGIT_TOKENS', 'TEMPERATURES', 'TOP_KS', 'TOP_PS', 'MIN_PS', 'SEEDS', 'DRAWS', 'TOPS', 'TARGETS', 'MASKED'].map((name) => [name, maxLogitRows]),
    ),
    CLEARS: blockCount,
    ...Object.fromEntries(['COPY_FROMS', 'COPY_TOS', 'COPY_SLOTS'].map((name) => [name, maxSequences])),
    ...Object.fromEntries(['STATES', 'STATE_CLEARS'].map((name) => [name, maxSequences])),
    RUNS: maxSequences + 1,
    EDIT_STARTS: maxLogitRows + 1,
    EDITS: limits.maxEdits * 4,
    TABLES: maxSequences * tableLength,
  };
  expect(batch.layout['TABLE_LENGTH']).toBe(tableLength);
  expect(Object.keys(batch.layout).sort()).toEqual([...Object.keys(sizes).map((name) => `BATCH_${name}`), 'TABLE_LENGTH', 'TOKEN_ITEMS_LIMIT'].sort());
  const owners = new Int32Array(batch.words.length);
  for (const [name, size] of Object.entries(sizes)) {
    const start = batch.layout[`BATCH_${name}`] ?? Number.NaN;
    for (let word = start; word < start + size; word++) owners[word] = (owners[word] ?? 0) + 1;
  }
  expect(owners.subarray(0, 8).every((count) => count === 0)).toBe(true);
  expect(owners.subarray(8).every((count) => count === 1)).toBe(true);
});

test('behind each token stands the one that is known, or the row that will choose it', () => {
  const batch = new Batch({ ...limits, foresees: true });
  const first = sequence(600, 597, 0);
  batch.addTokens(first, 2);
  const second = sequence(40, 38, 40);
  batch.addTokens(second, 2);
  batch.addScore(second, 2, 38);
  batch.addChoice(second, 3, 39);
  const start = batch.layout['BATCH_NEXT_IDS'] ?? Number.NaN;
  expect([...batch.words.subarray(start, start + 4)]).toEqual([1598, 1599, 1039, 2 ** 31 + 1]);
});

test('what is added stands where kernels look for it', () => {
  const batch = new Batch(limits);
  const at = (name: string, index = 0) => batch.words[(batch.layout[`BATCH_${name}`] ?? Number.NaN) + index];
  const float = (name: string, index = 0) => new Float32Array(batch.words.buffer)[(batch.layout[`BATCH_${name}`] ?? Number.NaN) + index];
  batch.addClear(7);
  expect(batch.freeCopies).toBe(3);
  batch.addCopy(4 as BlockId, 9 as BlockId, 16);
  batch.addCopy(5 as BlockId, 8 as BlockId, 3);
  expect(batch.freeCopies).toBe(1);
  batch.addStateClear(2);
  const first = sequence(600, 598, 0);
  first.state = 1 as BlockId;
  batch.addTokens(first, 2);
  const second = sequence(20, 17, 50, { temperature: 0.5, topK: 9, topP: 0.25, seed: 0xfedcba98 });
  batch.addTokens(second, 3);
  batch.addChoice(second, 4, 19);
  expect([...batch.seal().subarray(0, 5)]).toEqual([5, 1, 2 * 2 + 3, 1, 2]);
  expect(at('CLEARS')).toBe(7);
  expect(at('STATE_CLEARS')).toBe(2);
  expect([0, 1, 2].map((i) => at('RUNS', i))).toEqual([0, 2, 5]);
  expect(at('STATES')).toBe(1);
  expect([0, 1].map((i) => [at('COPY_FROMS', i), at('COPY_TOS', i), at('COPY_SLOTS', i)])).toEqual([
    [4, 9, 16],
    [5, 8, 3],
  ]);
  expect([0, 1, 2, 3, 4].map((i) => [at('IDS', i), at('POSITIONS', i), at('SLOTS', i), at('ROWS', i)])).toEqual([
    [1598, 598, 598, 0],
    [1599, 599, 599, 0],
    [1017, 17, 51 * 16 + 1, 1],
    [1018, 18, 51 * 16 + 2, 1],
    [1019, 19, 51 * 16 + 3, 1],
  ]);
  expect([at('TABLES', 37), at('TABLES', 63), at('TABLES', 64)]).toEqual([37, 50, 51]);
  expect([0, 1, 2, 3, 4, 5].map((i) => at('TOKEN_ITEMS', i))).toEqual([0, 2, 4, 5, 6, 7]);
  expect([at('LOGIT_TOKENS'), at('TOP_KS'), at('SEEDS'), at('DRAWS')]).toEqual([4, 9, 0xfedcba98, 19]);
  expect([float('TEMPERATURES'), float('TOP_PS')]).toEqual([0.5, 0.25]);
  batch.zero();
  expect(batch.words.every((word) => word === 0)).toBe(true);
});

test('a choice brings its edits, a score its target; what is not used is not uploaded', () => {
  const batch = new Batch(limits);
  const at = (name: string, index = 0) => batch.words[(batch.layout[`BATCH_${name}`] ?? Number.NaN) + index];
  const float = (index: number) => new Float32Array(batch.words.buffer)[(batch.layout['BATCH_EDITS'] ?? Number.NaN) + index];
  const sampling = { logitBias: [{ id: 7 as TokenId, bias: -2.5 }], repetitionPenalty: 1.5, presencePenalty: 1, frequencyPenalty: 0.25 };
  const request = { promptIds: Uint32Array.of(7, 9, 9), maxTokens: 5, sampling, logprobs: 3, promptLogprobs: 0 };
  const edited = new Sequence(request, limits.contextLength, sink);
  for (const id of [4, 9, 4]) edited.append(id as TokenId);
  batch.addScore(edited, 0, 0);
  batch.addChoice(edited, 5, 5);
  expect([at('TOPS'), at('TARGETS'), at('TOPS', 1), at('TARGETS', 1)]).toEqual([1, 9, 4, 0xffffffff]);
  const words = batch.seal();
  expect([0, 1, 2].map((row) => at('EDIT_STARTS', row))).toEqual([0, 0, 3]);
  expect(words.length).toBe((batch.layout['BATCH_EDITS'] ?? 0) + 3 * 4);
  expect([0, 4, 8].map((first) => [at('EDITS', first), float(first + 1), float(first + 2), float(first + 3)])).toEqual([
    [7, -2.5, 1.5, 0],
    [9, 0, 1.5, 1.25],
    [4, 0, 1.5, 1.5],
  ]);
  expect(batch.freeEdits).toBe(3);
  edited.zero();
  expect(edited.edits?.length).toBe(0);
  batch.zero();
  expect(batch.words.every((word) => word === 0)).toBe(true);
  batch.reset();
  expect(batch.freeEdits).toBe(6);
});

test('attention is cut by position alone, never into more items than a token has room for', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 18 }), fc.constantFrom(16, 32), fc.constantFrom(512, 128), (length, blockLength, least) => {
      const step = itemLength(length, blockLength, least);
      expect(step % blockLength).toBe(0);
      // What batch.ts reserves: 16 items a token, fewer in a short context.
      expect(Math.ceil(length / step)).toBeLessThanOrEqual(Math.min(16, Math.ceil(length / (least / 2))));
    }),
  );
});

test('logits travel only when a sequence in the batch wants them', () => {
  const batch = new Batch(limits);
  const quiet = sequence(4, 3, 0);
  batch.addTokens(quiet, 1);
  batch.addChoice(quiet, 0, 3);
  expect(batch.wantsLogits).toBe(false);
  const loud = new Sequence({ promptIds: Uint32Array.of(1), maxTokens: 1, logits: 'sampled' }, 10, sink);
  batch.addChoice(loud, 0, 0);
  expect(batch.wantsLogits).toBe(true);
  batch.reset();
  expect([batch.wantsLogits, batch.isEmpty, batch.rowSequences.length, batch.sequences.length]).toEqual([false, true, 0, 0]);
});

test('rows that choose among some ids are named with their masks, and no row after them', () => {
  const batch = new Batch(limits);
  const at = (row: number) => batch.words[(batch.layout['BATCH_MASKED'] ?? Number.NaN) + row];
  const [free, masked] = [sequence(4, 3, 0), sequence(4, 3, 10)];
  masked.mask = Uint32Array.of(5, 1);
  for (const [token, one] of [free, masked, free].entries()) {
    batch.addTokens(one, 1);
    batch.addChoice(one, token, 3);
  }
  batch.addScore(masked, 1, 2);
  expect([0, 1, 2, 3].map(at)).toEqual([0, 1, 0, 0]);
  expect(batch.masks).toEqual([{ row: 1, words: masked.mask }]);
  batch.reset();
  expect(batch.masks).toEqual([]);
  batch.addTokens(free, 1);
  for (const row of [0, 1]) batch.addChoice(free, row, 3);
  expect([at(0), at(1)]).toEqual([0, 0]);
});

/** What goes from stage to stage is overwritten where it was, whether the step succeeds or not; a lost stage ends what waits for it. */
import { expect, test } from 'vitest';
import { resultLength } from '../../../kernels/sample.ts';
import type { InwardError } from '../../../runtime/errors.ts';
import { StepResults } from '../../../runtime/results.ts';
import type { Runner } from '../../../runtime/runner.ts';
import { Batch } from '../../../runtime/scheduling/batch.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import type { Ring, RingListener, RingMessage } from '../../../runtime/stages/ring.ts';
import { Stage } from '../../../runtime/stages/stage.ts';
import { StagedRunner } from '../../../runtime/stages/staged-runner.ts';

const width = 4;
const vocabularySize = 6;

/** A ring of which the test is all other stages. */
class FakeRing implements Ring {
  readonly sent: RingMessage[] = [];
  #listener: RingListener | undefined;
  send(message: RingMessage): void {
    this.sent.push(structuredClone(message));
  }
  listen(listener: RingListener): void {
    this.#listener = listener;
  }
  give(message: RingMessage): void {
    this.#listener?.message(message);
  }
  close(): void {
    this.#listener?.closed();
  }
}

type Run = (rows: Float32Array | undefined) => Float32Array | StepResults;
const fakeRunner = <Out>(run: Run): Runner<Out> =>
  ({ run: async (_: unknown, rows?: Float32Array) => run(rows), dispatchCount: 3, submittedAt: 1 }) as unknown as Runner<Out>;

function createStep(): RingMessage & { readonly type: 'step' } {
  const counts = { tokens: 2, logitRows: 1, items: 2, clears: 0, copies: 0, sequences: 1, stateClears: 0 };
  const masks = [{ row: 0, words: Uint32Array.of(7) }];
  return { type: 'step', counts, wantsLogits: false, hasDeparted: false, words: Uint32Array.of(1, 2, 3), masks, rows: new Float32Array(2 * width).fill(5) };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const isZero = (step: RingMessage & { readonly type: 'step' }): boolean =>
  [step.words, step.rows, ...step.masks.map(({ words }) => words)].every((list) => list.every((n) => n === 0));

test('a stage in the middle hands on its own rows with the same words, and keeps neither', async () => {
  const ring = new FakeRing();
  const made = new Float32Array(2 * width);
  new Stage({ isLast: false, runner: fakeRunner((rows) => made.map((_, i) => (rows?.[i] ?? 0) + 1)) }, ring, () => undefined);
  const step = createStep();
  ring.give(step);
  await settle();
  expect(ring.sent).toMatchObject([
    { type: 'step', words: Uint32Array.of(1, 2, 3), masks: [{ words: Uint32Array.of(7) }], rows: new Float32Array(2 * width).fill(6) },
  ]);
  expect(isZero(step)).toBe(true);
});

test('the last stage gives the rows that were asked for, and keeps none; steps are run in order', async () => {
  const ring = new FakeRing();
  const results = new StepResults(4, vocabularySize, 8);
  let turn = 0;
  const run = (): StepResults => {
    results.set(new Uint32Array(4 * resultLength).fill(++turn), undefined);
    return results;
  };
  new Stage({ isLast: true, runner: fakeRunner(run) }, ring, () => undefined);
  const steps = [createStep(), createStep()];
  for (const step of steps) ring.give(step);
  await settle();
  expect(ring.sent.map((message) => message.type === 'results' && [message.words.length, message.words[0]])).toEqual([
    [resultLength, 1],
    [resultLength, 2],
  ]);
  expect(steps.every(isZero)).toBe(true);
  expect(results.id(0)).toBe(0);
});

test('a step that fails is wiped too, and is told once; nothing is run behind it', async () => {
  const ring = new FakeRing();
  let runs = 0;
  const fails: Run = () => {
    runs++;
    throw new Error('words of a request');
  };
  const { failed } = new Stage({ isLast: false, runner: fakeRunner(fails) }, ring, () => undefined);
  const step = createStep();
  ring.give(step);
  ring.give(createStep());
  expect(await failed).toMatchObject({ code: 'internal', fields: { part: 'a stage' } });
  await settle();
  expect([isZero(step), runs, ring.sent]).toEqual([true, 1, []]);
});

function createBatch(): Batch {
  const limits = { maxTokens: 8, maxSequences: 2, maxLogitRows: 4, contextLength: 64, blockCount: 8, blockLength: 16, maxEdits: 0 };
  const batch = new Batch(limits);
  const sequence = new Sequence({ promptIds: Uint32Array.from({ length: 4 }, (_, i) => i + 1), maxTokens: 1 }, 64, {
    event: () => undefined,
    fail: () => undefined,
  });
  batch.addTokens(sequence, 4);
  for (const token of [1, 3]) batch.addChoice(sequence, token, token);
  return batch;
}

function createFirst(): { ring: FakeRing; runner: StagedRunner; batch: Batch; next: Batch; rows: Float32Array } {
  const ring = new FakeRing();
  const [batch, next] = [createBatch(), createBatch()];
  const rows = new Float32Array(2 * width);
  const runner = new StagedRunner(
    fakeRunner(() => rows.fill(9)),
    ring,
    [batch, next],
    { vocabularySize, maxLogitRows: 4, microBatches: 2, leastTokens: 2 },
  );
  return { ring, runner, batch, next, rows };
}

test('the first stage sends part after part, joins what comes back in order, and keeps none of it', async () => {
  const { ring, runner, batch, rows } = createFirst();
  const running = runner.run(batch);
  await settle();
  expect(ring.sent).toMatchObject([
    { type: 'step', counts: { tokens: 2, logitRows: 1 } },
    { type: 'step', counts: { tokens: 2, logitRows: 1 } },
  ]);
  expect([...rows].every((value) => value === 0)).toBe(true);
  const answers = [11, 12].map((id): RingMessage => ({ type: 'results', words: new Uint32Array(42).fill(id), logits: new Float32Array(8).fill(id) }));
  for (const answer of answers) ring.give(answer);
  const results = await running;
  expect([results.id(0), results.id(1)]).toEqual([11, 12]);
  expect([results.logits(0), results.logits(1)]).toEqual([11, 12].map((id) => new Float32Array(vocabularySize).fill(id)));
  expect(answers.every((answer) => answer.type === 'results' && [...answer.words, ...(answer.logits ?? [])].every((value) => value === 0))).toBe(true);
  expect(runner.dispatchCount).toBe(6);
  // As the warm-up asks.
  void runner.run(batch, 1);
  await settle();
  expect(ring.sent.slice(2)).toMatchObject([{ type: 'step', counts: { tokens: 4, logitRows: 2 } }]);
});

test('the next step goes behind the parts of one that has not come back, and each gets its own results', async () => {
  const { ring, runner, batch, next } = createFirst();
  const [first, second] = [runner.run(batch), runner.run(next, 1)];
  await settle();
  expect(ring.sent.map((message) => message.type === 'step' && message.counts.tokens)).toEqual([2, 2, 4]);
  const rowsOf = (...ids: number[]): RingMessage => ({ type: 'results', words: Uint32Array.from(ids.flatMap((id) => Array.from({ length: 42 }, () => id))) });
  for (const answer of [rowsOf(11), rowsOf(12), rowsOf(13, 14)]) ring.give(answer);
  const found = await Promise.all([first, second]);
  expect(found.map((results) => [results.id(0), results.id(1)])).toEqual([
    [11, 12],
    [13, 14],
  ]);
});

test('what waits for a lost stage ends, and so does what comes after', async () => {
  const { ring, runner, batch } = createFirst();
  const codeOf = (running: Promise<unknown>): Promise<string> =>
    running.then(
      () => 'none',
      (error: InwardError) => error.code,
    );
  const running = codeOf(runner.run(batch));
  await settle();
  ring.close();
  expect(await running).toBe('stage_lost');
  expect(await codeOf(runner.run(batch))).toBe('stage_lost');
});

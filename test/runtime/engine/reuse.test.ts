/**
 * Reuse changes nothing: keys and values that were kept, shared or copied, guessed tokens and steps of other sizes give the same logits bit for bit. So
 * same seed, same tokens, whatever else is in the batch.
 */
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { globals } from 'webgpu';
import { createEngine } from '../../../runtime/engine.ts';
import { Pace } from '../../../runtime/scheduling/pace.ts';
import { type Engine, type EngineOptions, type GenerateRequest, kvFormats } from '../../../runtime/types.ts';
import { firstDifference, type Result, run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { texts } from '../../informed-drafts.ts';
import { readOracle } from '../../oracle.ts';
import { sampleCases } from '../../sample.ts';

vi.mock('../../../runtime/scheduling/drafts.ts', async () => ({ Drafts: (await import('../../informed-drafts.ts')).InformedDrafts }));

// Several engines a test, whose kernels SwiftShader compiles for long.
vi.setConfig({ testTimeout: 600_000 });
const oracle = readOracle('gguf_llama_q4_1');
const { len7, len33, batch1, batch2 } = oracle.prompts;
/** Ends in the third block. */
const prompt = Uint32Array.from([...len33.ids, ...len7.ids]);
const open = (options: Partial<EngineOptions>): Promise<Engine> =>
  createEngine({ modelPath: oracle.modelPath, device: testDevice(), contextLength: 128, kvTokens: 1024, ...options });
const plain = { prefixSeconds: 0, draftLength: 0, maxSequences: 1 } as const;
const draws: readonly GenerateRequest['sampling'][] = [undefined, ...[1, 2, 3, 4].map((seed) => ({ temperature: 1.2, topK: 40, seed }))];

const request = (sampling: GenerateRequest['sampling']): Omit<GenerateRequest, 'promptIds'> => ({
  ...{ maxTokens: 24, logits: 'sampled', logprobs: 3 },
  ...(sampling && { sampling }),
});

/** One after the other on an engine that reuses nothing. */
async function drawAlone(options: Partial<EngineOptions>): Promise<Result[]> {
  await using engine = await open({ ...options, ...plain });
  const results: Result[] = [];
  for (const sampling of draws) results.push(await run(engine, prompt, request(sampling)));
  texts.splice(0, texts.length, ...results.map(({ tokens }) => [...prompt, ...tokens]));
  return results;
}

function expectSame(got: Result | undefined, expected: Result | undefined, what: string): void {
  expect(firstDifference(got?.logits ?? [], expected?.logits ?? []), what).toBeUndefined();
  expect({ ...got, logits: [] }, what).toEqual({ ...expected, logits: [] });
}

beforeEach(() => {
  const free = vi.spyOn(Pace.prototype, 'choiceMs', 'get').mockReturnValue(0);
  onTestFinished(() => free.mockRestore());
});

test.each(sampleCases('formats of reuse', kvFormats, 1))(
  '%s: kept prefixes, shared prompts and guessed tokens give the logits of single requests',
  async (kv) => {
    const alone = await drawAlone({ kv });
    expect(new Set(alone.map(({ tokens }) => String(tokens))).size).toBe(draws.length);
    await using engine = await open({ kv });
    const cold = await run(engine, prompt, request(draws[0]));
    expect(engine.stats().prefixHits).toBe(0);
    expectSame(cold, alone[0], 'cold');
    for (const [i, sampling] of draws.entries()) expectSame(await run(engine, prompt, request(sampling)), alone[i], `kept, draw ${i}`);
    // Two full blocks of 40 tokens.
    expect(engine.stats().prefixHits).toBe(draws.length * 32);
    expect(engine.stats().acceptedTokens).toBeGreaterThan(0);
    expect(engine.stats().draftTokens).toBeGreaterThan(engine.stats().acceptedTokens);
    engine.flushPrefixes();
    const { promptTokens } = engine.stats();
    const group = await Promise.all(draws.map((sampling) => run(engine, prompt, { ...request(sampling), group: 7 })));
    for (const [i, result] of group.entries()) expectSame(result, alone[i], `group, draw ${i}`);
    // Computed once; the others compute its last token.
    expect(engine.stats().promptTokens - promptTokens).toBe(prompt.length + draws.length - 1);
  },
);

test('deterministic mode: the same whatever is in the batch, however prompts are cut, with hits and guesses', async () => {
  const alone = await drawAlone({});
  for (const options of [{ tokenBudget: 8 }, { tokenBudget: 13, maxSequences: 3 }, { tokenBudget: 64, draftLength: 15 }]) {
    await using engine = await open(options);
    const what = JSON.stringify(options);
    // Others come and go meanwhile, of other lengths.
    const others = [batch1, batch2, len7].flatMap(({ ids }, i) =>
      [1, 2].map((seed) => run(engine, ids, { maxTokens: 10 + 7 * i, sampling: { temperature: 1, seed } })),
    );
    const first = await Promise.all(draws.map((sampling) => run(engine, prompt, request(sampling))));
    const again = await Promise.all(draws.toReversed().map((sampling) => run(engine, prompt, request(sampling))));
    await Promise.all(others);
    for (const [i, result] of [...first, ...again.toReversed()].entries()) expectSame(result, alone[i % draws.length], `${what}, draw ${i}`);
    expect([engine.stats().prefixHits > 0, engine.stats().acceptedTokens > 0], what).toEqual([true, true]);
  }
});

/** Every dispatch of a prefill and two decoding steps: its kernel's label and its workgroups. */
async function recordDispatches(deterministic: boolean): Promise<string[]> {
  await using engine = await open({ deterministic, draftLength: 0 });
  const { prototype } = (globals as unknown as { readonly GPUComputePassEncoder: { readonly prototype: GPUComputePassEncoder } }).GPUComputePassEncoder;
  const { setPipeline, dispatchWorkgroups } = prototype;
  const seen: string[] = [];
  let label = '';
  prototype.setPipeline = function (pipeline) {
    label = pipeline.label;
    return setPipeline.call(this, pipeline);
  };
  prototype.dispatchWorkgroups = function (...grid) {
    seen.push(`${label} ${grid.join(' x ')}`);
    return dispatchWorkgroups.apply(this, grid);
  };
  try {
    await run(engine, prompt, { maxTokens: 3 });
  } finally {
    Object.assign(prototype, { setPipeline, dispatchWorkgroups });
  }
  return seen;
}

test('deterministic mode costs nothing where there are no matrix units: it dispatches the same', async ({ skip }) => {
  skip(testDevice() === 'gpu', 'a GPU may have matrix units, which this mode leaves out');
  const [steady, free] = [await recordDispatches(true), await recordDispatches(false)];
  expect(steady.filter((line) => line.startsWith('matmul/')).length).toBeGreaterThan(10);
  expect(free).toEqual(steady);
});

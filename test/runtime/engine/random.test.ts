/**
 * Random requests on the real engine: shared beginnings, tenants, salts, groups, classes, aborts, deadlines, slow readers, a pool too small for all, guessed
 * tokens. Each gets what it gets alone on an engine without any of that, and leaves nothing behind.
 */
import { expect, onTestFinished, test, vi } from 'vitest';
import { createTally, runClients } from '../../../bench/soak/clients.ts';
import { type Known, learnAnswers, plainOptions, soakContext } from '../../../bench/soak/known.ts';
import { planTurns } from '../../../bench/soak/plan.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { Pace } from '../../../runtime/scheduling/pace.ts';
import { kvFormats } from '../../../runtime/types.ts';
import { DeviceWatch } from '../../device-watch.ts';
import { testDevice } from '../../gpu.ts';
import { texts } from '../../informed-drafts.ts';
import { readOracle } from '../../oracle.ts';

vi.mock('../../../runtime/scheduling/drafts.ts', async () => ({ Drafts: (await import('../../informed-drafts.ts')).InformedDrafts }));

// Several engines, whose kernels SwiftShader compiles for long.
vi.setConfig({ testTimeout: 600_000 });
const { modelPath } = readOracle('gguf_llama_q4_1');
const isFull = process.env['INWARD_FULL'] === '1';
const turns = isFull ? 600 : 60;
const nothing = { kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 };

// What is stored does not matter for whose it is: reuse.test.ts compares the bits of all formats.
test.each(isFull ? kvFormats : kvFormats.slice(0, 1))('%s: random requests get the tokens that they get alone, and nothing is left', async (kv) => {
  const options = { modelPath, device: testDevice(), kv };
  let known: Known[];
  {
    await using plain = await createEngine({ ...options, ...plainOptions });
    known = await learnAnswers(plain, 6);
    expect(plain.stats()).toMatchObject({ prefixHits: 0, draftTokens: 0, preemptions: 0 });
  }
  texts.push(...known.map(({ promptIds, tokens }) => [...promptIds, ...tokens]));
  // Whatever a tiny model and a busy machine make of it: every guess is worth its cost.
  const free = vi.spyOn(Pace.prototype, 'choiceMs', 'get').mockReturnValue(0);
  onTestFinished(() => free.mockRestore());
  using watch = new DeviceWatch();
  // Room for two of the longest; steps of odd sizes.
  await using engine = await createEngine({ ...options, contextLength: soakContext, kvTokens: 2 * soakContext, tokenBudget: 37 });
  // What is only made at first use.
  await runClients(engine, planTurns(known, 2, 10), createTally(), { clients: 8, limitMs: 60_000 });
  const { lasting } = watch;
  const tally = createTally();
  await runClients(engine, planTurns(known, 1, turns), tally, { clients: 8, limitMs: 60_000 });
  expect([...tally.codes]).toEqual([]);
  expect(tally.ends).toMatchObject({ restarted: 0, wrong: 0, failed: 0, hung: 0 });
  expect(watch.lasting).toBe(lasting);
  // All of it took place, else nothing was shown.
  const { preemptions, prefixHits, acceptedTokens, draftTokens } = engine.stats();
  const seen = { ...tally, preemptions, prefixHits, acceptedTokens, refusedTokens: draftTokens - acceptedTokens, ...tally.ends };
  // Whether a deadline passes within few turns is a matter of the machine.
  if (isFull) expect(seen.late).toBeGreaterThan(0);
  for (const name of ['complete', 'cancelled', 'cached', 'copied', 'parked', 'preemptions', 'prefixHits', 'acceptedTokens', 'refusedTokens'] as const)
    expect(seen[name], name).toBeGreaterThan(0);

  expect(await engine.checkZeroed()).toMatchObject(nothing);
  const kept = engine.stats();
  expect(kept).toMatchObject({ running: 0, waiting: 0, kvBlocksFree: kept.kvBlocksTotal });
  // Kept blocks hold data, and no more words than they have.
  expect(kept.kvBlocksCached).toBeGreaterThan(0);
  const { used, total } = await watch.readKv();
  expect(used).toBeGreaterThan(0);
  expect(used).toBeLessThanOrEqual((total / kept.kvBlocksTotal) * kept.kvBlocksCached);
  engine.flushPrefixes();
  expect(await engine.checkZeroed()).toMatchObject(nothing);
  expect(engine.stats()).toMatchObject({ kvBlocksFree: kept.kvBlocksTotal, kvBlocksCached: 0 });
  expect((await watch.readKv()).used).toBe(0);
});

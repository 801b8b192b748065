/** Peers that run whole models, on a tiny one: that each gives the time of every token. Speed is not judged. */
import { expect, test } from 'vitest';
import { PeerError } from '../../bench/child.ts';
import { type EngineName, hasPeer, openPeer, prepareModel } from '../../bench/peer.ts';
import { createPrompts } from '../../bench/subject.ts';
import { chooseDriver } from '../../runtime/drivers.ts';
import { testDevice } from '../gpu.ts';

const modelPath = 'test/fixtures/oracles/gguf_llama_q4_0/model.gguf';

test.for<EngineName>(['cpu', 'transformers'])('%s', async (name, context) => {
  context.skip(!hasPeer(name), 'the peers are not installed: npm run bench -- --install-peers');
  using model = await prepareModel(name, modelPath);
  await using subject = await openPeer({ name, path: model.path, device: chooseDriver(testDevice()).name, threadCount: 2 });
  const [times = []] = await subject.run(createPrompts({ sequences: 1, promptTokens: 20, newTokens: 3 }, 361), 3);
  expect(times).toHaveLength(3);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times[0]).toBeGreaterThan(0);
  expect(subject.readMemory().processes).toBe(1);
});

test('a model that no graph is written for is said', async () => {
  await expect(prepareModel('transformers', 'no/such.gguf')).rejects.toThrow(PeerError);
});

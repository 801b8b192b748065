/** Masks of sequences reach the device with their rows, and those alone. */
import { expect, it } from 'vitest';
import { maskLength } from '../../kernels/sample.ts';
import { openParts, type Parts } from '../../runtime/open.ts';
import { Sequence } from '../../runtime/scheduling/sequence.ts';
import { testDevice } from '../gpu.ts';

const modelPath = new URL('../fixtures/oracles/gguf_llama_q4_1/model.gguf', import.meta.url).pathname;

/** Greedy tokens of these sequences, run together; ids that each may choose among, or all. */
async function generate({ scheduler, batch, runner }: Parts, allowed: readonly (readonly number[] | undefined)[], vocabulary: number): Promise<number[][]> {
  const tokens: number[][] = allowed.map(() => []);
  for (const [i, ids] of allowed.entries()) {
    const sink = { event: (event: { type: string; id?: number }) => event.type === 'token' && tokens[i]?.push(event.id ?? -1), fail: () => undefined };
    const sequence = new Sequence({ promptIds: Uint32Array.of(5, 9, 100 + i), maxTokens: 4 }, 64, sink);
    if (ids !== undefined) {
      sequence.mask = new Uint32Array(maskLength(vocabulary));
      for (const id of ids) sequence.mask[Math.floor(id / 32)] = (sequence.mask[Math.floor(id / 32)] ?? 0) | (1 << (id % 32));
    }
    scheduler.add(sequence);
  }
  for (let step = 0; step < 20 && scheduler.runningCount + scheduler.waitingCount > 0; step++) {
    scheduler.schedule(batch);
    scheduler.commit(batch, await runner.run(batch));
  }
  return tokens;
}

it('a masked sequence chooses among its ids, one beside it among all', async () => {
  const { parts, info } = await openParts({ modelPath, device: testDevice(), contextLength: 64, maxSequences: 4 });
  try {
    const free = await generate(parts, [undefined, undefined, undefined], info.vocabularySize);
    expect(free.map((tokens) => tokens.length)).toEqual([4, 4, 4]);
    const allowed = [0, 31, 32, 200, info.vocabularySize - 1].filter((id) => !free.flat().includes(id));
    const masked = await generate(parts, [undefined, allowed, undefined], info.vocabularySize);
    expect([masked[0], masked[2]]).toEqual([free[0], free[2]]);
    expect(masked[1]).toHaveLength(4);
    for (const id of masked[1] ?? []) expect(allowed).toContain(id);
    // The same rows without masks: nothing of them is left.
    expect(await generate(parts, [undefined, undefined, undefined], info.vocabularySize)).toEqual(free);
  } finally {
    parts.memory[Symbol.dispose]();
    parts.open[Symbol.dispose]();
  }
});

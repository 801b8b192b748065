/** A model whose weights hold a NaN: requests that meet it end with an error of their own, those that run beside them do not notice. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { type GenerateRequest, kvFormats } from '../../../runtime/types.ts';
import { run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { readOracle } from '../../oracle.ts';

const oracle = readOracle('gguf_llama_f32');
const { len7, len33, batch1 } = oracle.prompts;
/** In none of the prompts that must go on, nor in what the reference answers to them. */
const poison = Array.from({ length: 361 }, (_, id) => id).find((id) => ![len7, len33].some(({ ids, greedy }) => ids.includes(id) || greedy.includes(id))) ?? -1;
let folder: string;
let modelPath: string;

/** Writes the oracle's model with a NaN in the embedding of `poison`; the rows of the output are a tensor of their own. */
function plant(): void {
  using checkpoint = openCheckpoint(oracle.modelPath);
  const table = checkpoint.tensors.get('token_embd.weight');
  const [rows = 0] = table?.shape ?? [];
  if (table?.storage !== 'F32' || rows <= poison || !checkpoint.tensors.has('output.weight')) throw new Error('the fixture is another one');
  const bytes = readFileSync(oracle.modelPath);
  bytes.writeFloatLE(Number.NaN, table.offset + (table.size / rows) * poison + 8);
  folder = mkdtempSync(join(tmpdir(), 'inward-broken-'));
  modelPath = join(folder, 'model.gguf');
  writeFileSync(modelPath, bytes);
}

beforeAll(plant);
afterAll(() => rmSync(folder, { recursive: true }));

const cases: readonly (readonly [place: number, rest: Partial<GenerateRequest>])[] = [
  [6, {}], // the last of the prompt, whose own logits are broken
  [2, {}], // later tokens see it through its keys and values
  [3, { logits: 'all' }],
  [6, { logprobs: 3, sampling: { temperature: 1, seed: 1 } }],
];

test.each(kvFormats)('%s: requests that meet it fail, the others get what they get alone', async (kv) => {
  await using engine = await createEngine({ modelPath, device: testDevice(), contextLength: 512, kvTokens: 4096, kv });
  const good = async (): Promise<number[][]> =>
    (await Promise.all([len7, len33].map(({ ids }) => run(engine, ids, { maxTokens: 24 })))).map(({ tokens }) => tokens);
  const alone = await good();
  // f32 is the reference's own precision.
  if (kv === 'f32') expect(alone).toEqual([len7.greedy, len33.greedy]);
  for (const [place, rest] of cases) {
    const others = good();
    const bad = run(engine, batch1.ids.slice(0, 7).with(place, poison), { maxTokens: 4, ...rest });
    await expect(bad, `at ${place}`).rejects.toMatchObject({ code: 'logits_invalid' });
    expect(await others).toEqual(alone);
    // Whoever gets its blocks finds nothing of it.
    expect(await good()).toEqual(alone);
  }
  expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
});

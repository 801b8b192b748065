/** The long suite (npm run test:full): hours of use in minutes, without growth or error. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { readTreeMemory } from '../../bench/memory.ts';
import { cacheFolder } from '../../runtime/drivers.ts';
import { createEngine } from '../../runtime/engine.ts';
import { defaultModel } from '../../scripts/setup/model.ts';
import { DeviceWatch } from '../device-watch.ts';
import { collectGarbage } from '../garbage.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { serve } from './command.ts';

const smollm2 = join(cacheFolder(), 'models', defaultModel.file);
const modelPath = existsSync(smollm2) ? smollm2 : readOracle('gguf_llama_q4_1').modelPath;
const isWanted = process.env['INWARD_FULL'] === '1';
/** Bytes of resident memory that may come and go without meaning growth. */
const noise = 48 * 2 ** 20;

function checkLong(): void {
  test('1,000 tokens at the end of 4,096 of context', { timeout: 1_800_000 }, async () => {
    using watch = new DeviceWatch();
    const isReal = modelPath === smollm2;
    const contextLength = isReal ? 4096 : 2048;
    await using engine = await createEngine({ modelPath, device: testDevice(), contextLength, kvTokens: contextLength });
    const promptIds = Uint32Array.from({ length: contextLength - 1000 }, (_, i) => 5 + ((i * 7919) % 300));
    const marks: { resident: number; heap: number; made: number }[] = [];
    let count = 0;
    let reason: string | undefined;
    for await (const event of engine.generate({ promptIds, maxTokens: 1000, sampling: { temperature: 1, seed: 1 } })) {
      if (event.type === 'end') reason = event.reason;
      else if (++count % 100 === 0) {
        collectGarbage();
        marks.push({ resident: readTreeMemory(process.pid).resident, heap: process.memoryUsage().heapUsed, made: watch.lasting });
      }
    }
    expect([count, reason]).toEqual([1000, 'length']);
    const [first, last] = [marks[0], marks.at(-1)];
    console.log(
      `resident, heap in MB, every 100 tokens: ${marks.map(({ resident, heap }) => `${Math.round(resident / 1e6)}, ${(heap / 1e6).toFixed(1)}`).join('; ')}`,
    );
    expect(last?.made).toBe(first?.made);
    expect((last?.heap ?? 0) - (first?.heap ?? 0)).toBeLessThan(4 * 2 ** 20);
    expect((last?.resident ?? 0) - (first?.resident ?? 0)).toBeLessThan(noise);
    await expect.poll(() => engine.stats().kvBlocksFree, { timeout: 60_000 }).toBe(engine.stats().kvBlocksTotal);
    // What is kept for the next prompt that begins alike.
    engine.flushPrefixes();
    await engine.checkZeroed();
    expect((await watch.readKv()).used).toBe(0);
  });

  test('eight clients at once for five minutes over HTTP', { timeout: 900_000 }, async () => {
    await using server = await serve(modelPath, '--context', '1024');
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.key, maxRetries: 0, timeout: 120_000 });
    const end = performance.now() + 300_000;
    const counts = { answered: 0, streamed: 0, left: 0, refused: 0 };
    const resident: number[] = [];
    const ask = async (turn: number): Promise<void> => {
      const request = {
        model: 'default',
        messages: [{ role: 'user', content: `Count to ${turn % 40}. ${'Go on. '.repeat(turn % 17)}` } as const],
        max_tokens: 1 + (turn % 48),
      };
      if (turn % 4 === 0) {
        await client.chat.completions.create(request);
        counts.answered++;
      } else if (turn % 4 === 1) {
        await expect(client.chat.completions.create({ ...request, temperature: -1 })).rejects.toMatchObject({ status: 400 });
        counts.refused++;
      } else {
        const isLeaving = turn % 4 === 2;
        let chunks = 0;
        for await (const _ of await client.chat.completions.create({ ...request, stream: true })) if (++chunks === 3 && isLeaving) break;
        counts[isLeaving ? 'left' : 'streamed']++;
      }
    };
    await Promise.all(
      Array.from({ length: 8 }, async (_, first) => {
        for (let turn = first; performance.now() < end; turn += 3) {
          await ask(turn);
          if (first === 0) resident.push(readTreeMemory(server.process.pid ?? 0).resident);
        }
      }),
    );
    const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
    const early = middle(resident.slice(resident.length >> 2, resident.length >> 1));
    const late = middle(resident.slice(-(resident.length >> 2)));
    console.log(`${JSON.stringify(counts)}; resident ${Math.round(early / 1e6)} MB early, ${Math.round(late / 1e6)} MB late`);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(3);
    expect(late - early).toBeLessThan(noise);
    server.process.kill('SIGTERM');
    expect(await server.ended).toBe(0);
  });
}

if (isWanted) describe('long', checkLong);
else test('the long suite', ({ skip }) => skip('it runs with INWARD_FULL=1: npm run test:full'));

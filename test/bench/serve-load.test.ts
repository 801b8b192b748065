import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freshPrompt, longestRequest, type Mix, type PlannedRequest, planBurst, planMix, planTrace, type TraceScale } from '../../bench/serve/load.ts';
import { createPrompt, idRange } from '../../bench/serve/prompts.ts';
import { createRandom, joinSeeds } from '../../bench/serve/random.ts';
import { parseTrace, readTrace } from '../../bench/serve/trace.ts';
import { UsageError } from '../../server/cli/options.ts';
import { findTestData } from '../test-data.ts';

const chats: Mix = { chat: 1, prompt: 0, answer: 0 };
const gapsOf = (requests: readonly PlannedRequest[]): number[] => requests.slice(1).map(({ at }, index) => at - (requests[index]?.at ?? 0));
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('random numbers', () => {
  test('the same seed gives the same, another gives others, all from 0 up to 1 and even', () => {
    const take = (seed: number, count: number): number[] => {
      const random = createRandom(seed);
      return Array.from({ length: count }, random);
    };
    expect(take(5, 8)).toEqual(take(5, 8));
    expect(new Set([1, 2, 3, 4].flatMap((seed) => take(seed, 100))).size).toBe(400);
    const many = take(1, 20_000);
    expect(Math.min(...many)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...many)).toBeLessThan(1);
    for (let tenth = 0; tenth < 10; tenth++) {
      // 2,000 of 20,000 with a deviation of 42.
      const count = many.filter((value) => Math.floor(value * 10) === tenth).length;
      expect(Math.abs(count - 2000)).toBeLessThan(6 * 42);
    }
  });

  test('joined seeds: order and count matter', () => {
    const joined = [joinSeeds(1, 2), joinSeeds(2, 1), joinSeeds(1), joinSeeds(1, 2, 0), joinSeeds(1, 2, 1)];
    expect(new Set(joined).size).toBe(joined.length);
  });
});

describe('Poisson arrivals', () => {
  test('mean rate, and times between that are exponential', () => {
    const requests = planMix({ mix: chats, rate: 5, requests: 20_001, seed: 3 });
    const gaps = gapsOf(requests);
    // The mean of 20,000 exponentials of 200 ms has a deviation of 1.4 ms.
    expect(Math.abs(mean(gaps) - 200)).toBeLessThan(6 * 1.42);
    // e^-1 and e^-3 of them are longer than once and three times the mean.
    for (const times of [1, 3]) {
      const share = Math.exp(-times);
      const deviation = Math.sqrt((share * (1 - share)) / gaps.length);
      expect(Math.abs(gaps.filter((gap) => gap > times * 200).length / gaps.length - share)).toBeLessThan(6 * deviation);
    }
    expect(Math.min(...gaps)).toBeGreaterThan(0);
  });

  test('the same seed gives the same load, another seed another one', () => {
    const plan = (seed: number) => planMix({ mix: { chat: 1, prompt: 1, answer: 1 }, rate: 1, requests: 50, seed });
    expect(plan(1)).toEqual(plan(1));
    expect(gapsOf(plan(1))).not.toEqual(gapsOf(plan(2)));
    const seeds = [...plan(1), ...plan(2)].map(({ prompt }) => prompt.seed);
    expect(new Set(seeds).size).toBe(100);
  });

  test('parts of a mix, and lengths by half around their means', () => {
    const requests = planMix({ mix: { chat: 3, prompt: 1, answer: 0 }, rate: 1, requests: 80_000, seed: 1 });
    const kinds = Map.groupBy(requests, ({ kind }) => kind);
    expect([...kinds.keys()].sort()).toEqual(['chat', 'prompt']);
    // 60,000 of 80,000 with a deviation of 122.
    expect(Math.abs((kinds.get('chat')?.length ?? 0) - 60_000)).toBeLessThan(6 * 122);
    const lengths = (kinds.get('prompt') ?? []).map(({ prompt }) => prompt.length);
    // 20,000 draws of 1,025 lengths miss one of them once in 300 million times.
    expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([512, 1536]);
  });
});

describe('prompts', () => {
  const plan = fc.record({
    length: fc.integer({ min: 1, max: 200 }),
    blocks: fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 4 }),
    blockLength: fc.integer({ min: 1, max: 60 }),
    seed: fc.nat(),
  });

  test('as long as asked, of ids in the range, the same each time', () => {
    fc.assert(
      fc.property(plan, fc.integer({ min: 100, max: 200_000 }), (one, vocabulary) => {
        const range = idRange(vocabulary);
        const ids = createPrompt(one, range);
        expect(ids).toHaveLength(one.length);
        expect(Math.min(...ids)).toBeGreaterThanOrEqual(range[0]);
        expect(Math.max(...ids)).toBeLessThanOrEqual(range[1]);
        expect(range[1]).toBeLessThan(vocabulary);
        expect(createPrompt(one, range)).toEqual(ids);
      }),
    );
  });

  test('equal blocks are equal ids in their place, and what follows differs', () => {
    const range = idRange(49_152);
    const make = (blocks: readonly number[], seed: number) => createPrompt({ length: 100, blocks, blockLength: 40, seed }, range);
    const [a, b, c] = [make([7, 8], 1), make([7, 9], 2), make([7, 8], 2)];
    expect(a?.slice(0, 40)).toEqual(b?.slice(0, 40));
    expect(a?.slice(0, 80)).toEqual(c?.slice(0, 80));
    expect(a?.slice(40, 80)).not.toEqual(b?.slice(40, 80));
    expect(a?.slice(80)).not.toEqual(c?.slice(80));
    expect(new Set(a).size).toBeGreaterThan(90);
  });

  test('prompts with seeds of their own begin differently', () => {
    const firsts = Array.from({ length: 50 }, (_, seed) => createPrompt(freshPrompt(4, seed), idRange(49_152)).join());
    expect(new Set(firsts).size).toBe(50);
  });
});

test('a burst: all at once, all of one length, no two prompts alike', () => {
  const burst = planBurst({ kind: 'b', count: 8, promptTokens: 16, newTokens: 4, seed: 1 });
  expect(burst.map(({ at, newTokens, prompt }) => [at, newTokens, prompt.length])).toEqual(Array.from({ length: 8 }, () => [0, 4, 16]));
  expect(new Set(burst.map(({ prompt }) => prompt.seed)).size).toBe(8);
});

const csv = 't_ms,prompt_tokens,output_tokens\n100.5,374,44\n0.0,396,109\n4541.9,879,55\n';
const jsonl = [
  '{"t_ms":0,"prompt_tokens":1000,"output_tokens":500,"prefix_blocks_512":[0,1]}',
  '{"t_ms":2000,"prompt_tokens":1500,"output_tokens":1,"prefix_blocks_512":[0,14,15]}',
].join('\n');

describe('traces', () => {
  test('CSV, in the order of times', () => {
    expect(parseTrace(csv)).toEqual([
      { at: 0, promptTokens: 396, outputTokens: 109, blocks: [] },
      { at: 100.5, promptTokens: 374, outputTokens: 44, blocks: [] },
      { at: 4541.9, promptTokens: 879, outputTokens: 55, blocks: [] },
    ]);
    expect(parseTrace('prompt_tokens,output_tokens\r\n3,4\r\n')).toEqual([{ at: undefined, promptTokens: 3, outputTokens: 4, blocks: [] }]);
    expect(parseTrace(csv, 1)).toEqual([{ at: 100.5, promptTokens: 374, outputTokens: 44, blocks: [] }]);
  });

  test('JSON lines with blocks', () => {
    expect(parseTrace(jsonl).map(({ at, blocks }) => [at, blocks])).toEqual([
      [0, [0, 1]],
      [2000, [0, 14, 15]],
    ]);
  });

  const head = 't_ms,prompt_tokens,output_tokens\n0,1,1\n';
  test.for([
    ['too few columns', `${head}5,17`, 3],
    ['too many columns', `${head}1,2,3,4`, 3],
    ['a word', `${head}0,secret,3`, 3],
    ['an empty cell', `${head}0,,3`, 3],
    ['an empty line between', `${head}\n0,1,1`, 3],
    ['no tokens', `${head}0,0,3`, 3],
    ['half a token', `${head}0,1.5,3`, 3],
    ['a negative time', `${head}-1,1,3`, 3],
    ['an exponent', `${head}0,1e3,3`, 3],
    ['another header', 'time,secret,output\n0,1,1', 1],
    ['no header', '0,1,1\n0,1,1', 1],
    ['no JSON', `${jsonl}\n{"t_ms":0,"prompt_tokens":`, 3],
    ['an unknown key', `${jsonl}\n{"t_ms":0,"prompt_tokens":1,"output_tokens":1,"secret":1}`, 3],
    ['a number as text', `${jsonl}\n{"t_ms":0,"prompt_tokens":"secret","output_tokens":1}`, 3],
    ['more blocks than tokens', `${jsonl}\n{"t_ms":0,"prompt_tokens":1024,"output_tokens":1,"prefix_blocks_512":[1,2,3]}`, 3],
  ] as const)('%s is refused with the line, and without what it holds', ([, text, line]) => {
    let message = '';
    try {
      parseTrace(text);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      message = (error as Error).message;
    }
    expect(message).toContain(`Line ${line} of the trace is not usable`);
    expect(message).not.toContain('secret');
  });

  test('no request, and no file', () => {
    expect(() => parseTrace('t_ms,prompt_tokens,output_tokens\n')).toThrow('The trace holds no request.');
    const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    expect(() => readTrace(join(folder, 'none.csv'), 1)).toThrow(/^Expected a trace in .*none\.csv, found no file that can be read\.$/);
    writeFileSync(join(folder, 'some.csv'), csv);
    expect(readTrace(join(folder, 'some.csv'), 2)).toHaveLength(2);
  });

  test('those of the test data are read whole, and fit the context', () => {
    const folder = findTestData('traces of real services');
    if (folder === undefined) return;
    for (const [name, count] of [
      ['azure-2023-conv.dev.csv', 9739],
      ['azure-2023-code.dev.csv', 5353],
      ['arxiv-summarization-lengths.dev.csv', 14_128],
      ['mooncake-conversation.dev.jsonl', 5606],
      ['mooncake-synthetic.dev.jsonl', 1925],
    ] as const) {
      const entries = readTrace(join(folder, 'data/traces', name), Number.POSITIVE_INFINITY);
      expect(entries).toHaveLength(count);
      expect(longestRequest(planTrace(entries, { ...scale, context: 1024 }))).toBeLessThanOrEqual(1024);
    }
  });
});

const scale: TraceScale = { length: undefined, time: undefined, rate: 0.5, context: 4096, seed: 1 };

describe('a trace on this device', () => {
  test('as it is where it fits; its rate is the one that is asked', () => {
    const planned = planTrace(parseTrace(jsonl), scale);
    expect(planned.map(({ prompt, newTokens }) => [prompt.length, newTokens])).toEqual([
      [1000, 500],
      [1500, 1],
    ]);
    // One gap at half a request a second.
    expect(planned.map(({ at }) => at)).toEqual([0, 2000]);
    expect(planTrace(parseTrace(jsonl), { ...scale, rate: 2 }).map(({ at }) => at)).toEqual([0, 500]);
    expect(planTrace(parseTrace(csv), { ...scale, time: 2 }).map(({ at }) => at)).toEqual([0, 201, 9083.8]);
  });

  test('shrunk to the context, and what prompts share shrinks alike', () => {
    const range = idRange(49_152);
    const planned = planTrace(parseTrace(jsonl), { ...scale, context: 152 });
    expect(longestRequest(planned)).toBeLessThanOrEqual(152);
    const [first, second] = planned.map(({ prompt }) => createPrompt(prompt, range));
    // A tenth: blocks of 51.
    expect(planned[0]?.prompt.blockLength).toBe(51);
    expect(first?.slice(0, 51)).toEqual(second?.slice(0, 51));
    expect(first?.slice(51, 80)).not.toEqual(second?.slice(51, 80));
    expect(planTrace(parseTrace(jsonl), { ...scale, length: 0.5 }).map(({ prompt }) => prompt.length)).toEqual([500, 750]);
  });

  test('lengths alone get Poisson arrivals of the rate', () => {
    const lengths = `prompt_tokens,output_tokens\n${'10,10\n'.repeat(5001)}`;
    const gaps = gapsOf(planTrace(parseTrace(lengths), { ...scale, rate: 10 }));
    // The mean of 5,000 exponentials of 100 ms has a deviation of 1.4 ms.
    expect(Math.abs(mean(gaps) - 100)).toBeLessThan(6 * 1.42);
    expect(new Set(gaps).size).toBeGreaterThan(4900);
  });

  test('another seed gives other prompts with the same sharing', () => {
    const range = idRange(49_152);
    const make = (seed: number) => planTrace(parseTrace(jsonl), { ...scale, seed }).map(({ prompt }) => createPrompt(prompt, range));
    const [[a1 = [], a2 = []], [b1 = []]] = [make(1), make(2)] as [number[][], number[][]];
    expect(a1.slice(0, 512)).toEqual(a2.slice(0, 512));
    expect(a1.slice(0, 512)).not.toEqual(b1.slice(0, 512));
  });
});

/** The commands as a user types them, on a tiny model: numbers against the reference, sentences, exit codes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { LogitsReport } from '../../server/cli/logits-table.ts';
import { createFolder } from '../gguf-file.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { malformedCases } from '../test-data.ts';
import { finish } from './command.ts';

const folder = createFolder();
afterAll(folder.remove);
const oracle = readOracle('gguf_llama_q4_1');
const { modelPath, prompts } = oracle;
const device = ['--device', testDevice()];

async function logits(...args: readonly string[]): Promise<LogitsReport[]> {
  const { code, out, err } = await finish(['logits', modelPath, ...device, '--exact', '--json', ...args]);
  expect([code, err]).toEqual([0, expect.not.stringContaining('rror')]);
  const parsed: LogitsReport | LogitsReport[] = JSON.parse(out);
  return Array.isArray(parsed) ? parsed : [parsed];
}

const idsOf = (name: keyof typeof prompts): string[] => ['--ids', prompts[name].ids.join(',')];

/** Log-probabilities of the reference, from its float64 logits. */
function reference(values: ArrayLike<number>): number[] {
  const peak = Math.max(...Array.from(values));
  const sum = Array.from(values).reduce((total, value) => total + Math.exp(value - peak), 0);
  return Array.from(values, (value) => value - peak - Math.log(sum));
}

describe('inward logits', () => {
  test('all log-probabilities, greedy tokens with margins, and every position, as the reference has them', async () => {
    const golden = prompts.len7;
    const [report] = await logits(...idsOf('len7'), '--top', 'all', '--greedy', '24', '--all-positions');
    const bound = 40 * oracle.tolerance; // a log-probability is a difference of two numbers that may be 20 x off
    const expected = reference(golden.lastLogits64);
    expect(report?.top.length).toBe(361);
    for (const { id, logprob } of report?.top ?? []) expect(Math.abs(logprob - (expected[id] ?? Number.NaN))).toBeLessThan(bound);
    expect(report?.greedy.map(({ id }) => id)).toEqual(golden.greedy);
    for (const [step, { margin }] of (report?.greedy ?? []).entries()) {
      const [first = 0, second = 0] = golden.greedyTopLogits[step] ?? [];
      expect(Math.abs(margin - (first - second))).toBeLessThan(bound);
    }
    expect(report?.positions.map(({ position }) => position)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const { position, top, next } of report?.positions ?? []) {
      const row = reference(golden.logits?.subarray(position * 361, position * 361 + 361) ?? []);
      for (const { id, logprob } of top) expect(Math.abs(logprob - (row[id] ?? Number.NaN))).toBeLessThan(bound);
      if (position === 6) expect(next).toBeUndefined();
      else expect(next?.id).toBe(golden.ids[position + 1]);
      if (next !== undefined) expect(Math.abs(next.logprob - (row[next.id] ?? Number.NaN))).toBeLessThan(bound);
    }
  });

  test('a batch, in chunks of an odd length, gives what each prompt gives alone', async () => {
    const names = ['len33', 'batch0', 'long'] as const;
    const settings = ['--greedy', '8', '--top', '5'];
    const together = await logits(...names.flatMap(idsOf), '--chunk', '11', ...settings);
    expect(together.length).toBe(3);
    for (const [i, name] of names.entries()) {
      expect(together[i]?.greedy.map(({ id }) => id)).toEqual(prompts[name].greedy.slice(0, 8));
      expect(together[i]?.top.map(({ id }) => id)).toEqual(prompts[name].topIds.at(-1));
      expect(together[i]?.positions).toEqual([]);
    }
    expect(await logits(...idsOf('long'), ...settings)).toEqual([together[2]]);
  });

  test('a token outside the vocabulary: exit code 1, and the list is not repeated', async () => {
    const { code, out, err } = await finish(['logits', modelPath, ...device, '--ids', '1,2,98765', '--json']);
    expect([code, out]).toEqual([1, '']);
    expect(err.trim()).toBe('A token id lies outside the vocabulary of 361 tokens. Encode the prompt with the tokenizer of the loaded model.');
  });
});

describe('inward run', () => {
  test('streams an answer; the same with the same seed; the question from standard input', async () => {
    const settings = ['--model', modelPath, ...device, '--max-tokens', '16', '--seed', '5'];
    const first = await finish(['run', 'The patient takes 20 mg', ...settings]);
    expect(first.code).toBe(0);
    expect(first.out.length).toBeGreaterThan(8);
    expect(first.err).toMatch(/^13 prompt tokens, first token after [\d.]+ s, 16 tokens, [\d.]+ tok\/s; not for PHI: no agreement was checked$/m);
    const second = await finish(['run', '-', ...settings], 'The patient takes 20 mg\n');
    expect([second.code, second.out]).toEqual([0, first.out]);
  });

  test('a question that the context does not hold', async () => {
    const { code, err } = await finish(['run', 'The patient takes 20 mg', '--model', modelPath, ...device, '--context', '8']);
    expect(code).toBe(1);
    expect(err).toContain('The prompt has 13 tokens and the context holds 8.');
  });
});

/** One sentence with its remedy, of our own, and no stack. */
function checkRefusal({ code, out, err }: Awaited<ReturnType<typeof finish>>, sentence: RegExp): void {
  expect([code, out]).toEqual([1, '']);
  expect(err).toMatch(sentence);
  expect(err.trim().split('\n').length).toBe(1);
  expect(err).not.toMatch(/^ +at |Error:/m);
}

describe('models that cannot be served', () => {
  const open = (path: string) => finish(['evaluate', '--port', '0', '--model', path, ...device]);

  test('missing', async () => checkRefusal(await open(join(import.meta.dirname, 'none.gguf')), /^There is no readable file at .*none\.gguf\./));

  test('cut', async () => {
    const bytes = readFileSync(modelPath);
    checkRefusal(await open(folder.write(bytes.subarray(0, 50_000))), /^The GGUF file is not usable: .*: expected .*, found .*\./);
  });

  test.each(malformedCases().filter(({ id }) => /^model-(block_count-2\^32-1|attention.head_count-5|rope)/.test(id)))('hostile: $id', async ({ bytes }) =>
    checkRefusal(await open(folder.write(bytes)), /^The (GGUF file is not usable|model is not supported): .*: expected .*, found .*\./),
  );

  test('not a model', async () => {
    const path = folder.write(Buffer.from('x'));
    writeFileSync(path, 'just text, and not a model');
    checkRefusal(await open(path), /^The GGUF file is not usable: /);
  });
});

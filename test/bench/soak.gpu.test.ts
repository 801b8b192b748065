/** The soak and the crashes with a tiny model and few requests; in full as they are meant, with the default model. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Bound, SoakRecord } from '../../bench/soak/judge.ts';
import { testDevice } from '../gpu.ts';

const root = join(import.meta.dirname, '../..');
const tiny = ['--model', 'test/fixtures/oracles/gguf_llama_q4_1/model.gguf'];
const isFull = process.env['INWARD_FULL'] === '1';
/** Bounds for a busy machine; alone the short ones take half a minute. */
const shortMinutes = 5;
const fullMinutes = 60;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function runSoak(minutes: number, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['bin/inward.mjs', 'bench', 'soak', ...args], { cwd: root, timeout: minutes * 60_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
  });
}

const record = ({ out }: Ended): SoakRecord => JSON.parse(out.trimEnd().split('\n').at(-1) ?? '');
const broken = (bounds: readonly Bound[]): string[] => bounds.filter(({ isMet }) => isMet === false).map(({ name }) => name);

test('30 mixed requests: every token is right, and nothing is left', { timeout: shortMinutes * 60_000 }, async () => {
  const ended = await runSoak(shortMinutes, ...tiny, '--device', testDevice(), '--requests', '30');
  expect(ended.err).toMatch(/30 requests: done/);
  const { bounds, ends, resident, codes } = record(ended);
  expect([broken(bounds), codes, ended.code]).toEqual([[], [], 0]);
  expect(Object.values(ends).reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(30);
  for (const name of ['complete', 'cancelled'] as const) expect(ends[name]).toBeGreaterThan(0);
  for (const part of [resident?.first, resident?.last]) for (const process of ['engine', 'parent'] as const) expect(part?.[process]).toBeGreaterThan(2 ** 25);
});

test('a killed process under load: nothing hangs, and nobody gets a token that is not his', { timeout: shortMinutes * 60_000 }, async () => {
  const ended = await runSoak(shortMinutes, ...tiny, '--device', testDevice(), '--crashes', '1');
  expect(ended.err).toMatch(/1 crashes: done/);
  const { bounds, counts } = record(ended);
  expect([broken(bounds), counts.restarts, ended.code]).toEqual([[], 1, 0]);
});

test('2,000 requests and 20 crashes with the default model', { timeout: 2 * fullMinutes * 60_000 }, async ({ skip }) => {
  skip(!isFull, 'half an hour: npm test -- --full');
  for (const args of [[], ['--crashes', '20']]) {
    const ended = await runSoak(fullMinutes, '--device', testDevice(), '--timeout', '600', ...args);
    expect([broken(record(ended).bounds), ended.code], args.join(' ')).toEqual([[], 0]);
  }
});

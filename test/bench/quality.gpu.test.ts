/** The quality bench with a tiny model: that formats differ by what they are, and what a run leaves behind. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { QualityRecord } from '../../bench/quality/record.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { listKeys } from './records.ts';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Three engines open one after the other, each with kernels of its own, on a machine that may be busy. */
const deadlineMs = 300_000;

function runBench(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const env = { ...process.env, INWARD_TEST_DATA: '', ...environment };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['bin/inward.mjs', 'bench', 'kv', ...args],
      { cwd: join(import.meta.dirname, '../..'), env, timeout: deadlineMs },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
  });
}

/** Written by hand: what is not in this list must not be in the record. */
const closedKeys = [
  ...['.date', '.version', '.device', '.model', '.seed', '.passages', '.positions'],
  ...['cpu', 'cores', 'memoryBytes', 'node'].map((key) => `.machine.${key}`),
  ...['kv', 'activations', 'kvBytesPerToken', 'meanNll', 'perplexity', 'mean', 'p99', 'max', 'divergence', 'agreement'].map((key) => `.formats[].${key}`),
];

test(
  'f16 is nearer to f32 than q8, both within what the formats may be off; the record holds numbers',
  async () => {
    const oracle = readOracle('gguf_llama_f32');
    const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [file, json] = [join(folder, 'notes.txt'), join(folder, 'kv.json')];
    writeFileSync(file, 'The patient was seen for follow-up of chronic low-back pain, and reports some relief since the last visit. '.repeat(100));
    const own = ['--model', oracle.modelPath, '--device', testDevice()];
    const ended = await runBench([...own, '--file', file, '--passages', '3', '--shortest', '40', '--longest', '80', '--json', json]);
    expect(ended.err).toMatch(/KV q8, activations f32: done/);
    expect(ended.code).toBe(0);
    expect(ended.out).not.toContain('patient');
    const record: QualityRecord = JSON.parse(ended.out.trimEnd().split('\n').at(-1) ?? '');
    expect(listKeys(record).sort()).toEqual(closedKeys.toSorted());
    expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual(record);
    expect(record.passages).toBe(3);
    expect(record.positions).toBeGreaterThanOrEqual(3 * 39);
    const [f32, f16, q8] = record.formats;
    if (f32 === undefined || f16 === undefined || q8 === undefined) throw new Error('formats are missing');
    expect(record.formats.map(({ kv, activations }) => `${kv} ${activations}`)).toEqual(['f32 f32', 'f16 f32', 'q8 f32']);
    // The model: 2 layers, 2 KV heads of 32. q8: a byte for each number, and a vector of 16 bytes with the factors of a head's key and value.
    expect(record.formats.map(({ kvBytesPerToken }) => kvBytesPerToken)).toEqual([1024, 512, 320]);
    expect(f32).toMatchObject({ mean: 0, max: 0, divergence: 0, agreement: 1 });
    // An f16 number is off by 2^-11 of itself, a q8 number by 1/254 of its head's largest, so eight times as much or more.
    expect(f16.mean).toBeGreaterThan(0);
    expect(q8.mean).toBeGreaterThan(4 * f16.mean);
    expect(q8.divergence).toBeGreaterThan(f16.divergence);
    // A log-probability moves by at most twice what logits do; bounds of the logits as in test/models/llama.test.ts.
    const half = (format: 'f16' | 'bf16'): number => Math.max(...Object.values(oracle.half[format]));
    expect(f16.max).toBeLessThan(2 * half('f16'));
    expect(q8.max).toBeLessThan(2 * 3 * half('bf16'));
  },
  deadlineMs,
);

test('what cannot be measured is refused with one sentence', async () => {
  const model = readOracle('gguf_llama_f32').modelPath;
  const [none, long] = await Promise.all([runBench(['--model', model]), runBench(['--model', model, '--file', model, '--longest', '100000'])]);
  expect([none.code, long.code]).toEqual([2, 2]);
  expect(none.err).toContain('Expected --file, or INWARD_TEST_DATA');
  expect(long.err).toMatch(/The context of this model holds \d+ tokens, and --longest asks for 100000\./);
});

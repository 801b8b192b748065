/** Checkpoints that loads are measured with: as large as asked, in several files, and what an engine would open. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkpointNames, writeFolder, writeSmall } from '../../bench/load/checkpoints.ts';
import { configDeepseekV4 } from '../../bench/load/deepseek-v4.ts';
import { main } from '../../bench/load/index.ts';
import { sizeOfFiles } from '../../bench/load/measure.ts';
import { poolOf } from '../../bench/load/pools.ts';
import { describeCheckpoint, openCheckpoint } from '../../runtime/checkpoint/index.ts';
import { planModel } from '../../runtime/plan.ts';
import type { DirectoryConfig } from '../deepseek-v4-directory.ts';

const releases = join(import.meta.dirname, '../../models/releases');

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-load-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test.each(checkpointNames)('%s: an engine plans for it, and has the storages that the large one has', (name) => {
  const modelPath = writeSmall(name, createFolder());
  const family = { bf16: 'llama', q4_k: 'llama', experts: 'qwen3_moe', fp4: 'deepseek_v4' }[name];
  expect(planModel({ modelPath }).family).toBe(family);
  using checkpoint = openCheckpoint(modelPath);
  const storages = new Set(describeCheckpoint(checkpoint).storages.map(({ storage }) => storage));
  const expected = { bf16: ['BF16'], q4_k: ['Q4_K', 'Q6_K', 'F32'], experts: ['BF16'], fp4: ['BF16', 'F32', 'F8_E4M3', 'F8_E8M0', 'I8'] }[name];
  expect(storages).toEqual(new Set(expected));
});

test('layers fill the size, in four files, with numbers that are finite', () => {
  // A layer: attention 2 x 64 x 64 + 2 x 32 x 64, feed-forward 3 x 128 x 64, two norms; besides 256 words and a norm.
  const sizes = { hidden_size: 64, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16, intermediate_size: 128, vocab_size: 256 };
  const [layer, rest] = [2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 128 * 64 + 2 * 64), 2 * (256 * 64 + 64)];
  const path = writeFolder(join(createFolder(), 'm'), 'llama-3.2-1b', sizes, rest + 7.4 * layer);
  expect(readdirSync(path).filter((file) => file.endsWith('.safetensors')).length).toBe(4);
  using checkpoint = openCheckpoint(path);
  expect(describeCheckpoint(checkpoint).weightSize).toBe(rest + 7 * layer);
  expect(sizeOfFiles(path)).toBeLessThan(rest + 8 * layer);
  for (const { offset, size } of checkpoint.tensors.values()) {
    const words = new Uint16Array(size / 2);
    checkpoint.read(offset, new Uint8Array(words.buffer));
    // All ones in the exponent: infinite, or no number.
    expect(words.some((word) => (word & 0x7f80) === 0x7f80)).toBe(false);
  }
});

test('random numbers of every type are numbers, and ids of experts are six that differ', () => {
  const words = new Uint32Array(poolOf('', 'F32').slice().buffer);
  expect(words.some((word) => (word & 0x7f800000) === 0x7f800000)).toBe(false);
  expect(poolOf('', 'F8_E4M3').some((byte) => (byte & 0x7f) === 0x7f)).toBe(false);
  const ids = new BigInt64Array(poolOf('', 'I64').slice().buffer);
  for (let row = 0; row < ids.length; row += 6) expect(new Set(ids.subarray(row, row + 6)).size).toBe(6);
  expect(ids.every((id) => id >= 0n && id < 256n)).toBe(true);
});

test('layers in the layout of DeepSeek-V4-Flash are some of its own, the first two of several by ids', () => {
  const release: DirectoryConfig = JSON.parse(readFileSync(join(releases, 'deepseek-v4-flash.json'), 'utf8'));
  expect(configDeepseekV4(release, 1, 64)).toMatchObject({ compress_ratios: [4, 0], num_hash_layers: 0, num_hidden_layers: 1 });
  expect(configDeepseekV4(release, 3, 64)).toMatchObject({ compress_ratios: [0, 4, 128, 0], num_hash_layers: 2, num_hidden_layers: 3 });
});

test.each([
  ['--size', '1'],
  ['--size', 'G'],
  ['--checkpoints', 'f64'],
  ['--rounds', '0'],
])('%s %s is refused before anything is written', async (...args) => {
  await expect(main(args)).rejects.toThrow(/argument/);
});

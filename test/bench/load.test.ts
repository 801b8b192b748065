/** Checkpoints that loads are measured with: as large as asked, in several files, and what an engine would open. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkpointNames, writeFolder, writeSmall } from '../../bench/load/checkpoints.ts';
import { main } from '../../bench/load/index.ts';
import { sizeOfFiles } from '../../bench/load/measure.ts';
import { describeCheckpoint, openCheckpoint } from '../../runtime/checkpoint/index.ts';
import { planModel } from '../../runtime/plan.ts';

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-load-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test.each(checkpointNames)('%s: an engine plans for it, and has the storages that the large one has', (name) => {
  const modelPath = writeSmall(name, createFolder());
  expect(planModel({ modelPath }).family).toBe(name === 'experts' ? 'qwen3_moe' : 'llama');
  using checkpoint = openCheckpoint(modelPath);
  const storages = new Set(describeCheckpoint(checkpoint).storages.map(({ storage }) => storage));
  expect(storages).toEqual(new Set(name === 'q4_k' ? ['Q4_K', 'Q6_K', 'F32'] : ['BF16']));
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

test.each([
  ['--size', '1'],
  ['--size', 'G'],
  ['--checkpoints', 'f64'],
  ['--rounds', '0'],
])('%s %s is refused before anything is written', async (...args) => {
  await expect(main(args)).rejects.toThrow(/argument/);
});

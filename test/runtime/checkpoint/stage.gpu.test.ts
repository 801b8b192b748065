/**
 * What the host takes while a checkpoint loads, in the engine's own process: the two halves of the chunk, whatever the size of a tensor or a file.
 * Resident memory counts, so also what V8 does not know of.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeFolder, writeSmall } from '../../../bench/load/checkpoints.ts';
import { hostSizeOf, measureLoad } from '../../../bench/load/measure.ts';
import { chunkSize } from '../../../runtime/checkpoint/stage.ts';
import { chooseDriver } from '../../../runtime/drivers.ts';
import { testDevice } from '../../gpu.ts';

const isFull = process.env['INWARD_FULL'] === '1';
/** The embedding is 64 MiB, four times the chunk; the layers are of 29 MB each. */
const sizes = { hidden_size: 1024, num_attention_heads: 16, num_key_value_heads: 8, intermediate_size: 4096, vocab_size: 32_768 };

test('a chunk, and no whole tensor or file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inward-load-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const modelPath = writeFolder(join(folder, 'large'), 'llama-3.2-1b', sizes, isFull ? 256e6 : 1);
  const driver = chooseDriver(testDevice());
  const load = await measureLoad({ modelPath, contextLength: 64, maxSequences: 1, kvTokens: 64 }, driver, writeSmall('bf16', folder));
  expect(load.deviceSize).toBeGreaterThan(5 * chunkSize);
  expect((load.externalPeak - load.externalBefore) / chunkSize).toBeLessThan(1.2);
  // One chunk more for what V8 and the driver come to need besides; the embedding would be four.
  expect(hostSizeOf(load) / chunkSize).toBeLessThan(2.2);
});

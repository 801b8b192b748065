import { statSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { type LlamaShape, listTensors, shapes, writeSynthetic } from '../../bench/synthetic.ts';
import { describeCheckpoint, openCheckpoint } from '../../runtime/checkpoint/index.ts';
import { planModel } from '../../runtime/plan.ts';
import { createFolder } from '../gguf-file.ts';

const tiny: LlamaShape = { layers: 2, embedding: 256, feedForward: 512, heads: 4, kvHeads: 2, headLength: 64, vocabulary: 300, hasOutput: true };

// Published: 134.5 M, 1.24 G and 8.03 G parameters.
test.each([
  ['smollm2-135m', 134_515_008],
  ['llama-3.2-1b', 1_235_814_400],
  ['llama-3.1-8b', 8_030_261_248],
])('%s has as many parameters as the model', (name, parameters) => {
  const shape = shapes[name];
  if (shape === undefined) throw new Error('no such shape');
  expect(listTensors(shape, 'Q4_K').reduce((sum, { rows, columns }) => sum + rows * columns, 0)).toBe(parameters);
});

test.each(['Q4_0', 'Q4_K', 'F16'] as const)('a file in %s is a model that an engine plans for', (storage) => {
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  const path = folder.write(new Uint8Array());
  const size = writeSynthetic(path, tiny, storage);
  expect(statSync(path).size).toBe(size);
  using checkpoint = openCheckpoint(path);
  expect(describeCheckpoint(checkpoint).family).toBe('llama');
  expect(checkpoint.tensors.get('output.weight')?.storage).toBe(storage === 'Q4_K' ? 'Q6_K' : storage);
  // Both tables; of a layer the matrices of attention, those of the feed-forward, two norms; the last norm.
  const parameterCount = 2 * 300 * 256 + 2 * (256 * (256 + 2 * 128 + 256) + 3 * 512 * 256 + 2 * 256) + 256;
  expect(planModel({ modelPath: path })).toMatchObject({ family: 'llama', parameterCount });
});

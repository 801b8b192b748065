/** The ONNX graph that transformers.js runs, held against what Hugging Face transformers computes from the same Q4_0 file. */
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { createCheckpoint, storeBlocks } from '../../../bench/kernels/stored.ts';
import { encodeLlama, readShape } from '../../../bench/onnx/llama.ts';
import { readMatrix } from '../../../bench/onnx/weights.ts';
import { hasPeer } from '../../../bench/peer.ts';
import { dequantizeRow } from '../../../kernels/formats.ref.ts';
import { randomFileRows } from '../../../kernels/random.ref.ts';
import { fileRowSize } from '../../../kernels/repack.ts';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { readOracle } from '../../oracle.ts';

const oracle = readOracle('gguf_llama_q4_0');

interface Ort {
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => { readonly data: Float32Array; readonly dims: readonly number[] };
  readonly InferenceSession: {
    create(bytes: Uint8Array, options: object): Promise<{ run(feeds: object): Promise<Record<string, { readonly data: Float32Array }>> }>;
  };
}

test.for(['len1', 'len33'] as const)('logits of %s, in one run and with its last token apart', async (prompt, context) => {
  context.skip(!hasPeer('ort'), 'onnxruntime is not installed: npm run bench -- --install-peers');
  const ort = createRequire(new URL('../../../bench/peers/x.js', import.meta.url))('onnxruntime-node') as Ort;
  using checkpoint = openCheckpoint(oracle.modelPath);
  const shape = readShape(checkpoint);
  const session = await ort.InferenceSession.create(encodeLlama(checkpoint, shape), { executionProviders: ['cpu'], logSeverityLevel: 4 });
  const { ids: all, lastLogits64: expected } = oracle.prompts[prompt];
  const ids = [...all];
  const caches = ['key', 'value'].flatMap((what) => Array.from({ length: shape.layerCount }, (_, layer) => `${layer}.${what}`));
  const empty = Object.fromEntries(
    caches.map((name) => [`present.${name}`, new ort.Tensor('float32', new Float32Array(0), [1, shape.kvHeads, 0, shape.headLength])]),
  );
  const run = (past: Record<string, unknown>, now: readonly number[], positions: number) =>
    session.run({
      input_ids: new ort.Tensor('int64', BigInt64Array.from(now, BigInt), [1, now.length]),
      attention_mask: new ort.Tensor('int64', new BigInt64Array(positions).fill(1n), [1, positions]),
      ...Object.fromEntries(caches.map((name) => [`past_key_values.${name}`, past[`present.${name}`]])),
    });
  const distance = (logits: ArrayLike<number>): number =>
    expected.reduce((sum, value, i) => sum + (value - (logits[i] ?? Number.NaN)) ** 2, 0) / expected.reduce((sum, value) => sum + value ** 2, 0);
  // f32 sums of a model of two layers; the test of the engine allows as much.
  const whole = await run(empty, ids, ids.length);
  expect(whole['logits']?.data.length).toBe(shape.vocabularySize);
  expect(distance(whole['logits']?.data ?? [])).toBeLessThan(1e-10);
  if (ids.length > 1) {
    const last = await run(await run(empty, ids.slice(0, -1), ids.length - 1), ids.slice(-1), ids.length);
    expect(distance(last['logits']?.data ?? [])).toBeLessThan(1e-10);
  }
});

test('other storages are rounded to the nearest of 16 numbers, and rows come in the order that is asked for', () => {
  const [rows, columns] = [6, 64];
  const blocks = randomFileRows('Q8_0', rows, columns, 3);
  using checkpoint = createCheckpoint({ m: storeBlocks('Q8_0', rows, columns, blocks) });
  const { codes, scales } = readMatrix(checkpoint, columns, [{ tensor: 'm.weight', rows, order: (row) => rows - 1 - row }]);
  const size = fileRowSize('Q8_0', columns);
  for (let row = 0; row < rows; row++) {
    const from = rows - 1 - row;
    dequantizeRow('Q8_0', blocks.subarray(from * size, (from + 1) * size), columns).forEach((value, column) => {
      const scale = scales[(row * columns + column) >> 5] ?? Number.NaN;
      const code = codes[row * columns + column] ?? Number.NaN;
      expect(code).toBeGreaterThanOrEqual(0);
      expect(code).toBeLessThanOrEqual(15);
      // Half a step, or a whole one at the end that has no code.
      expect(Math.abs(scale * (code - 8) - value)).toBeLessThanOrEqual(Math.abs(scale) * (code === 15 ? 1 : 0.5) * 1.0001);
    });
  }
});

test('a row of zeros stays zero', () => {
  using checkpoint = createCheckpoint({ m: storeBlocks('F32', 1, 32, new Uint8Array(128)) });
  const { codes, scales } = readMatrix(checkpoint, 32, [{ tensor: 'm.weight', rows: 1 }]);
  expect(Array.from(codes, (code) => (code - 8) * (scales[0] ?? Number.NaN)).every((value) => value === 0)).toBe(true);
});

test('what the graph does not do is refused by name', () => {
  using checkpoint = openCheckpoint(oracle.modelPath);
  const other = (key: string, value: string | number) => ({ ...checkpoint, metadata: new Map([...checkpoint.metadata, [key, value]]) });
  expect(() => readShape(other('general.architecture', 'gemma3'))).toThrow('a graph is written for the family llama only, this file is of "gemma3"');
  expect(() => readShape(other('llama.rope.dimension_count', 16))).toThrow('plain rotations of whole heads only');
  const shape = { ...readShape(checkpoint), feedForwardLength: 128 };
  expect(() => encodeLlama(checkpoint, shape)).toThrow('blk.0.ffn_gate.weight is 160 x 64, expected 128 x 64');
});

/**
 * Every family at the shapes of real releases, from their config.json alone: the tensors that it asks for have as many numbers as the
 * publisher's files, the whole forward pass can be laid out, and its KV cache has the size that follows from the configuration by hand.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fitModel } from '../../runtime/fit.ts';
import { deepseekV4Shapes, listDeepseekV4 } from '../../runtime/sizing/deepseek-v4.ts';
import { countParameters } from '../../runtime/sizing/released.ts';

interface Release {
  /** In the publisher's files, as the model's page shows it; of models with other parts those of the text. */
  readonly parameters: number;
  /** The page has two digits. */
  readonly isRounded?: true;
  /** Of a token in all layers, in f16: by hand. */
  readonly kvBytes: number;
  /** Recurrent state of a sequence in all layers, in f32: by hand. */
  readonly stateBytes?: number;
}

/** Of GLM-4.5 Air behind its last layer, for multi-token prediction, which is not run: a layer, a matrix over it, norms, and both tables once more. */
function glmPrediction(): number {
  const [width, queries, keys, vocabulary] = [4096, 96 * 128, 8 * 128, 151_552];
  const attention = 2 * width * (queries + keys) + queries + 2 * keys;
  const experts = (128 + 1) * 3 * 1408 * width + 128 * (width + 1);
  return attention + experts + 2 * width * width + 5 * width + 2 * vocabulary * width;
}

type QwenSizes = Readonly<Record<'width' | 'heads' | 'kvHeads' | 'feedForward', number>>;

/** Of Qwen3-Next and Qwen3.5 behind the last layer, for multi-token prediction: a layer of attention, a matrix over two rows, norms. */
function qwenPrediction({ width, heads, kvHeads, feedForward }: QwenSizes): number {
  const attention = (3 * heads + 2 * kvHeads) * 256 * width + 2 * 256;
  return attention + feedForward + 2 * width * width + 5 * width;
}

/** Of Qwen3.5 beside its text part: that, and the vision tower. */
function qwenExtras(sizes: QwenSizes): number {
  const { width } = sizes;
  const [inner, hidden, merged] = [1152, 4304, 4 * 1152];
  const block = 4 * inner + 4 * (inner * inner + inner) + 2 * inner * hidden + hidden + inner;
  const merger = 2 * inner + merged * merged + merged + merged * width + width;
  return qwenPrediction(sizes) + (3 * 2 * 16 * 16 + 1) * inner + 2304 * inner + 27 * block + merger;
}

/** A router, experts with a gate and an up and a down part, and one that all tokens have, with its gate. */
const mixture = (width: number, experts: number, inner: number): number => experts * width + (experts + 1) * 3 * inner * width + width;

/** Without the block for multi-token prediction. */
function countReleased(name: string): number {
  const tensors = deepseekV4Shapes.filter((shape) => shape.name === name).flatMap(listDeepseekV4);
  return countParameters(tensors.filter(({ place }) => place !== 'prediction'));
}

/** Of DeepSeek-V4, by the counts of its layers with entries of 4 tokens, of 128, and all: entries and index keys in f16; rows of the last tokens, and of open windows, in f32. */
const compressedCache = (fours: number, long: number, layers: number): Pick<Release, 'kvBytes' | 'stateBytes'> => ({
  kvBytes: fours * ((512 + 128) / 4) * 2 + long * (512 / 16) * 2,
  stateBytes: (layers * 128 * 512 + fours * 8 * 4 * (512 + 128) + long * 128 * 2 * 512) * 4,
});

const releases: Readonly<Record<string, Release>> = {
  // Without the pooler, a layer over the first token that nothing of it uses.
  'all-minilm-l6-v2': { parameters: 22_713_216 - (384 + 1) * 384, kvBytes: 6 * 2 * 12 * 32 * 2 },
  // Without the layer for multi-token prediction.
  'deepseek-v3': { parameters: 671_026_419_200, kvBytes: 61 * (512 + 64) * 2 },
  // The same, and an indexer in every layer.
  'deepseek-v3.2': { parameters: 671_026_419_200 + 61 * (64 * 128 * 1536 + 128 * 7168 + 2 * 128 + 64 * 7168), kvBytes: 61 * (512 + 64 + 128) * 2 },
  // As the published directory of tensors has them (test/runtime/checkpoint/deepseek-v4.test.ts); the pages say 284 and 1,600 thousand million.
  'deepseek-v4-flash': { parameters: countReleased('DeepSeek-V4-Flash'), ...compressedCache(21, 20, 43) },
  'deepseek-v4-pro': { parameters: countReleased('DeepSeek-V4-Pro'), ...compressedCache(30, 31, 61) },
  'gemma-2-9b': { parameters: 9_241_705_984, kvBytes: 42 * 2 * 8 * 256 * 2 },
  'gemma-3-1b': { parameters: 999_885_952, kvBytes: 26 * 2 * 256 * 2 },
  'medgemma-4b': { parameters: 4_300_079_472 - 419_816_304, kvBytes: 34 * 2 * 4 * 256 * 2 },
  'medgemma-27b-text': { parameters: 27_009_002_240, kvBytes: 62 * 2 * 16 * 128 * 2 },
  'gemma-4-26b-a4b': { parameters: 25.2e9, isRounded: true, kvBytes: (25 * 8 * 256 + 5 * 2 * 512) * 2 * 2 },
  'gemma-4-31b': { parameters: 30.7e9, isRounded: true, kvBytes: (50 * 16 * 256 + 10 * 4 * 512) * 2 * 2 },
  // Less the parts for images and sound, 0.15 and 0.3 thousand million. 15 and 24 layers have keys and values of their own.
  'gemma-4-e2b': { parameters: 5.1e9 - 0.45e9, isRounded: true, kvBytes: (12 * 256 + 3 * 512) * 2 * 2 },
  'gemma-4-e4b': { parameters: 7.9e9 - 0.45e9, isRounded: true, kvBytes: 2 * (20 * 256 + 4 * 512) * 2 * 2 },
  'glm-4.5-air': { parameters: 110_468_824_832 - glmPrediction(), kvBytes: 46 * 2 * 8 * 128 * 2 },
  // Layers that share a choice have no index keys.
  'glm-5.2': { parameters: 744e9, isRounded: true, kvBytes: (78 * (512 + 64) + 21 * 128) * 2 },
  'gpt-oss-20b': { parameters: 20_914_757_184, kvBytes: 24 * 2 * 8 * 64 * 2 },
  'llama-3.1-8b': { parameters: 8_030_261_248, kvBytes: 32 * 2 * 8 * 128 * 2 },
  'llama-3.2-1b': { parameters: 1_235_814_400, kvBytes: 16 * 2 * 8 * 64 * 2 },
  'mistral-7b-v0.1': { parameters: 7_241_732_096, kvBytes: 32 * 2 * 8 * 128 * 2 },
  'phi-4': { parameters: 14_659_507_200, kvBytes: 40 * 2 * 10 * 128 * 2 },
  'phi-4-mini': { parameters: 3_836_021_760, kvBytes: 32 * 2 * 8 * 128 * 2 },
  'qwen2.5-7b': { parameters: 7_615_616_512, kvBytes: 28 * 2 * 4 * 128 * 2 },
  'qwen3-30b-a3b': { parameters: 30_532_122_624, kvBytes: 48 * 2 * 4 * 128 * 2 },
  'qwen3-8b': { parameters: 8_190_735_360, kvBytes: 36 * 2 * 8 * 128 * 2 },
  'qwen3-next-80b-a3b': {
    parameters: 81_324_862_720 - qwenPrediction({ width: 2048, heads: 16, kvHeads: 2, feedForward: mixture(2048, 512, 512) }),
    kvBytes: 12 * 2 * 2 * 256 * 2,
    stateBytes: 36 * (32 * 128 * 128 + 3 * 8192) * 4,
  },
  'qwen3.5-27b': {
    parameters: 27_781_427_952 - qwenExtras({ width: 5120, heads: 24, kvHeads: 4, feedForward: 3 * 17_408 * 5120 }),
    kvBytes: 16 * 2 * 4 * 256 * 2,
    stateBytes: 48 * (48 * 128 * 128 + 3 * 10_240) * 4,
  },
  'qwen3.5-35b-a3b': {
    parameters: 35_951_822_704 - qwenExtras({ width: 2048, heads: 16, kvHeads: 2, feedForward: mixture(2048, 256, 512) }),
    kvBytes: 10 * 2 * 2 * 256 * 2,
    stateBytes: 30 * (32 * 128 * 128 + 3 * 8192) * 4,
  },
  'smollm3-3b': { parameters: 3_075_098_624, kvBytes: 36 * 2 * 4 * 128 * 2 },
};

const room = { memory: Number.POSITIVE_INFINITY, binding: Number.POSITIVE_INFINITY };

test.each(Object.entries(releases))('%s', (name, { parameters, isRounded, kvBytes, stateBytes = 0 }) => {
  const path = join(import.meta.dirname, `../../models/releases/${name}.json`);
  const [bf16, q8] = fitModel(path, { contextLength: 4096, maxSequences: 1 }, room);
  expect(bf16).toMatchObject({ storage: 'BF16', kvTokenSize: kvBytes, stateSize: stateBytes });
  if (isRounded) expect(Math.abs((bf16?.parameterCount ?? 0) / parameters - 1)).toBeLessThan(0.01);
  else expect(bf16?.parameterCount).toBe(parameters);
  // Two bytes a number, but for the few vectors, which are f32 on the device; and rows in whole tiles.
  expect((bf16?.weightSize ?? 0) / (2 * (bf16?.parameterCount ?? 0))).toBeCloseTo(1, 2);
  expect((q8?.weightSize ?? 0) / (bf16?.weightSize ?? 0)).toBeCloseTo(34 / 64, 1);
});

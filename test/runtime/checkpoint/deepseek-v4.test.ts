/**
 * DeepSeek-V4's releases as the loader sees them: the whole directory of tensors, with the publisher's counts of tensors and bytes, passes its check; a small one
 * with one thing wrong is refused by the tensor's name, before anything would be uploaded.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { weightSize } from '../../../runtime/checkpoint/loader.ts';
import { readModel } from '../../../runtime/plan.ts';
import { deepseekV4Shapes } from '../../../runtime/sizing/deepseek-v4.ts';
import type { ReleasedHeader } from '../../../runtime/sizing/released.ts';
import type { DraftKind } from '../../../runtime/types.ts';
import { createDirectory, type DirectoryConfig, shapeOf } from '../../deepseek-v4-directory.ts';
import { writeHollow } from '../../hollow-checkpoint.ts';
import { sampleCases } from '../../sample.ts';

const configs = join(import.meta.dirname, '../../../models/releases');

function readConfig(name: string): DirectoryConfig {
  return JSON.parse(readFileSync(join(configs, `${name}.json`), 'utf8'));
}

type Directory = Map<string, ReleasedHeader>;

/** A folder of these tensors in so many files. */
function write(config: object, directory: Directory, shards: number): string {
  const most = Math.ceil(directory.size / shards);
  const files = new Map(Array.from(directory.keys(), (name, i) => [name, `model-${Math.floor(i / most) + 1}-of-${shards}.safetensors`]));
  const { path, remove } = writeHollow(config, [...directory.values()], (name) => files.get(name) ?? '');
  onTestFinished(remove);
  return path;
}

/** Bytes of the weights on a device. */
function check(folder: string, draft?: DraftKind): number {
  using checkpoint = openCheckpoint(folder);
  const { family, config } = readModel(checkpoint, draft);
  return weightSize(checkpoint, family.weights(config));
}

/** Published: in the index files of the releases. */
const releases = [
  ['DeepSeek-V4-Flash', 46, 69_187, 159_609_485_896],
  ['DeepSeek-V4-Pro', 64, 145_116, 864_704_792_696],
] as const;

test.each(sampleCases('releases of DeepSeek-V4', releases, 1))('%s: %i files, %i tensors', { timeout: 120_000 }, (name, shards, count, published) => {
  const config = readConfig(name.toLowerCase());
  const directory = createDirectory(config);
  const sizeOf = (headers: readonly ReleasedHeader[]): number => headers.reduce((sum, { size }) => sum + size, 0);
  const headers = [...directory.values()];
  expect([directory.size, sizeOf(headers)]).toEqual([count, published]);
  // The block for multi-token prediction only where it is asked for. On a device 32 codes of 4 bits have a word as their scale, not a byte; nothing grows more.
  const folder = write(config, directory, shards);
  const [main, whole] = [check(folder), check(folder, 'mtp')];
  const [own, ahead] = [false, true].map((isAhead) => sizeOf(headers.filter(({ name: tensor }) => tensor.startsWith('mtp.') === isAhead)));
  for (const grown of [main / (own ?? 0), (whole - main) / (ahead ?? 0)]) {
    expect(grown).toBeGreaterThan(1.1);
    expect(grown).toBeLessThan(20 / 17);
  }
});

test.each(releases)('%s has the shape in the table of sizes that its config.json says', (name) => {
  expect(deepseekV4Shapes.find((shape) => shape.name === name)).toEqual(shapeOf(readConfig(name.toLowerCase()), name));
});

const flash = readConfig('deepseek-v4-flash');
const small: DirectoryConfig = {
  ...flash,
  ...{ hidden_size: 128, num_hidden_layers: 5, compress_ratios: [0, 0, 4, 128, 4, 0], num_attention_heads: 4, head_dim: 64, q_lora_rank: 64, vocab_size: 64 },
  ...{ qk_rope_head_dim: 16, o_groups: 2, o_lora_rank: 32, index_n_heads: 12, index_head_dim: 32, moe_intermediate_size: 64, n_routed_experts: 8 },
  num_experts_per_tok: 2,
};

function refusal(change: (tensors: Directory) => void, config: object = {}, draft?: DraftKind): string {
  const tensors = createDirectory(small);
  change(tensors);
  const folder = write({ ...small, ...config }, tensors, 2);
  try {
    check(folder, draft);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
}

const sizes = { BF16: 2, F32: 4, F8_E8M0: 1, I8: 1 } as const;
const replace =
  (name: string, dtype: keyof typeof sizes, shape: readonly number[]) =>
  (tensors: Directory): void =>
    void tensors.set(name, { name, dtype, shape, size: shape.reduce((product, dimension) => product * dimension, sizes[dtype]) });

test('a small one is accepted', () => {
  expect(refusal(() => undefined)).toBe('accepted');
});

const expert = 'layers.3.ffn.experts.5.w2';

test.each<[string, (tensors: Directory) => void, RegExp]>([
  [
    'a missing expert',
    (tensors) => void (tensors.delete(`${expert}.weight`) && tensors.delete(`${expert}.scale`)),
    /layers\.3\.ffn\.experts\.5\.w2\.weight.*nothing/,
  ],
  [
    'experts without scales',
    (tensors) => void tensors.delete(`${expert}.scale`),
    /layers\.3\.ffn\.experts\.5\.w2\.scale .*F8_E8M0 of shape 128 x 2, found nothing/,
  ],
  [
    'a scale for 16 columns each',
    replace(`${expert}.scale`, 'F8_E8M0', [128, 4]),
    /layers\.3\.ffn\.experts\.5\.w2\.scale.*128 x 2, found F8_E8M0 of shape 128 x 4/,
  ],
  [
    'scales of FP8 blocks with a row too many',
    replace('layers.0.attn.wq_b.scale', 'F8_E8M0', [3, 1]),
    /layers\.0\.attn\.wq_b\.scale.* 2 x 1, found F8_E8M0 of shape 3 x 1/,
  ],
  [
    'FP4 rows of an odd count of columns',
    replace('layers.1.ffn.experts.0.w1.weight', 'I8', [64, 63]),
    /layers\.1\.ffn\.experts\.0\.w1\.weight.*64 x 64 .*found I8 of shape 64 x 63/,
  ],
  ['a table of ids in 32 bits', replace('layers.0.ffn.gate.tid2eid', 'F32', [64, 2]), /layers\.0\.ffn\.gate\.tid2eid.*I64.*F32/],
  ['no bias of a router behind the tables', (tensors) => void tensors.delete('layers.3.ffn.gate.bias'), /layers\.3\.ffn\.gate\.bias.*nothing/],
  ['sinks of other heads', replace('layers.2.attn.attn_sink', 'F32', [8]), /layers\.2\.attn\.attn_sink.*4.*8/],
  ['a compressor without halves', replace('layers.2.attn.compressor.wkv.weight', 'BF16', [64, 128]), /layers\.2\.attn\.compressor\.wkv\.weight/],
])('%s is refused', (_, change, expected) => {
  expect(refusal(change)).toMatch(expected);
});

test('an index that names a file twice for a tensor is refused', () => {
  const folder = write(small, createDirectory(small), 2);
  const path = join(folder, 'model.safetensors.index.json');
  const first = 'model-1-of-2.safetensors';
  writeFileSync(path, readFileSync(path, 'utf8').replace('"weight_map":{', `"weight_map":{"embed.weight":"${first}",`));
  expect(() => check(folder)).toThrow(/embed\.weight/);
});

test('a second file with the same tensors is refused', () => {
  const folder = write(small, createDirectory(small), 1);
  const [one, two] = ['model-1-of-1.safetensors', 'copy.safetensors'];
  writeFileSync(join(folder, two), readFileSync(join(folder, one)));
  const names = [...createDirectory(small).keys()];
  const map = Object.fromEntries(names.map((name, i) => [name, i % 2 === 0 ? one : two]));
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  expect(() => check(folder)).toThrow(/one of this name, found a second one in copy\.safetensors/);
});

test.each<[string, object, RegExp]>([
  ['another router', { scoring_func: 'sigmoid' }, /scoring_func/],
  ['other counts of streams', { hc_mult: 2 }, /hc_mult/],
  ['other ratios', { compress_ratios: [0, 0, 8, 128, 4, 0] }, /compress_ratios.*0, 4, 128.*8/],
  ['too few ratios', { compress_ratios: [0, 0, 4] }, /compress_ratios/],
])('%s: refused by key', (_, config, expected) => {
  expect(refusal(() => undefined, config)).toMatch(expected);
});

test.each<[string, (tensors: Directory) => void, object, RegExp]>([
  ['without its matrix of streams', (tensors) => void tensors.delete('mtp.0.h_proj.weight'), {}, /mtp\.0\.h_proj\.weight.*nothing/],
  ['without a router', (tensors) => void tensors.delete('mtp.0.ffn.gate.bias'), {}, /mtp\.0\.ffn\.gate\.bias.*nothing/],
  ['that no key speaks of', () => undefined, { num_nextn_predict_layers: 0 }, /num_nextn_predict_layers.*1.*0/],
  ['with entries', () => undefined, { compress_ratios: [0, 0, 4, 128, 4, 4] }, /compress_ratios/],
  ['that is a draft module of several stages', () => undefined, { dspark_block_size: 5 }, /dspark_block_size/],
])('a block for multi-token prediction %s: refused where it is asked for, else left alone', (_, change, config, expected) => {
  expect(refusal(change, config, 'mtp')).toMatch(expected);
  expect(refusal(change, config)).toBe('accepted');
});

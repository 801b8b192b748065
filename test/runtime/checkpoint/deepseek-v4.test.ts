/**
 * DeepSeek-V4's releases as the loader sees them: the whole directory of tensors, with the publisher's counts of tensors and bytes, passes its check; a small one
 * with one thing wrong is refused by the tensor's name, before anything would be uploaded.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { weightSize } from '../../../runtime/checkpoint/loader.ts';
import { readModel } from '../../../runtime/plan.ts';
import type { DraftKind } from '../../../runtime/types.ts';
import { createDirectory, type DirectoryConfig, type DirectoryEntry, entrySize, writeDirectory } from '../../deepseek-v4-directory.ts';
import { sampleCases } from '../../sample.ts';

const configs = join(import.meta.dirname, '../../../models/releases');

function readConfig(name: string): DirectoryConfig {
  return JSON.parse(readFileSync(join(configs, `${name}.json`), 'utf8'));
}

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-directory-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Bytes of the weights on a device. */
function check(folder: string, draft?: DraftKind): number {
  using checkpoint = openCheckpoint(folder);
  const { family, config } = readModel(checkpoint, draft);
  return weightSize(checkpoint, family.weights(config));
}

/** Published: in the index files and headers of the releases. */
const releases = [
  ['deepseek-v4-flash', 46, 69_187, 159_609_485_896],
  ['deepseek-v4-pro', 64, 145_116, 864_704_792_696],
] as const;

test.each(sampleCases('releases of DeepSeek-V4', releases, 1))('%s: %i files, %i tensors', { timeout: 120_000 }, (name, shards, count, size) => {
  const config = readConfig(name);
  const directory = createDirectory(config);
  expect([directory.tensors.size, directory.size]).toEqual([count, size]);
  const folder = createFolder();
  writeDirectory(folder, config, directory, shards);
  // The block for multi-token prediction only where it is asked for. On a device 32 codes of 4 bits have a word as their scale, not a byte; nothing grows more.
  const sizeOf = (isOwn: (tensor: string) => boolean): number =>
    [...directory.tensors].filter(([tensor]) => isOwn(tensor)).reduce((sum, [, entry]) => sum + entrySize(entry), 0);
  const [main, whole] = [check(folder), check(folder, 'mtp')];
  for (const grown of [main / sizeOf((tensor) => !tensor.startsWith('mtp.')), (whole - main) / sizeOf((tensor) => tensor.startsWith('mtp.'))]) {
    expect(grown).toBeGreaterThan(1.1);
    expect(grown).toBeLessThan(20 / 17);
  }
});

const flash = readConfig('deepseek-v4-flash');
const small: DirectoryConfig = {
  ...flash,
  ...{ hidden_size: 128, num_hidden_layers: 5, compress_ratios: [0, 0, 4, 128, 4, 0], num_attention_heads: 4, head_dim: 64, q_lora_rank: 64, vocab_size: 64 },
  ...{ qk_rope_head_dim: 16, o_groups: 2, o_lora_rank: 32, index_n_heads: 12, index_head_dim: 32, moe_intermediate_size: 64, n_routed_experts: 8 },
  num_experts_per_tok: 2,
};

function refusal(change: (tensors: Map<string, DirectoryEntry>) => void, config: object = {}, draft?: DraftKind): string {
  const folder = createFolder();
  const tensors = new Map(createDirectory(small).tensors);
  change(tensors);
  writeDirectory(folder, { ...small, ...config }, { tensors }, 2);
  try {
    check(folder, draft);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
}

const replace =
  (name: string, entry: Partial<DirectoryEntry>) =>
  (tensors: Map<string, DirectoryEntry>): void =>
    void tensors.set(name, { ...(tensors.get(name) as DirectoryEntry), ...entry });

test('a small one is accepted', () => {
  expect(refusal(() => undefined)).toBe('accepted');
});

const expert = 'layers.3.ffn.experts.5.w2';

test.each<[string, (tensors: Map<string, DirectoryEntry>) => void, RegExp]>([
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
    replace(`${expert}.scale`, { shape: [128, 4] }),
    /layers\.3\.ffn\.experts\.5\.w2\.scale.*128 x 2, found F8_E8M0 of shape 128 x 4/,
  ],
  [
    'scales of FP8 blocks with a row too many',
    replace('layers.0.attn.wq_b.scale', { shape: [3, 1] }),
    /layers\.0\.attn\.wq_b\.scale.* 2 x 1, found F8_E8M0 of shape 3 x 1/,
  ],
  [
    'FP4 rows of an odd count of columns',
    replace('layers.1.ffn.experts.0.w1.weight', { shape: [64, 63] }),
    /layers\.1\.ffn\.experts\.0\.w1\.weight.*64 x 64 .*found I8 of shape 64 x 63/,
  ],
  ['a table of ids in 32 bits', replace('layers.0.ffn.gate.tid2eid', { dtype: 'F32' }), /layers\.0\.ffn\.gate\.tid2eid.*I64.*F32/],
  ['no bias of a router behind the tables', (tensors) => void tensors.delete('layers.3.ffn.gate.bias'), /layers\.3\.ffn\.gate\.bias.*nothing/],
  ['sinks of other heads', replace('layers.2.attn.attn_sink', { shape: [8] }), /layers\.2\.attn\.attn_sink.*4.*8/],
  ['a compressor without halves', replace('layers.2.attn.compressor.wkv.weight', { shape: [64, 128] }), /layers\.2\.attn\.compressor\.wkv\.weight/],
])('%s is refused', (_, change, expected) => {
  expect(refusal(change)).toMatch(expected);
});

test('an index that names a file twice for a tensor is refused', () => {
  const folder = createFolder();
  writeDirectory(folder, small, createDirectory(small), 2);
  const path = join(folder, 'model.safetensors.index.json');
  const first = 'model-00001-of-00002.safetensors';
  writeFileSync(path, readFileSync(path, 'utf8').replace('{"weight_map":{', `{"weight_map":{"embed.weight":"${first}",`));
  expect(() => check(folder)).toThrow(/embed\.weight/);
});

test('a second file with the same tensors is refused', () => {
  const folder = createFolder();
  writeDirectory(folder, small, createDirectory(small), 1);
  const [one, two] = ['model-00001-of-00001.safetensors', 'copy.safetensors'];
  writeFileSync(join(folder, two), readFileSync(join(folder, one)));
  const names = [...createDirectory(small).tensors.keys()];
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

test.each<[string, (tensors: Map<string, DirectoryEntry>) => void, object, RegExp]>([
  ['without its matrix of streams', (tensors) => void tensors.delete('mtp.0.h_proj.weight'), {}, /mtp\.0\.h_proj\.weight.*nothing/],
  ['without a router', (tensors) => void tensors.delete('mtp.0.ffn.gate.bias'), {}, /mtp\.0\.ffn\.gate\.bias.*nothing/],
  ['that no key speaks of', () => undefined, { num_nextn_predict_layers: 0 }, /num_nextn_predict_layers.*1.*0/],
  ['with entries', () => undefined, { compress_ratios: [0, 0, 4, 128, 4, 4] }, /compress_ratios/],
  ['that is a draft module of several stages', () => undefined, { dspark_block_size: 5 }, /dspark_block_size/],
])('a block for multi-token prediction %s: refused where it is asked for, else left alone', (_, change, config, expected) => {
  expect(refusal(change, config, 'mtp')).toMatch(expected);
  expect(refusal(change, config)).toBe('accepted');
});

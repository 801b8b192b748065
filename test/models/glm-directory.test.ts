/**
 * GLM-5.2 as it is released, in FP8 and in BF16, by the headers of its tensors (runtime/sizing): each is found with its name, shape and type, the layer for
 * multi-token prediction is left out, and what does not fit is refused by name, without a device. A short run takes the first four layers.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { planModel } from '../../runtime/plan.ts';
import { glmScales, glmShapes, listGlm } from '../../runtime/sizing/glm-moe-dsa.ts';
import { listHeaders, type ReleasedHeader } from '../../runtime/sizing/released.ts';
import { writeHollow } from '../hollow-checkpoint.ts';

interface Config {
  readonly num_hidden_layers: number;
  readonly indexer_types: readonly string[];
}

const released: Config = JSON.parse(readFileSync(join(import.meta.dirname, '../../models/releases/glm-5.2.json'), 'utf8'));
const fp8 = { quantization_config: { quant_method: 'fp8', fmt: 'e4m3', activation_scheme: 'dynamic', weight_block_size: [128, 128] } };

type Directory = Map<string, ReleasedHeader>;
const layerOf = (name: string): string => /^model\.layers\.(\d+)\./.exec(name)?.[1] ?? 'outer';

/** Of the first layers of the release, and of what stands behind the last. */
function directoryOf(name: string, layers: number): Directory {
  const shape = glmShapes.find((one) => one.name === name);
  if (shape === undefined) throw new Error(`no shape of ${name}`);
  const kept = listGlm(shape).filter(({ place }) => typeof place !== 'number' || place < layers);
  return new Map(Array.from(listHeaders(kept, glmScales), (header) => [header.name, header]));
}

/** A folder of these headers, a file a layer. */
function write(name: string, layers: number, directory: Directory): string {
  const config = { ...released, num_hidden_layers: layers, indexer_types: released.indexer_types.slice(0, layers), ...(name.endsWith('FP8') && fp8) };
  const { path, remove } = writeHollow(config, [...directory.values()], (tensor) => `model-${layerOf(tensor)}.safetensors`);
  onTestFinished(remove);
  return path;
}

const short = 4;
const layers = process.env['INWARD_FULL'] === '1' ? released.num_hidden_layers : short;

test.each(['GLM-5.2-FP8', 'GLM-5.2'])('%s at its own size', { timeout: 120_000 }, (name) => {
  const directory = directoryOf(name, layers);
  const plan = planModel({ modelPath: write(name, layers, directory), contextLength: 131_072, maxSequences: 1, kvTokens: 131_072 });
  expect(plan).toMatchObject({ family: 'glm_moe_dsa', modelContextLength: 1_048_576 });
  const own = Array.from(directory.values()).filter((header) => layerOf(header.name) !== '78' && !header.name.endsWith('_scale_inv'));
  // On the device each 32 numbers of FP8 have a scale of four bytes.
  const bytes = own.reduce((sum, { size, dtype }) => sum + size * (dtype === 'F8_E4M3' ? 36 / 32 : 1), 0);
  expect(plan.weightSize / bytes).toBeCloseTo(1, 2);
  const indexers = released.indexer_types.slice(0, layers).filter((type) => type === 'full').length;
  expect(plan.kvSize / (plan.kvBlocks * 16)).toBe((layers * (512 + 64) + indexers * 128) * 2);
});

const [expert, attention] = ['model.layers.3.mlp.experts.200', 'model.layers.2.self_attn'];
const types = { F8_E4M3: 1, BF16: 2, F32: 4 } as const;

/** A tensor, and with what type and shape it is found; none: it is missing. */
interface Refusal {
  readonly what: string;
  readonly tensor: string;
  readonly found?: { readonly dtype: keyof typeof types; readonly shape: readonly number[] };
}

const refusals: readonly Refusal[] = [
  { what: 'an expert is missing', tensor: `${expert}.up_proj.weight` },
  { what: 'an expert of another width', tensor: `${expert}.down_proj.weight`, found: { dtype: 'F8_E4M3', shape: [6144, 1024] } },
  { what: 'no indexer where the configuration has one', tensor: `${attention}.indexer.wk.weight` },
  { what: 'a key norm of another length', tensor: `${attention}.indexer.k_norm.bias`, found: { dtype: 'BF16', shape: [64] } },
  // 576 rows are four blocks and a half.
  { what: 'scales of whole blocks only', tensor: `${attention}.kv_a_proj_with_mqa.weight_scale_inv`, found: { dtype: 'F32', shape: [4, 48] } },
  { what: 'one scale for all blocks', tensor: `${expert}.gate_proj.weight_scale_inv`, found: { dtype: 'F32', shape: [1, 1] } },
  { what: 'scales of blocks of another size', tensor: `${expert}.up_proj.weight_scale_inv`, found: { dtype: 'F32', shape: [32, 96] } },
  { what: 'FP8 without scales', tensor: `${attention}.indexer.wq_b.weight_scale_inv` },
];

test.each(refusals)('refused by name: $what', ({ tensor, found }) => {
  const directory = directoryOf('GLM-5.2-FP8', short);
  expect(directory.delete(tensor)).toBe(true);
  if (found !== undefined) {
    const size = found.shape.reduce((product, dimension) => product * dimension, types[found.dtype]);
    directory.set(tensor, { name: tensor, ...found, size });
  }
  // A scale that is not there has no name but that of its weight.
  const named = found === undefined ? tensor.replace(/_scale_inv$/, '') : tensor;
  const modelPath = write('GLM-5.2-FP8', short, directory);
  expect(() => planModel({ modelPath, contextLength: 128 })).toThrow(
    expect.objectContaining({ code: 'model_unsupported', message: expect.stringContaining(named) }),
  );
});

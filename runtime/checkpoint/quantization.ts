/**
 * Owns what quantization_config of config.json says: the method, and what the tensors of a quantized matrix do not show by themselves.
 * Refuses methods, versions and packings that have no kernels, by name.
 */
import type { ModelConfig } from '../../models/family.ts';
import { invalidCheckpoint } from './json.ts';

export type Quantization =
  | { readonly method: 'none' }
  /** `groupColumns`: columns that share a scale; undefined: all of a row. */
  | { readonly method: 'awq'; readonly groupColumns: number | undefined }
  /** `zeroBias`: what is missing from stored zero points. */
  | { readonly method: 'gptq'; readonly bits: 2 | 3 | 4 | 8; readonly groupColumns: number | undefined; readonly zeroBias: 0 | 1; readonly hasOrder: boolean }
  /** Rows and columns of a block that has a scale, for FP8; undefined: scales of a tensor or of rows. */
  | { readonly method: 'compressed-tensors' | 'fp8'; readonly block: readonly [rows: number, columns: number] | undefined }
  | { readonly method: 'bitsandbytes' }
  | { readonly method: 'mxfp4' };

const readers: Readonly<Record<Exclude<Quantization['method'], 'none'>, (config: ModelConfig) => Quantization>> = {
  awq(config) {
    config.demand(config.integer('bits', 4) === 4, 'bits', 4, config.integer('bits', 4));
    const version = config.string('version', 'gemm').toLowerCase();
    config.demand(version === 'gemm', 'version', 'gemm', version);
    config.demand(config.boolean('zero_point', true), 'zero_point', 'true', 'false');
    return { method: 'awq', groupColumns: readGroup(config) };
  },
  gptq(config) {
    const bits = [2, 3, 4, 8].find((known) => known === config.integer('bits')) as 2 | 3 | 4 | 8 | undefined;
    config.demand(bits !== undefined, 'bits', '2, 3, 4, 8', config.integer('bits'));
    const format = config.string('checkpoint_format', 'gptq');
    config.demand(format === 'gptq' || format === 'gptq_v2', 'checkpoint_format', 'gptq, gptq_v2', format);
    config.demand(config.object('dynamic') === undefined, 'dynamic', 'one quantization for all tensors', 'several');
    const hasOrder = config.boolean('desc_act', false);
    return { method: 'gptq', bits: bits ?? 4, groupColumns: readGroup(config), zeroBias: format === 'gptq' ? 1 : 0, hasOrder };
  },
  'compressed-tensors'(config) {
    const formats = ['pack-quantized', 'float-quantized', 'naive-quantized', 'mixed-precision'];
    const format = config.string('format');
    config.demand(formats.includes(format), 'format', formats.join(', '), format);
    const weights = config.object('config_groups')?.object('group_0')?.object('weights');
    return { method: 'compressed-tensors', block: weights && readBlock(weights, 'block_structure') };
  },
  fp8(config) {
    const format = config.string('fmt', 'e4m3');
    config.demand(format === 'e4m3' || format === 'float8_e4m3fn', 'fmt', 'e4m3', format);
    return { method: 'fp8', block: readBlock(config, 'weight_block_size') };
  },
  bitsandbytes(config) {
    config.demand(config.boolean('load_in_4bit', false), 'load_in_4bit', 'true', 'false');
    const type = config.string('bnb_4bit_quant_type', 'fp4');
    config.demand(type === 'nf4', 'bnb_4bit_quant_type', 'nf4', type);
    return { method: 'bitsandbytes' };
  },
  mxfp4: () => ({ method: 'mxfp4' }),
};

/** Throws checkpoint_invalid, model_unsupported. */
export function readQuantization(config: ModelConfig): Quantization {
  const quantization = config.object('quantization_config') ?? config.object('compression_config');
  if (quantization === undefined) return { method: 'none' };
  const method = quantization.string('quant_method');
  quantization.demand(Object.hasOwn(readers, method), 'quant_method', Object.keys(readers).join(', '), method);
  return readers[method as keyof typeof readers](quantization);
}

/** Rows and columns that share a scale; undefined: no such key. */
function readBlock(config: ModelConfig, key: string): readonly [number, number] | undefined {
  const numbers = config.numbers(key);
  if (numbers === undefined) return undefined;
  const [rows = 0, columns = 0] = numbers;
  if (numbers.length !== 2 || !numbers.every((value) => Number.isInteger(value) && value > 0))
    throw invalidCheckpoint(`config.json quantization_config ${key}`, 'two whole numbers', `${numbers.length} numbers`);
  return [rows, columns];
}

/** -1, or no such key, is a whole row. */
function readGroup(config: ModelConfig): number | undefined {
  const group = config.number('group_size', -1);
  config.demand(group === -1 || (Number.isInteger(group) && group > 0), 'group_size', 'a whole number, or -1', group);
  return group === -1 ? undefined : group;
}

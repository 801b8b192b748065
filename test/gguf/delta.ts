/**
 * Owns how files of Qwen3-Next and Qwen3.5 are made: rows of projections by what they are, and value heads in the order that ggml's broadcast
 * wants. Source: llama.cpp's converter, conversion/qwen.py.
 */
import type { SeededTensor } from '../seeded.ts';
import { type Config, type Form, type Keys, numberOf, u32 } from './form.ts';
import { mapValues, pickRows, range, reshape, swapBlocks, transpose } from './tensors.ts';

interface Heads {
  readonly keyHeads: number;
  /** Value heads of a key head. */
  readonly group: number;
  readonly keyLength: number;
  readonly valueLength: number;
}

function headsOf(config: Config): Heads {
  const keyHeads = numberOf(config, 'linear_num_key_heads');
  return {
    keyHeads,
    group: numberOf(config, 'linear_num_value_heads') / keyHeads,
    keyLength: numberOf(config, 'linear_key_head_dim'),
    valueLength: numberOf(config, 'linear_value_head_dim'),
  };
}

function deltaKeys(config: Config): Keys {
  const rope = (config['rope_parameters'] ?? config) as Config;
  const sections = rope['mrope_section'] as readonly number[] | undefined;
  const guessing = config['mtp_num_hidden_layers'] as number | undefined;
  return {
    block_count: u32(numberOf(config, 'num_hidden_layers') + (guessing ?? 0)),
    nextn_predict_layers: u32(guessing),
    'rope.dimension_count': u32(numberOf(config, 'head_dim') * numberOf(rope, 'partial_rotary_factor')),
    'rope.dimension_sections': sections && ['array', [...sections, 0], 'i32'],
    'ssm.conv_kernel': u32(config['linear_conv_kernel_dim']),
    'ssm.state_size': u32(config['linear_key_head_dim']),
    'ssm.group_count': u32(config['linear_num_key_heads']),
    'ssm.time_step_rank': u32(config['linear_num_value_heads']),
    'ssm.inner_size': u32(numberOf(config, 'linear_value_head_dim') * numberOf(config, 'linear_num_value_heads')),
    full_attention_interval: u32(config['full_attention_interval']),
    expert_feed_forward_length: u32(config['moe_intermediate_size']),
    expert_shared_feed_forward_length: u32(config['shared_expert_intermediate_size']),
  };
}

/** Of each key head [queries][keys][values][gates]: rows of all queries, keys and values, and rows of all gates. */
function splitRows({ keyHeads, group, keyLength, valueLength }: Heads): { readonly qkv: number[]; readonly gates: number[] } {
  const values = group * valueLength;
  const pitch = 2 * (keyLength + values);
  const rows = (from: number, length: number): number[] => range(keyHeads).flatMap((head) => range(length).map((row) => head * pitch + from + row));
  return { qkv: [...rows(0, keyLength), ...rows(keyLength, keyLength), ...rows(2 * keyLength, values)], gates: rows(2 * keyLength + values, values) };
}

/** Of a DeltaNet's tensors, by the end of their names; `tile`: value heads of so many rows behind so many others. */
function convertDelta(name: string, tensor: SeededTensor, heads: Heads, tile: (tensor: SeededTensor, length: number, before?: number) => SeededTensor) {
  const before = 2 * heads.keyHeads * heads.keyLength;
  const at = (part: string): string => name.replace(/linear_attn\..*/, `linear_attn.${part}`);
  switch (name.replace(/.*linear_attn\./, '')) {
    case 'A_log':
      return [
        [
          name,
          tile(
            mapValues(tensor, (value) => -Math.exp(value)),
            1,
          ),
        ] as const,
      ];
    case 'dt_bias':
      return [[at('dt.bias'), tile(tensor, 1)] as const];
    case 'conv1d.weight':
      return [[name, tile(reshape(tensor, [tensor.shape[0] ?? 0, tensor.shape[2] ?? 0]), heads.valueLength, before)] as const];
    case 'in_proj_qkvz.weight': {
      const { qkv, gates } = splitRows(heads);
      return [[at('in_proj_qkv.weight'), pickRows(tensor, qkv)] as const, [at('in_proj_z.weight'), pickRows(tensor, gates)] as const];
    }
    case 'in_proj_qkv.weight':
      return [[name, tile(tensor, heads.valueLength, before)] as const];
    case 'in_proj_z.weight':
      return [[name, tile(tensor, heads.valueLength)] as const];
    case 'in_proj_a.weight':
    case 'in_proj_b.weight':
      return [[name, tile(tensor, 1)] as const];
    case 'out_proj.weight':
      return [[name, transpose(tile(transpose(tensor), heads.valueLength))] as const];
    default:
      return [[name, tensor] as const];
  }
}

/** `isTiled`: value heads from [key head][value head of it] to [value head of it][key head]. */
function deltaForm(architecture: string, isTiled: boolean): Form {
  return {
    architecture,
    keys: deltaKeys,
    names: {
      post_attention_layernorm: 'post_attention_norm',
      'mlp.shared_expert_gate': 'ffn_gate_inp_shexp',
      'linear_attn.in_proj_qkv': 'attn_qkv',
      'linear_attn.in_proj_z': 'attn_gate',
      'linear_attn.in_proj_ba': 'ssm_ba',
      'linear_attn.in_proj_a': 'ssm_alpha',
      'linear_attn.in_proj_b': 'ssm_beta',
      'linear_attn.conv1d': 'ssm_conv1d',
      'linear_attn.A_log': 'ssm_a',
      'linear_attn.dt': 'ssm_dt',
      'linear_attn.norm': 'ssm_norm',
      'linear_attn.out_proj': 'ssm_out',
    },
    convert(name, tensor, config) {
      if (!name.includes('linear_attn.')) return [[name, /norm\.weight$/.test(name) ? mapValues(tensor, (value) => value + 1) : tensor]];
      const heads = headsOf(config);
      const tile = (of: SeededTensor, length: number, before = 0): SeededTensor =>
        isTiled ? pickRows(of, [...range(before), ...swapBlocks(heads.keyHeads, heads.group, length).map((row) => before + row)]) : of;
      return convertDelta(name, tensor, heads, tile);
    },
    extra: guessingTensor,
  };
}

/** One tensor of the layer that guesses a further token, which a reader has to leave aside. */
export function guessingTensor(config: Config): [string, SeededTensor][] {
  const count = Number(config['mtp_num_hidden_layers'] ?? config['num_nextn_predict_layers'] ?? 0);
  const width = numberOf(config, 'hidden_size');
  const tensor = { shape: [width, 2 * width], values: new Float32Array(2 * width * width) };
  return range(count).map((layer) => [`blk.${numberOf(config, 'num_hidden_layers') + layer}.nextn.eh_proj.weight`, tensor]);
}

export const deltaForms: Readonly<Record<string, Form>> = {
  qwen3_next: deltaForm('qwen3next', false),
  qwen3_5_text: deltaForm('qwen35', true),
  qwen3_5_moe_text: deltaForm('qwen35moe', true),
};

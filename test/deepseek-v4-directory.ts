/**
 * Owns the tensor directory of a DeepSeek-V4 release as it is published: names, shapes and storages of all tensors by its configuration, and folders that have
 * it with nothing in it (files with holes). Written from the published layout, apart from models/deepseek_v4.ts, which it checks.
 */
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface Directory {
  readonly tensors: ReadonlyMap<string, DirectoryEntry>;
  /** Bytes of all tensors. */
  readonly size: number;
}

export interface DirectoryEntry {
  readonly dtype: 'BF16' | 'F32' | 'F8_E4M3' | 'F8_E8M0' | 'I64' | 'I8';
  readonly shape: readonly number[];
}

/** What config.json says. */
export type DirectoryConfig = Readonly<Record<string, unknown>> & { readonly compress_ratios: readonly number[] };

const sizes: Readonly<Record<DirectoryEntry['dtype'], number>> = { BF16: 2, F32: 4, F8_E4M3: 1, F8_E8M0: 1, I64: 8, I8: 1 };

export function entrySize({ dtype, shape }: DirectoryEntry): number {
  return shape.reduce((product, dimension) => product * dimension, sizes[dtype]);
}

export function createDirectory(config: DirectoryConfig): Directory {
  const tensors = new Map<string, DirectoryEntry>();
  const n = (key: string): number => Number(config[key]);
  const add = (name: string, dtype: DirectoryEntry['dtype'], ...shape: number[]): void => void tensors.set(name, { dtype, shape });
  const fp8 = (name: string, rows: number, columns: number): void => {
    add(`${name}.weight`, 'F8_E4M3', rows, columns);
    add(`${name}.scale`, 'F8_E8M0', Math.ceil(rows / 128), Math.ceil(columns / 128));
  };
  const fp4 = (name: string, rows: number, columns: number): void => {
    add(`${name}.weight`, 'I8', rows, columns / 2);
    add(`${name}.scale`, 'F8_E8M0', rows, columns / 32);
  };
  const [d, f, heads, headLength, rank] = [n('hidden_size'), n('moe_intermediate_size'), n('num_attention_heads'), n('head_dim'), n('q_lora_rank')];
  const [groups, groupRank] = [n('o_groups'), n('o_lora_rank')];
  const hc = (name: string, rows: number, scales: number): void => {
    add(`${name}_fn`, 'F32', rows, 4 * d);
    add(`${name}_base`, 'F32', rows);
    add(`${name}_scale`, 'F32', scales);
  };
  const compressor = (name: string, ratio: number, length: number): void => {
    const width = (ratio === 4 ? 2 : 1) * length;
    for (const part of ['wkv', 'wgate']) add(`${name}.${part}.weight`, 'BF16', width, d);
    add(`${name}.ape`, 'F32', ratio, width);
    add(`${name}.norm.weight`, 'BF16', length);
  };
  const attention = (name: string, ratio: number): void => {
    add(`${name}.attn_sink`, 'F32', heads);
    fp8(`${name}.wq_a`, rank, d);
    add(`${name}.q_norm.weight`, 'BF16', rank);
    fp8(`${name}.wq_b`, heads * headLength, rank);
    fp8(`${name}.wkv`, headLength, d);
    add(`${name}.kv_norm.weight`, 'BF16', headLength);
    fp8(`${name}.wo_a`, groups * groupRank, (heads * headLength) / groups);
    fp8(`${name}.wo_b`, d, groups * groupRank);
    if (ratio > 0) compressor(`${name}.compressor`, ratio, headLength);
    if (ratio !== 4) return;
    fp8(`${name}.indexer.wq_b`, n('index_n_heads') * n('index_head_dim'), rank);
    add(`${name}.indexer.weights_proj.weight`, 'BF16', n('index_n_heads'), d);
    compressor(`${name}.indexer.compressor`, ratio, n('index_head_dim'));
  };
  const block = (name: string, ratio: number, hasTable: boolean): void => {
    for (const norm of ['attn_norm', 'ffn_norm']) add(`${name}.${norm}.weight`, 'BF16', d);
    for (const site of ['hc_attn', 'hc_ffn']) hc(`${name}.${site}`, 24, 3);
    attention(`${name}.attn`, ratio);
    add(`${name}.ffn.gate.weight`, 'BF16', n('n_routed_experts'), d);
    if (hasTable) add(`${name}.ffn.gate.tid2eid`, 'I64', n('vocab_size'), n('num_experts_per_tok'));
    else add(`${name}.ffn.gate.bias`, 'F32', n('n_routed_experts'));
    for (let expert = 0; expert < n('n_routed_experts'); expert++) {
      for (const part of ['w1', 'w3']) fp4(`${name}.ffn.experts.${expert}.${part}`, f, d);
      fp4(`${name}.ffn.experts.${expert}.w2`, d, f);
    }
    for (const part of ['w1', 'w3']) fp8(`${name}.ffn.shared_experts.${part}`, f, d);
    fp8(`${name}.ffn.shared_experts.w2`, d, f);
  };
  for (const table of ['embed', 'head']) add(`${table}.weight`, 'BF16', n('vocab_size'), d);
  add('norm.weight', 'BF16', d);
  hc('hc_head', 4, 1);
  const layers = n('num_hidden_layers');
  for (let layer = 0; layer < layers; layer++) block(`layers.${layer}`, config.compress_ratios[layer] ?? 0, layer < n('num_hash_layers'));
  block('mtp.0', 0, false);
  for (const part of ['e_proj', 'h_proj']) fp8(`mtp.0.${part}`, d, d);
  for (const norm of ['enorm', 'hnorm', 'norm']) add(`mtp.0.${norm}.weight`, 'BF16', d);
  hc('mtp.0.hc_head', 4, 1);
  return { tensors, size: [...tensors.values()].reduce((sum, entry) => sum + entrySize(entry), 0) };
}

/** Numbers of the main model: a byte has two of 4 bits; neither scales nor ids are any. */
export function countParameters({ tensors }: Directory): number {
  const own = [...tensors].filter(([name, { dtype }]) => !name.startsWith('mtp.') && dtype !== 'F8_E8M0' && dtype !== 'I64');
  return own.reduce((sum, [, { dtype, shape }]) => sum + shape.reduce((product, dimension) => product * dimension, dtype === 'I8' ? 2 : 1), 0);
}

/** A folder with config.json, an index, and so many files of these tensors, whose data are holes. */
export function writeDirectory(folder: string, config: DirectoryConfig, { tensors }: Pick<Directory, 'tensors'>, shardCount: number): void {
  const names = [...tensors.keys()];
  const most = Math.ceil(names.length / shardCount);
  const fileOf = (i: number): string => `model-${String(i + 1).padStart(5, '0')}-of-${String(shardCount).padStart(5, '0')}.safetensors`;
  const index: Record<string, string> = {};
  for (let shard = 0; shard < shardCount; shard++) {
    let offset = 0;
    const header: Record<string, unknown> = {};
    for (const name of names.slice(shard * most, (shard + 1) * most)) {
      const entry = tensors.get(name) as DirectoryEntry;
      header[name] = { ...entry, data_offsets: [offset, offset + entrySize(entry)] };
      offset += entrySize(entry);
      index[name] = fileOf(shard);
    }
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const fd = openSync(join(folder, fileOf(shard)), 'w');
    writeSync(fd, Buffer.concat([length, text]));
    ftruncateSync(fd, 8 + text.length + offset);
    closeSync(fd);
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: index }));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
}

/**
 * Owns what the tests of imports share: a tiny model in two shards with what belongs to it, disks that fill up or are pulled out, and what
 * lies in a folder afterwards.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Disk, localDisk } from '../../../../server/cli/model/disk.ts';
import type { Source } from '../../../../server/cli/model/source.ts';
import { listFiles } from '../../../../server/privacy/deployment/sums.ts';
import { SiteError } from '../../../../server/privacy/errors.ts';
import { safetensorsBytes, tinyConfig } from '../../../safetensors-file.ts';

const shapes: Readonly<Record<string, readonly number[]>> = {
  'model.embed_tokens.weight': [40, 32],
  'model.norm.weight': [32],
  'model.layers.0.input_layernorm.weight': [32],
  'model.layers.0.self_attn.q_proj.weight': [32, 32],
  'model.layers.0.self_attn.k_proj.weight': [16, 32],
  'model.layers.0.self_attn.v_proj.weight': [16, 32],
  'model.layers.0.self_attn.o_proj.weight': [32, 32],
  'model.layers.0.post_attention_layernorm.weight': [32],
  'model.layers.0.mlp.gate_proj.weight': [64, 32],
  'model.layers.0.mlp.up_proj.weight': [64, 32],
  'model.layers.0.mlp.down_proj.weight': [32, 64],
};
const shardNames = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;

/** A whole checkpoint folder by names; `seed` makes other weights of the same size. */
export function tinyModel(seed = 1): Record<string, Buffer> {
  const names = Object.keys(shapes);
  const shards = [names.slice(0, 5), names.slice(5)];
  const index = { metadata: {}, weight_map: Object.fromEntries(shards.flatMap((list, i) => list.map((name) => [name, shardNames[i]]))) };
  return {
    'config.json': Buffer.from(JSON.stringify(tinyConfig)),
    'additional_chat_templates/tool_use.jinja': Buffer.from(`{{ messages }} ${seed}`),
    'tokenizer.json': Buffer.from(`{"version":"1.0","seed":${seed}}`),
    'model.safetensors.index.json': Buffer.from(JSON.stringify(index)),
    ...Object.fromEntries(shards.map((list, i) => [shardNames[i], shardBytes(list, seed)])),
  };
}

function shardBytes(names: readonly string[], seed: number): Buffer {
  let end = 0;
  const header = names.map((name) => {
    const shape = shapes[name] ?? [];
    const begin = end;
    end += 4 * shape.reduce((product, count) => product * count, 1);
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }] as const;
  });
  const values = Float32Array.from({ length: end / 4 }, (_, i) => Math.sin(seed + i) / 8);
  return safetensorsBytes(Object.fromEntries(header), new Uint8Array(values.buffer));
}

export function writeFiles(folder: string, files: Readonly<Record<string, Uint8Array | string>>): string {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

export function readFiles(folder: string): Record<string, Buffer> {
  return Object.fromEntries(listFiles(folder).map((name) => [name, readFileSync(join(folder, name))]));
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** As `sha256sum *` prints it. */
export function sumsOf(files: Readonly<Record<string, Uint8Array>>): string {
  const names = Object.keys(files).sort();
  return names.map((name) => `${sha256(files[name] ?? new Uint8Array())}  ${name}\n`).join('');
}

/** The local disk with room for so many bytes more, by what is written or by what it says to be free. */
export function createFullDisk(room: number, free: number = Number.POSITIVE_INFINITY): Disk {
  let left = room;
  return {
    freeSize: async () => free,
    open: async (path) => {
      const file = await localDisk.open(path);
      return {
        ...file,
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
        write: async (bytes, position) => {
          const fitting = bytes.subarray(0, left);
          await file.write(fitting, position);
          left -= fitting.length;
          if (fitting.length < bytes.length) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        },
      };
    },
  };
}

/** A source that is pulled out after so many bytes, in pieces of at most `piece`; counts what was read. */
export function createCutSource(source: Source, limit: number, piece: number = 2 ** 20): Source & { readonly read: Source['read']; count(): number } {
  let given = 0;
  return {
    ...source,
    count: () => given,
    async *read(file, from) {
      for await (const chunk of source.read(file, from)) {
        for (let at = 0; at < chunk.length; at += piece) {
          const part = chunk.subarray(at, Math.min(chunk.length, at + piece, at + limit - given));
          given += part.length;
          if (part.length > 0) yield part;
          if (given >= limit) throw new SiteError('The disk was pulled out.');
        }
      }
    },
  };
}

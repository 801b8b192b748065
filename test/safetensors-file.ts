/** Owns the writing of small safetensors files and checkpoint folders for tests. Writes what it is told, also what is wrong. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RefTensor } from '../kernels/stored.ref.ts';

/** A header of any kind and what follows it. */
export function safetensorsBytes(header: unknown, data: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header), 'utf8');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** A file of these tensors, one after the other. */
export function tensorsFile(tensors: ReadonlyMap<string, RefTensor>): Buffer {
  let offset = 0;
  const header = Object.fromEntries(
    Array.from(tensors, ([name, { storage, shape, bytes }]) => {
      const begin = offset;
      offset += bytes.length;
      return [name, { dtype: storage, shape, data_offsets: [begin, offset] }];
    }),
  );
  return safetensorsBytes(header, Buffer.concat(Array.from(tensors.values(), ({ bytes }) => bytes)));
}

/** Folders of one test file; `write` gives the path of a new one with these files. */
export function createFolders(): { write(files: Readonly<Record<string, Uint8Array | string>>): string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'inward-test-'));
  let count = 0;
  return {
    write(files) {
      const path = join(root, String(count++));
      mkdirSync(path);
      for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
      return path;
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** config.json of a Llama of one layer: embedding of 32, 2 heads of 16, 64 numbers between. */
export const tinyConfig = {
  model_type: 'llama',
  hidden_size: 32,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_hidden_layers: 1,
  intermediate_size: 64,
  vocab_size: 40,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
} as const;

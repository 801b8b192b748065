/**
 * Owns checkpoint folders that have all headers of a release and none of its data: files are as long as their headers say, and hold nothing. For checks of
 * names, shapes and types at real sizes. Refuses to be read.
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { safetensorsBytes } from './safetensors-file.ts';

export interface HollowTensor {
  readonly dtype: 'BF16' | 'F32' | 'F8_E4M3' | 'F8_E8M0' | 'I8' | 'I64';
  readonly shape: readonly number[];
}

const sizes: Readonly<Record<HollowTensor['dtype'], number>> = { BF16: 2, F32: 4, F8_E4M3: 1, F8_E8M0: 1, I8: 1, I64: 8 };

/** Bytes. */
export function tensorSize({ dtype, shape }: HollowTensor): number {
  return shape.reduce((product, dimension) => product * dimension, sizes[dtype]);
}

/** A folder with config.json, an index, and a file for each name that `fileOf` gives to tensors; removed by whoever asked for it. */
export function writeHollow(
  config: object,
  tensors: ReadonlyMap<string, HollowTensor>,
  fileOf: (name: string) => string,
): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'inward-hollow-'));
  const files = Map.groupBy(tensors, ([name]) => fileOf(name));
  for (const [file, list] of files) {
    let offset = 0;
    const header = list.map(([name, tensor]) => {
      const begin = offset;
      offset += tensorSize(tensor);
      return [name, { ...tensor, data_offsets: [begin, offset] }] as const;
    });
    const bytes = safetensorsBytes(Object.fromEntries(header));
    writeFileSync(join(path, file), bytes);
    truncateSync(join(path, file), bytes.length + offset);
  }
  const map = Object.fromEntries(Array.from(tensors.keys(), (name) => [name, fileOf(name)]));
  writeFileSync(join(path, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
  writeFileSync(join(path, 'config.json'), JSON.stringify(config));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

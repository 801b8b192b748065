/**
 * Owns checkpoint folders that have headers of a release and none of its data: files are as long as their headers say, and hold nothing. For checks of
 * names, shapes and types at real sizes.
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReleasedHeader } from '../runtime/sizing/released.ts';
import { safetensorsBytes } from './safetensors-file.ts';

/** A folder with config.json, an index, and a file for each name that `fileOf` gives to tensors; removed by whoever asked for it. */
export function writeHollow(
  config: object,
  headers: readonly ReleasedHeader[],
  fileOf: (tensor: string) => string,
): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'inward-hollow-'));
  for (const [file, own] of Map.groupBy(headers, ({ name }) => fileOf(name))) {
    let offset = 0;
    const entries = own.map(({ name, dtype, shape, size }) => {
      const begin = offset;
      offset += size;
      return [name, { dtype, shape, data_offsets: [begin, offset] }] as const;
    });
    const bytes = safetensorsBytes(Object.fromEntries(entries));
    writeFileSync(join(path, file), bytes);
    truncateSync(join(path, file), bytes.length + offset);
  }
  const map = Object.fromEntries(headers.map(({ name }) => [name, fileOf(name)]));
  writeFileSync(join(path, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
  writeFileSync(join(path, 'config.json'), JSON.stringify(config));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

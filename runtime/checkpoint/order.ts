/** Owns the order of columns that are sorted by group, so that a block of the device has one group. Refuses groups of other sizes. */
import { blockColumns } from '../../kernels/weights.ts';
import { unsupported } from './json.ts';
import type { Checkpoint, TensorHeader } from './types.ts';

/**
 * Which column of the file comes at each place, from the group of each column; undefined where they are in order already.
 * Every group must have `group` columns, the last one the rest. Source: g_idx of GPTQ with act-order.
 */
export function readOrder(checkpoint: Checkpoint, header: TensorHeader, group: number, part: string): Uint32Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(header.size);
  checkpoint.read(header.offset, bytes);
  const groups = header.storage === 'I64' ? Array.from(new BigInt64Array(bytes.buffer), Number) : Array.from(new Int32Array(bytes.buffer));
  const columns = groups.length;
  const counts = new Uint32Array(Math.ceil(columns / group));
  for (const index of groups) {
    if (!(index >= 0 && index < counts.length)) throw unsupported(part, `groups 0 to ${counts.length - 1}`, index);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  counts.forEach((count, index) => {
    const expected = Math.min(group, columns - index * group);
    if (count !== expected || count % blockColumns !== 0)
      throw unsupported(part, `${expected} columns in group ${index}, a multiple of ${blockColumns}`, count);
  });
  if (groups.every((index, column) => index >= (groups[column - 1] ?? 0))) return undefined;
  return Uint32Array.from(Array.from(groups.keys()).sort((a, b) => (groups[a] ?? 0) - (groups[b] ?? 0) || a - b));
}

/** CPU reference of pooling, in double precision. */
import type { Pooling } from './pool.ts';

/** NMSE: up to 512 rows are added up one by one in f32. */
export const poolBound = 1e-11;

/** Of rows of one sequence. */
export function poolReference(rows: readonly ArrayLike<number>[], pooling: Pooling): Float64Array {
  const [first = []] = rows;
  return Float64Array.from(first, (value, column) => {
    if (pooling === 'cls') return value;
    const all = rows.map((row) => row[column] ?? 0);
    return pooling === 'max' ? Math.max(...all) : all.reduce((sum, one) => sum + one, 0) / all.length;
  });
}

/** CPU references of the kernels around latent attention, in double precision. Bound of both: headsBound, and of queries that of a matmul. */

import { rmsNormReference } from './activations.ref.ts';
import { headReference } from './heads.ref.ts';

interface Turn {
  /** Angle of each pair at the token's position. */
  readonly angles: readonly number[];
  readonly factor: number;
}

function turn(channels: ArrayLike<number>, { angles, factor }: Turn): Float64Array {
  return headReference(channels, { pairs: 'interleaved', rotaryStart: 0, angles, factor });
}

/** What is kept of a token: the normed latent, then the turned channels. */
export function latentRowReference(row: Float32Array, weights: Float32Array, epsilon: number, by: Turn): Float64Array {
  const latent = rmsNormReference(row.subarray(0, weights.length), weights, epsilon);
  return Float64Array.of(...latent, ...turn(row.subarray(weights.length), by));
}

/** `keys`: rows of the head's key weights, one a plain channel of the query. */
export function latentQueryReference(query: Float32Array, keys: readonly Float64Array[], scale: number, by: Turn): Float64Array {
  const latent = Float64Array.from(keys[0] ?? [], (_, column) => keys.reduce((sum, row, channel) => sum + (row[column] ?? 0) * (query[channel] ?? 0), 0));
  return Float64Array.of(...latent, ...turn(query.subarray(keys.length), by)).map((value) => value * scale);
}

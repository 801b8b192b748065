/** CPU reference of heads.wgsl in double precision. Bound: headsBound; what f16 and q8 round away comes on top. */

/** Normalised mean squared error of a norm, a turn and a scale in f32. */
export const headsBound = 1e-12;

export interface HeadReference {
  readonly weights?: Float32Array;
  /** 1 / rms of the head, with or without weights. */
  readonly epsilon?: number;
  readonly pairs: 'interleaved' | 'halfSplit';
  readonly rotaryStart: number;
  /** Angle of each pair at this position. */
  readonly angles: readonly number[];
  readonly factor: number;
}

/** One head after norm and rotation. */
export function headReference(head: ArrayLike<number>, { weights, epsilon, pairs, rotaryStart, angles, factor }: HeadReference): Float64Array {
  const out = Float64Array.from(head);
  if (epsilon !== undefined) {
    const mean = out.reduce((sum, value) => sum + value * value, 0) / out.length;
    for (let i = 0; i < out.length; i++) out[i] = ((out[i] ?? 0) / Math.sqrt(mean + epsilon)) * (weights?.[i] ?? 1);
  }
  angles.forEach((angle, i) => {
    const [one, two] = pairs === 'interleaved' ? [2 * i, 2 * i + 1] : [i, i + angles.length];
    const [a, b] = [out[rotaryStart + one] ?? 0, out[rotaryStart + two] ?? 0];
    out[rotaryStart + one] = (a * Math.cos(angle) - b * Math.sin(angle)) * factor;
    out[rotaryStart + two] = (b * Math.cos(angle) + a * Math.sin(angle)) * factor;
  });
  return out;
}

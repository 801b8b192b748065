/** Owns how vectors are written: as numbers of few digits, or as their bytes. Refuses to change one. */

/** As few digits as name an f32. */
export function toNumbers(values: Float32Array): number[] {
  return Array.from(values, (value) => Number(value.toPrecision(9)));
}

/** Little-endian f32. */
export function toBase64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

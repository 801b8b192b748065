/**
 * Owns random numbers of each type that files have, in the sizes that weights have: finite, and such that what models make of them stays so. Refuses
 * to be more than a few MB: whoever needs more repeats them.
 */
import { random, randomFileRows, randomFloats } from '../../kernels/random.ref.ts';

/** Rows of a pool: a prime, so that rows far apart differ. */
const rows = 127;
const columns = 8192;

const bytesOf = (next: () => number): Uint8Array => Uint8Array.from({ length: rows * columns }, next);

/** Rows of six ids below 256, each once. */
function tableOf(): Uint8Array {
  const ids = BigInt64Array.from({ length: 6 * 4096 }, (_, i) => BigInt((Math.floor(i / 6) * 37 + (i % 6) * 41) % 256));
  return new Uint8Array(ids.buffer);
}

const makers: Readonly<Record<string, () => Uint8Array>> = {
  BF16: () => randomFileRows('BF16', rows, columns, 1),
  F32: () => new Uint8Array(randomFloats(rows * columns, 2, 1 / 64).buffer),
  I64: tableOf,
  /** Two of FP4 a byte: all are numbers. */
  I8: () => {
    const next = random(3);
    return bytesOf(() => next() * 256);
  },
  /** All ones below the sign are no number. */
  F8_E4M3: () => {
    const next = random(4);
    return bytesOf(() => Math.min(0x7e, next() * 0x80) + (next() < 0.5 ? 0 : 0x80));
  },
  /** 2^-11 to 2^-8. */
  F8_E8M0: () => {
    const next = random(5);
    return bytesOf(() => 116 + next() * 4);
  },
};

const pools = new Map<string, Uint8Array>();

export function poolOf(dtype: string): Uint8Array {
  const pool = pools.get(dtype) ?? makers[dtype]?.();
  if (pool === undefined) throw new Error(`no random numbers of the type ${dtype}`);
  pools.set(dtype, pool);
  return pool;
}

/**
 * Owns random numbers of each type that files have, in the sizes that weights have: finite, and such that what models make of them stays so. Refuses
 * to be more than a few MB: whoever needs more repeats them.
 */
import { random, randomFloats } from '../../kernels/random.ref.ts';

/** Rows of a pool: a prime, so that rows far apart differ. */
const rows = 127;
const columns = 8192;

const wordsOf = (scale: number, seed: number): Uint32Array<ArrayBuffer> => new Uint32Array(randomFloats(rows * columns, seed, scale).buffer);
const bytesOf = (next: () => number): Uint8Array => Uint8Array.from({ length: rows * columns }, next);

/** Rows of six ids below 256, each once. */
function tableOf(): Uint8Array {
  const ids = BigInt64Array.from({ length: 6 * 4096 }, (_, i) => BigInt((Math.floor(i / 6) * 37 + (i % 6) * 41) % 256));
  return new Uint8Array(ids.buffer);
}

/** `isSmall`: by 2^20. */
const makers: Readonly<Record<string, (isSmall: boolean) => Uint8Array>> = {
  BF16: (isSmall) => new Uint8Array(Uint16Array.from(wordsOf(isSmall ? 2 ** -20 : 1, 1), (word) => word >>> 16).buffer),
  F32: () => new Uint8Array(wordsOf(1 / 64, 2).buffer),
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
  F8_E8M0: (isSmall) => {
    const next = random(5);
    return bytesOf(() => (isSmall ? 96 : 116) + next() * 4);
  },
};

/** Matrices that add to the residual: layers of trained models change it little. */
const adding = /\.(?:o_proj|down_proj|wo_b|w2)\.(?:weight|scale)$/;
const pools = new Map<string, Uint8Array>();

/** For a tensor of this name and type. */
export function poolOf(name: string, dtype: string): Uint8Array {
  const isSmall = adding.test(name);
  const key = `${dtype} ${isSmall}`;
  const pool = pools.get(key) ?? makers[dtype]?.(isSmall);
  if (pool === undefined) throw new Error(`no random numbers of the type ${dtype}`);
  pools.set(key, pool);
  return pool;
}

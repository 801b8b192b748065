/**
 * Owns tiny models whose weights follow from the names of their tensors (test/fixtures/families/make.py has the rule and makes the same),
 * so that every family has a reference without its weights lying here. Refuses to know how a model is run.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RefTensor } from '../kernels/stored.ref.ts';
import { tensorsFile } from './safetensors-file.ts';

type Kind = 'weight' | 'one' | 'positive' | 'table';

interface SeededPrompt {
  readonly ids: readonly number[];
  /** Likeliest tokens, one after the other. */
  readonly greedy: readonly number[];
  /** Logits that the first and the last of them were chosen from. */
  readonly first: readonly number[];
  readonly last: readonly number[];
}

/** Hidden states of a text, pooled. */
interface SeededText extends Readonly<Record<'mean' | 'cls' | 'max', readonly number[]>> {
  readonly ids: readonly number[];
}

export interface SeededFamily {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: readonly (readonly [name: string, shape: readonly number[], kind: Kind, exponent: number])[];
  /** Largest difference between the reference in float32 and in float64. */
  readonly tolerance: number;
  /** None of an encoder. */
  readonly prompts: Readonly<Record<string, SeededPrompt>>;
  /** Of an encoder only. */
  readonly texts: Readonly<Record<string, SeededText>>;
}

const fixtures = join(import.meta.dirname, 'fixtures/families');

/** Names of all of them. */
export function listSeeded(): string[] {
  return readdirSync(fixtures)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -5));
}

export function readSeeded(name: string): SeededFamily {
  return { prompts: {}, texts: {}, ...JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8')) };
}

const mask = (1n << 64n) - 1n;

/** Signed bytes. */
function seededBytes(name: string, count: number): Int8Array {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(name)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & mask;
  const bytes = new Int8Array(count);
  for (let i = 0; i < count; i++) {
    let x = (hash + BigInt(i) + 0x9e3779b97f4a7c15n) & mask;
    x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & mask;
    bytes[i] = Number((x ^ (x >> 31n)) >> 56n);
  }
  return bytes;
}

function valuesOf(name: string, shape: readonly number[], kind: Kind, exponent: number): Float32Array {
  const bytes = seededBytes(
    name,
    shape.reduce((product, dimension) => product * dimension, 1),
  );
  const columns = shape.at(-1) ?? 1;
  if (kind === 'table') return Float32Array.from(bytes, (_, i) => (Math.abs(bytes[i - (i % columns)] ?? 0) + (i % columns)) % exponent);
  const value = { weight: (k: number) => k * 2 ** -exponent, one: (k: number) => (64 + (k >> 2)) / 64, positive: (k: number) => Math.abs(k) / 64 }[kind];
  return Float32Array.from(bytes, value);
}

export interface SeededTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** Values are signed bytes times 2^-exponent. */
  readonly exponent?: number;
  /** Values are whole numbers of 64 bits. */
  readonly isTable?: boolean;
}

/** The tensors of a model, by name. */
export function seededTensors({ tensors }: SeededFamily): Map<string, SeededTensor> {
  return new Map(
    tensors.map(([name, shape, kind, exponent]) => {
      const values = valuesOf(name, shape, kind, exponent);
      return [name, { shape, values, ...(kind === 'weight' && { exponent }), ...(kind === 'table' && { isTable: true }) }];
    }),
  );
}

/** As folders have it: in BF16, which has all values of seeded tensors exactly but for tables. */
function storeSeeded({ shape, values, isTable }: SeededTensor): RefTensor {
  if (!isTable) return { storage: 'BF16', shape, bytes: bf16Bytes(values) };
  return { storage: 'I64', shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) };
}

/** In BF16. */
export function bf16Bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length), (bits) => bits >>> 16).buffer);
}

/** Writes config.json and model.safetensors; `change`: what becomes of a tensor before. */
export function writeSeeded(family: SeededFamily, folder: string, change: (name: string, tensor: SeededTensor) => SeededTensor = (_, tensor) => tensor): void {
  const stored = Array.from(seededTensors(family), ([name, tensor]) => [name, storeSeeded(change(name, tensor))] as const);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(family.config));
  writeFileSync(join(folder, 'model.safetensors'), tensorsFile(new Map(stored)));
}

/** Owns what masks cost: along the tokens of valid instances, with one vocabulary. Refuses masks that lack the token that comes. */
import type { Checkpoint } from '../../runtime/checkpoint/index.ts';
import { compileSchema, createVocabulary, Masks, Matcher } from '../../runtime/grammar/index.ts';
import { InwardError } from '../../runtime/index.ts';
import { createPieces } from '../../runtime/text/pieces.ts';
import { createTokenizer, type Tokenizer } from '../../runtime/text/tokenizer.ts';
import { readVocabulary } from '../../runtime/text/vocabulary.ts';
import { quantile } from '../serve/statistics.ts';
import type { SchemaCase } from './reach.ts';

interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface MaskTimes {
  readonly tokens: number;
  readonly steps: number;
  /** Instances at which the grammar needed more than its bound. */
  readonly stopped: number;
  readonly ms: { readonly mask: Quantiles; readonly 'first mask of a schema': Quantiles; readonly 'a token taken': Quantiles; readonly 'getting the vocabulary ready': Quantiles }; // biome-ignore format: one line
}

export async function timeMasks(checkpoint: Checkpoint, cases: readonly SchemaCase[]): Promise<MaskTimes> {
  const vocabulary = readVocabulary(checkpoint);
  const started = performance.now();
  const masks = new Masks(createVocabulary(createPieces(vocabulary)), vocabulary.stopIds);
  const ready = performance.now() - started;
  const tokenizer = createTokenizer(vocabulary);
  let stopped = 0;
  const times = { mask: [] as number[], first: [] as number[], accept: [] as number[] };
  for (const { schema, tests } of cases) {
    const create = prepareMatchers(schema, masks);
    if (create === undefined) continue;
    for (const [i, { data }] of tests.filter(({ valid }) => valid).entries())
      try {
        walk(create(), tokenizer, JSON.stringify(data), times, i === 0);
      } catch (error) {
        if (!(error instanceof InwardError)) throw error;
        stopped++;
      }
  }
  const ms = { mask: describe(times.mask), 'first mask of a schema': describe(times.first), 'a token taken': describe(times.accept), 'getting the vocabulary ready': describe([ready]) }; // biome-ignore format: one line
  return { tokens: vocabulary.tokens.length, steps: times.mask.length, stopped, ms };
}

function prepareMatchers(schema: unknown, masks: Masks): (() => Matcher) | undefined {
  try {
    const start = compileSchema(schema);
    return () => new Matcher(start, masks);
  } catch (error) {
    if (error instanceof InwardError) return undefined;
    throw error;
  }
}

function walk(matcher: Matcher, tokenizer: Tokenizer, text: string, times: { mask: number[]; first: number[]; accept: number[] }, isFirst: boolean): void {
  for (const [i, id] of tokenizer.encode(text, { addSpecial: false, parseSpecial: false }).entries()) {
    const started = performance.now();
    const mask = matcher.mask();
    const masked = performance.now();
    const isTaken = matcher.accept(id);
    times.accept.push(performance.now() - masked);
    (i === 0 && isFirst ? times.first : times.mask).push(masked - started);
    if (mask === undefined || ((mask[id >>> 5]! >>> (id & 31)) & 1) !== (isTaken ? 1 : 0)) throw new Error('mask and automaton do not agree');
    // An instance that cannot be written is counted elsewhere.
    if (!isTaken) return;
  }
}

function describe(samples: readonly number[]): Quantiles {
  const sorted = samples.toSorted((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p90: quantile(sorted, 0.9), p99: quantile(sorted, 0.99), max: quantile(sorted, 1) };
}

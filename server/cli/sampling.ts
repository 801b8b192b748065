/**
 * Owns the settings of one answer: flags of `run` and `chat`, and `/set` of the latter. None reaches further than the engine's limits.
 */
import { Option } from 'commander';
import type { Sampling } from '../../runtime/index.ts';
import { decimal, wholeNumber } from '../config/kinds.ts';
import { flagName, type Setting } from '../config/table.ts';
import { defaultTemperature } from '../config.ts';
import { type Flags, parser } from './options.ts';

const share = decimal(0, 1);
const penalty = decimal(-2, 2);
const largest = 2 ** 32 - 1;

export type SamplingName = Exclude<keyof Sampling, 'logitBias'> | 'maxTokens';
/** Values that were given, or stand by default. */
export type SamplingValues = { readonly [Name in SamplingName]?: number };

// biome-ignore format: a table
export const samplingTable: Readonly<Record<SamplingName, Setting<number>>> = {
  temperature: { ...decimal(0, 2), value: 'number', help: '0 always takes the likeliest token', standard: defaultTemperature },
  topP: { ...share, value: 'number', help: 'samples from the likeliest tokens of this total probability', standard: 1 },
  topK: { ...wholeNumber(0, largest), value: 'count', help: 'samples from so many of the likeliest tokens; 0 from all', standard: 0 },
  minP: { ...share, value: 'number', help: "samples from tokens of at least this part of the likeliest one's probability", standard: 0 },
  repetitionPenalty: { ...decimal(0.1, 10), value: 'number', help: 'above 1 makes tokens of prompt and answer less likely', standard: 1 },
  presencePenalty: { ...penalty, value: 'number', help: 'above 0 makes tokens of the answer less likely', standard: 0 },
  frequencyPenalty: { ...penalty, value: 'number', help: 'the same, times how often they came', standard: 0 },
  seed: { ...wholeNumber(0, largest), value: 'number', help: 'same seed, same answer', standardWords: 'random' },
  maxTokens: { ...wholeNumber(1, 2 ** 31 - 1), value: 'count', help: 'tokens to generate at most', standardWords: 'what the context holds' },
};

export const samplingNames: readonly SamplingName[] = Object.keys(samplingTable) as SamplingName[];

export function samplingOptions(): Option[] {
  return samplingNames.map((name) => {
    const { value, help, standard, standardWords } = samplingTable[name];
    const option = new Option(`--${flagName(name, {})} <${value}>`, standardWords ? `${help} (default: ${standardWords})` : help).argParser(
      parser(samplingTable[name]),
    );
    return standard === undefined ? option : option.default(standard);
  });
}

/** Those among the flags of a command. */
export function pickSampling(flags: Flags): SamplingValues {
  return Object.fromEntries(samplingNames.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]])));
}

/** The engine's request. A total probability of 0 leaves the likeliest token. */
export function toSampling({ maxTokens: _, topP = 1, temperature = defaultTemperature, ...rest }: SamplingValues): Sampling {
  return { ...rest, temperature: topP === 0 ? 0 : temperature, topP: topP || 1 };
}

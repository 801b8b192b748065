/**
 * Owns the options that several commands share, and how their values are read.
 */
import { InvalidArgumentError, Option } from 'commander';
import { type DeviceName, deviceNames, type EngineOptions } from '../../runtime/index.ts';
import type { World } from '../world.ts';
import { createProgress } from './progress.ts';

/** A command line that cannot be used; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface EngineFlags {
  readonly model?: string;
  readonly device: DeviceName | 'auto';
  readonly context?: number;
  readonly kvTokens?: number;
}

export const modelOption = (): Option => new Option('--model <path>', 'GGUF file to load (default: SmolLM2-135M-Instruct, fetched when missing)');
export const deviceOption = (): Option =>
  new Option('--device <name>', 'where to compute; auto takes the first that works').choices(['auto', ...deviceNames]).default('auto');
export const contextOption = (): Option =>
  new Option('--context <tokens>', "tokens of prompt and answer together (default: the model's limit, at most 4096)").argParser(integer(1));
export const kvTokensOption = (): Option =>
  new Option('--kv-tokens <tokens>', 'tokens that the KV cache holds for all requests together (default: 4096, at least one context)').argParser(integer(1));

/** A parser of whole numbers from `low` to `high`. */
export function integer(low: number, high: number = 2_147_483_647): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < low || number > high) throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}.`);
    return number;
  };
}

/** A parser of numbers from `low` to `high`. */
export function decimal(low: number, high: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+(\.\d+)?$/.test(value) || number < low || number > high) throw new InvalidArgumentError(`Expected a number from ${low} to ${high}.`);
    return number;
  };
}

export interface Prepared {
  readonly engine: EngineOptions;
  readonly deviceReason: string;
}

/** Fetches what is missing and gives the engine's options, with a progress bar on the terminal. */
export async function prepareEngine(flags: EngineFlags, world: World): Promise<Prepared> {
  const device = await world.ensureDevice(flags.device);
  const modelPath = flags.model ?? (await world.ensureDefaultModel());
  const engine = {
    modelPath,
    // The one that was proved to work, not `auto`: the engine would take the first that is installed.
    device: device.name,
    onProgress: createProgress('Loading weights', world.err),
    ...(flags.context === undefined ? {} : { contextLength: flags.context }),
    ...(flags.kvTokens === undefined ? {} : { kvTokens: flags.kvTokens }),
  };
  return { engine, deviceReason: device.reason };
}

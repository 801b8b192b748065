/**
 * Owns `inward bench`: hands its arguments over to the bench, which a published package does not carry.
 */
import { Command } from 'commander';
import type { World } from '../world.ts';
import { UsageError } from './options.ts';

export function createBenchCommand(_world: World, onExit: (code: number) => void): Command {
  return new Command('bench')
    .description('Measure speed and memory on this machine; `inward bench --help` lists its options.')
    .argument('[arguments...]')
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions()
    .action(async (args: readonly string[]) => {
      const bench = await openBench();
      await bench.main(args);
      onExit(typeof process.exitCode === 'number' ? process.exitCode : 0);
    });
}

interface Bench {
  main(args: readonly string[]): Promise<unknown>;
}

async function openBench(): Promise<Bench> {
  const place = new URL('../../bench/index.ts', import.meta.url);
  try {
    return (await import(place.href)) as Bench;
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'ERR_MODULE_NOT_FOUND')
      throw new UsageError('The bench is not part of this installation; run it in a clone.');
    throw error;
  }
}

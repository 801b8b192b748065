/** Owns the command line of the quality bench. Refuses to measure. */
import { Command } from 'commander';
import type { DeviceName } from '../../runtime/index.ts';
import { deviceOption, integer, modelOption, UsageError } from '../../server/cli/options.ts';

export interface QualityOptions {
  readonly model?: string;
  readonly device: DeviceName | 'auto';
  /** Texts to sample from; empty: those of INWARD_TEST_DATA. */
  readonly file: readonly string[];
  readonly passages: number;
  readonly shortest: number;
  readonly longest: number;
  readonly int8: boolean;
  readonly seed: number;
  readonly json?: string;
}

/** Throws UsageError, or commander's CommanderError after it has printed help or what is wrong. */
export function parseQualityOptions(args: readonly string[]): QualityOptions {
  const options = new Command('inward bench kv')
    .description('Measure what a smaller KV cache costs: log-probabilities of texts with f16 and q8 beside those with f32. The last line is JSON.')
    .addOption(modelOption())
    .addOption(deviceOption())
    .option(
      '--file <path>',
      'sample from this file, instead of the texts of INWARD_TEST_DATA: JSON lines, or any text; may be given several times',
      (path: string, before: readonly string[]) => [...before, path],
      [],
    )
    .option('--passages <count>', 'passages to score', integer(1, 10_000), 20)
    .option('--shortest <tokens>', 'length of a passage at least; shorter texts are left out', integer(2, 100_000), 256)
    .option('--longest <tokens>', 'and at most', integer(2, 100_000), 512)
    .option('--int8', 'also with int8 activations', false)
    .option('--seed <number>', 'of the sample', integer(0), 1)
    .option('--json <file>', 'also write the record to a file')
    .addHelpText(
      'after',
      '\nExamples:\n  INWARD_TEST_DATA=data npm run bench:kv\n  npm run bench:kv -- --file notes.txt --passages 5 --int8\n  npm run bench:kv -- --passages 100 --seed 2 --json kv.json',
    )
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse(args, { from: 'user' })
    .opts<QualityOptions>();
  if (options.shortest > options.longest) throw new UsageError('--shortest asks for more tokens than --longest allows.');
  return options;
}

/** Owns the command line of the kernel bench. Refuses to measure. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { DeviceName } from '../../runtime/index.ts';
import { deviceOption, integer } from '../../server/cli/options.ts';
import { type SetName, setNames } from './sets.ts';

export interface SuiteOptions {
  readonly device: DeviceName | 'auto';
  readonly set: SetName;
  readonly filter?: string;
  readonly json?: string;
  readonly compare?: string;
  /** Percent; the exit code is 1 when a case is slower by more. */
  readonly failAbove?: number;
  readonly svg?: string;
  /** Kernels of deterministic mode. */
  readonly deterministic: boolean;
  readonly peers: boolean;
  readonly rounds: number;
  readonly threads: number;
}

/** Throws commander's CommanderError, after it has printed help or what is wrong. */
export function parseSuiteOptions(args: readonly string[]): SuiteOptions {
  return new Command('inward bench kernels')
    .description('Measure every kernel alone: time, rate, share of what the device reaches, and error against the reference.')
    .addOption(deviceOption())
    .addOption(new Option('--set <name>', 'which cases').choices(setNames).default('standard'))
    .option('--filter <text>', 'only cases whose names contain this, e.g. "matmul Q4_K", "128 tokens"; "chain" stands in those of --peers')
    .option('--json <file>', 'also write the results to a file')
    .option('--compare <file>', 'show the time of each case beside that of a file written before, and say what is slower')
    .option('--fail-above <percent>', 'with --compare: end with exit code 1 when a case is slower by more', parsePercent)
    .option('--svg <file>', 'draw a roofline: operations a byte, operations a second, and the two ceilings')
    .option('--deterministic', 'leave matrix units alone, as the engine does unless told otherwise', false)
    .option('--peers', 'also multiply chains of matrices, beside onnxruntime and llama.cpp where they are installed', false)
    .option('--rounds <count>', 'rounds of the chains', integer(1, 100), 3)
    .option('--threads <count>', 'threads of the peers on the CPU', integer(1, 1024), 2)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench:kernels\n  npm run bench:kernels -- --device lavapipe --filter "matmul Q4" --json before.json\n  npm run bench:kernels -- --compare before.json --fail-above 20\n  npm run bench:kernels -- --set gemma3-270m --peers',
    )
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse(args, { from: 'user' })
    .opts<SuiteOptions>();
}

function parsePercent(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1000)) throw new InvalidArgumentError('Expected a number of percent from 0 to 1000.');
  return value;
}

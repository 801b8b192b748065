/** Owns the command line of the soak. Refuses to run it. */
import { Command } from 'commander';
import type { DeviceName } from '../../runtime/index.ts';
import { deviceOption, integer, modelOption } from '../../server/cli/options.ts';

export interface SoakOptions {
  readonly model?: string;
  readonly device: DeviceName | 'auto';
  readonly requests: number;
  readonly clients: number;
  /** Times that the engine's process is killed; 0: the soak. */
  readonly crashes: number;
  readonly seed: number;
  /** Seconds that one request may take. */
  readonly timeout: number;
}

const examples = `
Examples:
  npm run soak
  npm run soak -- --requests 400 --seed 7
  npm run soak -- --crashes 20`;

/** Throws commander's CommanderError after it has printed help or what is wrong. */
export function parseSoakOptions(args: readonly string[]): SoakOptions {
  return new Command('inward bench soak')
    .description(
      'Put an engine process under mixed requests, or kill it again and again, and judge every token. Exit code 1 if a bound is broken; the last line is JSON.',
    )
    .addOption(modelOption())
    .addOption(deviceOption())
    .option('--requests <count>', 'requests of the soak; memory is compared from 1000 on', integer(20, 1_000_000), 2000)
    .option('--crashes <count>', 'instead: kill the engine process so many times while the clients go on', integer(0, 1000), 0)
    .option('--clients <count>', 'clients that send one after the other', integer(1, 32), 8)
    .option('--seed <number>', 'of prompts, lengths and behaviour of the clients', integer(0), 1)
    .option('--timeout <seconds>', 'longest time for one request; beyond it it hangs', integer(1, 86_400), 120)
    .addHelpText('after', examples)
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse(args, { from: 'user' })
    .opts<SoakOptions>();
}

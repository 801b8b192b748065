/**
 * Owns the command line of the bench. Refuses to measure: it only says what is to be measured.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { DeviceName } from '../runtime/index.ts';
import { deviceOption, integer, modelOption } from '../server/cli/options.ts';
import type { Workload } from './arithmetic.ts';
import { type PeerName, peerNames } from './peer.ts';

export interface BenchOptions {
  readonly model?: string;
  readonly device: DeviceName | 'auto';
  readonly rounds: number;
  readonly promptTokens: readonly number[];
  readonly newTokens: number;
  readonly batch: number;
  readonly peers: readonly PeerName[];
  readonly peerPrompt: number;
  readonly peerTokens: number;
  readonly threads: number;
  readonly installPeers: boolean;
  /** Also measure the cold start with an empty cache of compiled kernels. */
  readonly cold: boolean;
  /** Also measure ourselves with int8 activations. */
  readonly int8: boolean;
  /** As `deterministic` of the engine's options. */
  readonly deterministic: boolean;
  /** Instead of all this, where the time of a step goes. */
  readonly profile: boolean;
  /** Folder that gets the charts. */
  readonly svg?: string;
  /** Saved output to draw again instead of measuring. */
  readonly from?: string;
}

/** Throws commander's CommanderError, after it has printed help or what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const command = new Command('inward bench')
    .description('Measure speed and memory on this machine, beside llama.cpp, transformers.js and onnxruntime where they are installed. The last line is JSON.')
    .addOption(modelOption())
    .addOption(deviceOption())
    .option('--rounds <count>', 'rounds; each opens every engine anew', integer(1, 100), 3)
    .addOption(
      new Option('--prompt-tokens <list>', 'lengths of the prompts; the first is that of the batch').argParser(parseLengths).default([128, 2048], '128,2048'),
    )
    .option('--new-tokens <count>', 'tokens that each sequence generates', integer(2), 32)
    .option('--batch <count>', 'sequences of the batch', integer(1, 256), 8)
    .addOption(
      new Option('--peers <list>', 'what to compare with: llama.cpp behind vulkan, on the cpu; transformers.js; ort for the kernels of onnxruntime; or none')
        .argParser(parsePeers)
        .default(peerNames, peerNames.join()),
    )
    .option('--peer-prompt <count>', 'length of the prompt of the comparison, for all sides', integer(1), 256)
    .option('--peer-tokens <count>', 'new tokens of the comparison, for all sides', integer(2), 16)
    .option('--threads <count>', 'threads of the peers on the CPU', integer(1, 1024), 2)
    .option('--install-peers', 'first install the peers that bench/peers names (660 MB)', false)
    .option('--cold', 'also measure the cold start with an empty cache of compiled kernels', false)
    .option('--int8', 'also measure Inward with int8 activations', false)
    .option('--no-deterministic', 'let Inward take matrix units too, where the device has them')
    .option('--profile', 'measure instead where the time of a step goes, kernel by kernel', false)
    .option('--svg <folder>', 'write the charts decode.svg, prefill.svg and kernels.svg')
    .option('--from <file>', 'measure nothing: print and draw a record that was saved before')
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench\n  npm run bench -- --device lavapipe --rounds 5\n  npm run bench -- --peers none --prompt-tokens 16 --new-tokens 8\n  npm run bench -- --from saved.txt --svg docs/img',
    )
    .exitOverride()
    .showHelpAfterError('See --help.');
  return command.parse(args, { from: 'user' }).opts<BenchOptions>();
}

function parseLengths(list: string): readonly number[] {
  return list.split(',').map(integer(1));
}

function parsePeers(list: string): readonly PeerName[] {
  if (list === 'none') return [];
  const names = list.split(',');
  const chosen = peerNames.filter((name) => names.includes(name));
  if (chosen.length !== names.length) throw new InvalidArgumentError(`Expected none or some of ${peerNames.join(', ')}, with commas between.`);
  return chosen;
}

/** What is compared: one sequence and few new tokens, because peers behind Vulkan and WebGPU on a CPU device take a third of a second for each. */
export function comparedWorkload({ peerPrompt, peerTokens }: BenchOptions): Workload {
  return { sequences: 1, promptTokens: peerPrompt, newTokens: peerTokens };
}

/** Everything that ours and the peer on the CPU run: one sequence of each length, a batch of the first length, then what is compared. */
export function allWorkloads(options: BenchOptions): Workload[] {
  const { promptTokens, newTokens, batch } = options;
  const single = promptTokens.map((length) => ({ sequences: 1, promptTokens: length, newTokens }));
  return [...single, { sequences: batch, promptTokens: promptTokens[0] ?? 1, newTokens }, comparedWorkload(options)];
}

/** Tokens of context that the longest workload needs. */
export function longestSequence(options: BenchOptions): number {
  return Math.max(...allWorkloads(options).map(({ promptTokens, newTokens }) => promptTokens + newTokens));
}

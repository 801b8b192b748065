/**
 * Owns `inward logits`: what a model predicts after given token ids, for whoever checks it against a reference.
 * Needs no tokenizer. Refuses to repeat the ids of a prompt in a message.
 */
import { Command, Option } from 'commander';
import {
  type ActivationFormat,
  activationFormats,
  type DeviceName,
  type Engine,
  type EngineOptions,
  InwardError,
  type KvFormat,
  kvFormats,
} from '../../runtime/index.ts';
import { parseSettings } from '../config.ts';
import type { World } from '../world.ts';
import { createDistribution, type Ranked } from './distribution.ts';
import { formatReports, type LogitsReport, type PositionReport } from './logits-table.ts';
import { deviceOption, integer, parseIds, prepareEngine } from './options.ts';

interface LogitsFlags {
  readonly ids: readonly string[];
  readonly top: number | 'all';
  readonly greedy: number;
  readonly allPositions?: boolean;
  readonly chunk?: number;
  readonly kv?: KvFormat;
  readonly activations?: ActivationFormat;
  readonly exact?: boolean;
  readonly json?: boolean;
  readonly device: DeviceName | 'auto';
}

export function createLogitsCommand(world: World, onExit: (code: number) => void): Command {
  const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  const count = integer(1);
  return new Command('logits')
    .description('Show what a model predicts after given token ids; for checks against a reference.')
    .argument('<model>', 'GGUF file, folder of safetensors files, or name of an imported model')
    .addOption(new Option('--ids <list>', 'prompt as token ids with commas between; repeat it for a batch').argParser(collect).makeOptionMandatory())
    .addOption(
      new Option('--top <count>', 'tokens to show for each position, or all').argParser((value) => (value === 'all' ? value : count(value))).default(20),
    )
    .addOption(new Option('--greedy <count>', 'continue with the likeliest token, so many times').argParser(integer(0)).default(0))
    .option('--all-positions', 'report every position of the prompt, with the log-probability of the id that follows')
    .option('--chunk <tokens>', 'tokens that one step computes at most (default: 128)', count)
    .addOption(new Option('--kv <format>', 'storage of K and V (default: f16)').choices(kvFormats))
    .addOption(new Option('--activations <format>', 'what quantized weights are multiplied by (default: f32)').choices(activationFormats))
    .addOption(new Option('--exact', 'f32 activations and KV').conflicts(['kv', 'activations']))
    .option('--json', 'print JSON in full precision: an object for one prompt, an array for a batch')
    .addOption(deviceOption())
    .addHelpText(
      'after',
      '\nExamples:\n  inward logits model.gguf --ids 1,4093,198\n  inward logits model.gguf --ids 1,2,3 --ids 7,8 --exact --greedy 24 --top all --json',
    )
    .action(async (model: string, flags: LogitsFlags) => onExit(await runLogits(model, flags, world)));
}

async function runLogits(model: string, flags: LogitsFlags, world: World): Promise<number> {
  const prompts = flags.ids.map(parseIds);
  const prepared = await prepareEngine(parseSettings({ model, device: flags.device, tune: false }), world);
  await using engine = await world.openEngine({ ...prepared.engine, ...toEngineOptions(prompts, flags) });
  const limit = engine.info.vocabularySize;
  if (prompts.some((ids) => ids.some((id) => id >= limit))) throw new InwardError('token_out_of_range', { limit });
  // Submitted together, so that they run as one batch.
  const reports = await Promise.all(prompts.map((ids) => report(engine, ids, flags)));
  world.out.write(flags.json ? `${JSON.stringify(reports.length === 1 ? reports[0] : reports)}\n` : formatReports(reports));
  return 0;
}

function toEngineOptions(prompts: readonly Uint32Array[], flags: LogitsFlags): Partial<EngineOptions> {
  const kv = flags.exact ? 'f32' : flags.kv;
  const activations = flags.exact ? 'f32' : flags.activations;
  const contextLength = Math.max(...prompts.map((ids) => ids.length)) + Math.max(1, flags.greedy);
  return {
    contextLength,
    maxSequences: prompts.length,
    // Room for all at once, the last block of each only partly filled: no sequence is preempted and computed twice.
    kvTokens: (contextLength + 64) * prompts.length,
    ...(flags.chunk === undefined ? {} : { tokenBudget: flags.chunk }),
    ...(kv === undefined ? {} : { kv }),
    ...(activations === undefined ? {} : { activations }),
  };
}

async function report(engine: Engine, promptIds: Uint32Array, flags: LogitsFlags): Promise<LogitsReport> {
  const count = flags.top === 'all' ? engine.info.vocabularySize : flags.top;
  const positions: PositionReport[] = [];
  const greedy: { id: number; margin: number }[] = [];
  let top: readonly Ranked[] = [];
  const request = { promptIds, maxTokens: Math.max(1, flags.greedy), logits: flags.allPositions ? 'all' : 'sampled' } as const;
  for await (const event of engine.generate(request)) {
    if (event.type === 'end') break;
    if (event.logits === undefined) throw new InwardError('internal', { part: 'logits (none came with a token)' });
    const distribution = createDistribution(event.logits);
    if (event.type === 'prompt') {
      const id = promptIds[event.position + 1] ?? 0;
      positions.push({ position: event.position, top: distribution.top(count), next: { id, logprob: distribution.logprob(id) } });
      continue;
    }
    if (top.length === 0) top = distribution.top(count);
    if (greedy.length < flags.greedy) greedy.push({ id: event.id, margin: distribution.margin });
  }
  if (flags.allPositions) positions.push({ position: promptIds.length - 1, top });
  return { top, greedy, positions };
}

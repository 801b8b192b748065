/**
 * Owns `inward run`: one question, the answer streamed to the terminal, its speed on standard error.
 * Refuses to pass control characters of the model's text to a terminal.
 */
import { Command, Option } from 'commander';
import { type Engine, InwardError, type Sampling } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import { defaultTemperature } from '../config.ts';
import type { World } from '../world.ts';
import { contextOption, decimal, deviceOption, type EngineFlags, integer, kvTokensOption, modelOption, prepareEngine, UsageError } from './options.ts';

interface RunFlags extends EngineFlags {
  readonly maxTokens?: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed?: number;
}

/** Exit code of a command that Ctrl-C ended, as shells expect it. */
const interruptedCode = 130;

export function createRunCommand(world: World, onExit: (code: number) => void): Command {
  return new Command('run')
    .description('Ask the model one question; the answer streams to the terminal.')
    .argument('<prompt>', 'the question; - reads it from standard input, which keeps it out of the process list and the shell history')
    .addOption(modelOption())
    .addOption(deviceOption())
    .addOption(contextOption())
    .addOption(kvTokensOption())
    .option('--max-tokens <count>', 'tokens to generate at most (default: what the context holds)', integer(1))
    .addOption(new Option('--temperature <number>', '0 always takes the likeliest token').argParser(decimal(0, 2)).default(defaultTemperature))
    .addOption(new Option('--top-p <number>', 'samples from the likeliest tokens of this total probability').argParser(decimal(0, 1)).default(1))
    .option('--seed <number>', 'same seed, same answer (default: random)', integer(0, 4_294_967_295))
    .addHelpText('after', '\nExamples:\n  inward run "Why is the sky blue?"\n  inward run --temperature 0 --max-tokens 64 - < question.txt')
    .action(async (prompt: string, flags: RunFlags) => onExit(await runPrompt(prompt, flags, world)));
}

async function runPrompt(prompt: string, flags: RunFlags, world: World): Promise<number> {
  const question = prompt === '-' ? (await world.readInput()).trimEnd() : prompt;
  if (question === '') throw new UsageError('The prompt is empty.');
  const { engine: options } = await prepareEngine(flags, world);
  await using engine = await world.openEngine({ ...options, maxSequences: 1 });
  await using text = await world.openText({ modelPath: options.modelPath });
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  world.signals.on('SIGINT', onSignal);
  world.signals.on('SIGTERM', onSignal);
  try {
    await streamAnswer(engine, text, question, flags, interrupt.signal, world);
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    world.out.write('\n');
    return interruptedCode;
  } finally {
    world.signals.off('SIGINT', onSignal);
    world.signals.off('SIGTERM', onSignal);
  }
}

async function streamAnswer(engine: Engine, text: TextModel, question: string, flags: RunFlags, signal: AbortSignal, world: World): Promise<void> {
  const promptIds = text.info.hasChatTemplate
    ? await text.encodeChat([{ role: 'user', content: question }])
    : await text.encode(question, { addSpecial: true });
  const room = engine.info.contextLength - promptIds.length;
  if (room < 1) throw new InwardError('prompt_too_long', { found: promptIds.length, limit: engine.info.contextLength });
  const decoder = text.createDecoder();
  const start = performance.now();
  let firstAt = start;
  let count = 0;
  const maxTokens = Math.min(flags.maxTokens ?? room, room);
  for await (const event of engine.generate({ promptIds, maxTokens, stopIds: text.info.stopIds, sampling: toSampling(flags) }, signal)) {
    if (event.type === 'token') {
      if (count++ === 0) firstAt = performance.now();
      world.out.write(toTerminal(decoder.push(event.id), world));
    } else if (event.type === 'end') world.out.write(`${toTerminal(decoder.end(), world)}\n`);
  }
  const seconds = (performance.now() - firstAt) / 1000;
  const speed = count > 1 ? `, ${((count - 1) / seconds).toFixed(1)} tok/s` : '';
  world.err.write(`${promptIds.length} prompt tokens, first token after ${((firstAt - start) / 1000).toFixed(2)} s, ${count} tokens${speed}\n`);
}

function toSampling({ temperature, topP, seed }: RunFlags): Sampling {
  return { temperature: topP === 0 ? 0 : temperature, topP: topP || 1, ...(seed === undefined ? {} : { seed }) };
}

/** Escape sequences could retitle, recolour or remap the reader's terminal; a pipe gets the text as it is. */
function toTerminal(piece: string, world: World): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is meant
  return world.out.isTTY === true ? piece.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd') : piece;
}

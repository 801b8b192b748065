/**
 * Owns `inward run`: one question, the answer streamed to the terminal, its speed on standard error.
 */
import { text as readAll } from 'node:stream/consumers';
import { Command } from 'commander';
import { engineSettings } from '../config/table.ts';
import type { World } from '../world.ts';
import { describeAnswer, openModel, streamAnswer, watchSignals } from './answer.ts';
import { interruptedCode } from './exit.ts';
import { addSettings, type Flags, readSettings, UsageError } from './options.ts';
import { pickSampling, samplingOptions } from './sampling.ts';

export function createRunCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('run')
    .description('Ask the model one question; the answer streams to the terminal. Outside of the agreement gate: not for PHI.')
    .argument('<prompt>', 'the question; - reads it from standard input, which keeps it out of the process list and the shell history');
  addSettings(command, engineSettings);
  for (const option of samplingOptions()) command.addOption(option);
  return command
    .addHelpText('after', '\nExamples:\n  inward run "Why is the sky blue?"\n  inward run --temperature 0 --max-tokens 64 - < question.txt')
    .action(async (prompt: string, flags: Flags) => onExit(await runPrompt(prompt, flags, world)));
}

async function runPrompt(prompt: string, flags: Flags, world: World): Promise<number> {
  const settings = readSettings(flags, world);
  const question = prompt === '-' ? (await readAll(world.in)).trimEnd() : prompt;
  if (question === '') throw new UsageError('The prompt is empty.');
  await using model = await openModel(settings, world);
  const { text } = model;
  const interrupt = new AbortController();
  using _ = watchSignals(world, () => interrupt.abort());
  try {
    const promptIds = text.info.hasChatTemplate
      ? await text.encodeChat([{ role: 'user', content: question }])
      : await text.encode(question, { addSpecial: true });
    const report = await streamAnswer(model, { promptIds, sampling: pickSampling(flags), signal: interrupt.signal }, world);
    world.err.write(`${describeAnswer(report)}; not for PHI: no agreement was checked\n`);
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    world.out.write('\n');
    return interruptedCode;
  }
}

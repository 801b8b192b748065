/**
 * Owns `inward chat`: questions and answers on a terminal, or line by line through a pipe. What is said is in memory
 * only, and forgotten when it ends. Standard output gets the answers; of a pipe nothing else.
 */
import { Command } from 'commander';
import { InwardError } from '../../runtime/index.ts';
import { engineSettings } from '../config/table.ts';
import type { World } from '../world.ts';
import { type OpenModel, openModel, watchSignals } from './answer.ts';
import { isCommand, runChatCommand } from './chat/commands.ts';
import { type Lines, openLines } from './chat/lines.ts';
import { ChatSession } from './chat/session.ts';
import { interruptedCode } from './exit.ts';
import { addSettings, type Flags, readSettings } from './options.ts';
import { pickSampling, samplingOptions } from './sampling.ts';
import { createStyle, type Style } from './style.ts';

export function createChatCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('chat').description('Talk to the model on the terminal; nothing of it is written to a disk.');
  command.option('--system <text>', 'system message; /system keeps it out of the process list');
  addSettings(command, engineSettings);
  for (const option of samplingOptions()) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
On a terminal /help lists the commands. Through a pipe each line is a question or a command, and only answers are printed.

Examples:
  inward chat --temperature 0.7
  inward chat --model ./model.gguf < questions.txt`,
    )
    .action(async (flags: Flags) => onExit(await runChat(flags, world)));
}

async function runChat(flags: Flags, world: World): Promise<number> {
  const settings = readSettings(flags, world);
  await using model = await openModel(settings, world);
  if (!model.text.info.hasChatTemplate) throw new InwardError('template_missing');
  let onInterrupt = (): void => undefined;
  using lines = openLines(world, () => onInterrupt());
  const style = createStyle(lines.isTerminal ? world.out : world.err, world.environment);
  const notify = (sentence: string): unknown => (lines.isTerminal ? world.out : world.err).write(`${style.dim(sentence)}\n`);
  using session = new ChatSession(model, pickSampling(flags), world, notify);
  session.conversation.system = typeof flags['system'] === 'string' ? flags['system'] : '';
  let code = 0;
  const leave = (reason: number): void => {
    code = reason;
    session.stop();
    lines.end();
  };
  // The first Ctrl-C of a terminal stops an answer; through a pipe nobody is there to go on.
  onInterrupt = () => {
    if (!lines.isTerminal || !session.stop()) leave(interruptedCode);
  };
  using _ = watchSignals(world, (name) => (name === 'SIGINT' ? onInterrupt() : leave(interruptedCode)));
  let failure: Error | undefined;
  void model.engine.failed.then((error) => {
    failure = error;
    lines.end();
  });
  if (lines.isTerminal) notify(describeChat(model));
  const failures = await converse({ lines, session, style, notify, leave: () => leave(0) });
  if (failure !== undefined) throw failure;
  return code === 0 && failures > 0 && !lines.isTerminal ? 1 : code;
}

function describeChat({ engine: { info }, deviceReason }: OpenModel): string {
  return [
    `${info.modelName} on ${info.device} (${deviceReason}), ${info.contextLength} tokens of context. Evaluation mode: not for PHI.`,
    'What is said stays in memory until you leave. /help lists the commands; Ctrl-D leaves.',
  ].join('\n');
}

interface Chat {
  readonly lines: Lines;
  readonly session: ChatSession;
  readonly style: Style;
  notify(sentence: string): unknown;
  leave(): void;
}

/** Takes messages until there are no more; how many failed. */
async function converse({ lines, session, style, notify, leave }: Chat): Promise<number> {
  let failures = 0;
  const prompts = { message: style.bold('> '), more: style.dim('| ') };
  const readLines = async (): Promise<string | undefined> => {
    const collected: string[] = [];
    for (;;) {
      const line = await lines.read(prompts.more);
      if (line === undefined) return undefined;
      if (line.trim() === '/end') return collected.join('\n');
      collected.push(line);
    }
  };
  for (;;) {
    const message = await lines.read(prompts.message);
    if (message === undefined) break;
    if (message.trim() === '') continue;
    const context = { session, notify, readLines, leave, forget: () => lines.forget() };
    const isDone = isCommand(message) ? await runChatCommand(message, context) : await session.ask(message.replace(/^\/\//, '/'));
    if (!isDone) failures++;
  }
  if (lines.isTerminal) notify('');
  return failures;
}

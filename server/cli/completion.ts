/**
 * Owns `inward completion`: prints the script by which a shell completes the commands.
 */
import { Argument, Command } from 'commander';
import type { World } from '../world.ts';
import { createScript, type Shell, shells } from './completion/scripts.ts';
import { describeWords } from './completion/words.ts';

export function createCompletionCommand(world: World, onExit: (code: number) => void): Command {
  const command: Command = new Command('completion')
    .description('Print the script by which a shell completes commands, options and values.')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText(
      'after',
      `
Examples:
  inward completion bash > ~/.local/share/bash-completion/completions/inward
  inward completion fish > ~/.config/fish/completions/inward.fish`,
    )
    .action((shell: Shell) => {
      // Read when it runs: by then the program has all its commands.
      world.out.write(createScript(shell, describeWords(command.parent ?? command)));
      onExit(0);
    });
  return command;
}

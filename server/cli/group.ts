/**
 * Owns commands that consist of others, as `inward key create`.
 */
import { Command } from 'commander';

/** A command that only has others below it. */
export function createGroup(name: string, description: string, commands: readonly Command[], examples: readonly string[]): Command {
  const group = new Command(name).description(description);
  for (const command of commands) group.addCommand(command);
  return group.addHelpText('after', formatExamples(examples));
}

/** The end of a help text. */
export function formatExamples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

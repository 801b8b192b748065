/**
 * Owns what there is to complete: commands, options and their values, read from the program itself, so that a script
 * can never name what is not there.
 */
import type { Argument, Command, Option } from 'commander';

/** What may stand where a value is wanted. */
export type Values = { readonly kind: 'choices'; readonly choices: readonly string[] } | { readonly kind: 'file' } | { readonly kind: 'none' };

export interface OptionWords {
  /** `--port`, `-h`. */
  readonly flags: readonly string[];
  readonly help: string;
  /** Undefined for an option without a value. */
  readonly values?: Values;
}

export interface CommandWords {
  readonly name: string;
  readonly help: string;
  readonly options: readonly OptionWords[];
  /** Of the first argument. */
  readonly values: Values;
}

/** The commands of a program with their options. */
export function describeWords(program: Command): CommandWords[] {
  return program.commands.map((command) => ({
    name: command.name(),
    help: firstSentence(command.description()),
    options: command.createHelp().visibleOptions(command).map(describeOption),
    values: describeArgument(command.registeredArguments[0]),
  }));
}

function describeOption(option: Option): OptionWords {
  const flags = [option.short, option.long].filter((flag) => typeof flag === 'string');
  const help = firstSentence(option.description);
  return option.required || option.optional ? { flags, help, values: describeValues(option.argChoices, option.flags) } : { flags, help };
}

function describeArgument(argument: Argument | undefined): Values {
  return argument === undefined ? { kind: 'none' } : describeValues(argument.argChoices, `<${argument.name()}>`);
}

function describeValues(choices: readonly string[] | undefined, usage: string): Values {
  if (choices !== undefined) return { kind: 'choices', choices };
  return /<(file|path|model)>/.test(usage) ? { kind: 'file' } : { kind: 'none' };
}

/** Without the default and what else stands in parentheses. */
function firstSentence(text: string): string {
  return text.replace(/\s*\(.*\)/s, '').replace(/[.;].*$/s, '');
}

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
  /** Of a command that has others below it: what those have. */
  readonly options: readonly OptionWords[];
  /** Of the first argument, which of a command that has others below it is one of them. */
  readonly values: Values;
}

/** The commands of a program with their options. */
export function describeWords(program: Command): CommandWords[] {
  return program.commands.map((command) => ({
    name: command.name(),
    help: firstSentence(command.description()),
    options: describeOptions(command),
    values:
      command.commands.length === 0
        ? describeArgument(command.registeredArguments[0])
        : { kind: 'choices', choices: command.commands.map((below) => below.name()) },
  }));
}

function describeOptions(command: Command): OptionWords[] {
  const all = [...command.commands, command].flatMap((one) => one.createHelp().visibleOptions(one)).map(describeOption);
  return [...new Map(all.map((option) => [option.flags.join(), option])).values()];
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
  return /<(file|folder|path|model)>/.test(usage) ? { kind: 'file' } : { kind: 'none' };
}

/** Without the default and what else stands in parentheses. */
function firstSentence(text: string): string {
  return text.replace(/\s*\(.*\)/s, '').replace(/[.;].*$/s, '');
}

/**
 * Owns the command `inward`: its sub-commands and how they end (exit.ts has the codes).
 */
import { Command, CommanderError } from 'commander';
import { InwardError } from '../../runtime/index.ts';
import { SettingsError } from '../config.ts';
import { SiteError } from '../privacy/errors.ts';
import { createProcessWorld, type World } from '../world.ts';
import { createAgreementCommand } from './agreement.ts';
import { Interrupted } from './ask.ts';
import { createAuditCommand } from './audit.ts';
import { createBenchCommand } from './bench.ts';
import { createChatCommand } from './chat.ts';
import { createCompletionCommand } from './completion.ts';
import { createConfigCommand } from './config.ts';
import { createDeidCommand } from './deid.ts';
import { createDoctorCommand } from './doctor.ts';
import { createEmbedCommand } from './embed.ts';
import { closedPipeCode, exitCodes, interruptedCode } from './exit.ts';
import { createFitCommand } from './fit.ts';
import { createKeyCommand } from './key.ts';
import { createLogitsCommand } from './logits.ts';
import { createManifestCommand } from './manifest.ts';
import { createModelCommand } from './model.ts';
import { UsageError } from './options.ts';
import { createPersonCommand } from './person.ts';
import { createProveCommand } from './prove.ts';
import { createReviewCommand } from './review.ts';
import { createRunCommand } from './run.ts';
import { createEvaluateCommand, createServeCommand } from './serve.ts';
import { createSiteCommand } from './site/command.ts';
import { createStoreCommand } from './store.ts';
import { createTenantCommand } from './tenant.ts';
import { createTuneCommand } from './tune.ts';

/** Runs one command. `argv` holds the arguments only, without node and script. Sets the process's exit code and gives it. */
export async function main(argv: readonly string[]): Promise<number> {
  survivePipes();
  const code = await runCommand(argv, createProcessWorld());
  process.exitCode = code;
  return code;
}

/** Who closes the pipe of the output (`| head`) wants no more of it: the command ends as if by SIGPIPE. A log that nobody reads ends nothing. */
function survivePipes(): void {
  const on = (stream: NodeJS.WriteStream, onClosed: () => void): void => {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      onClosed();
    });
  };
  on(process.stdout, () => process.exit(closedPipeCode));
  on(process.stderr, () => undefined);
}

/** Runs one command in a given world and gives its exit code. */
export async function runCommand(argv: readonly string[], world: World): Promise<number> {
  let code = 0;
  const onExit = (value: number): void => {
    code = value;
  };
  const program = createProgram(world, onExit);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has already printed its message or the help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    world.err.write(`${explain(error)}\n`);
    if (error instanceof Interrupted) return interruptedCode;
    return error instanceof UsageError ? 2 : 1;
  }
}

const commands = [
  createServeCommand,
  createEvaluateCommand,
  createRunCommand,
  createChatCommand,
  createDoctorCommand,
  createFitCommand,
  createConfigCommand,
  createLogitsCommand,
  createEmbedCommand,
  createTuneCommand,
  createModelCommand,
  createAgreementCommand,
  createBenchCommand,
  createSiteCommand,
  createPersonCommand,
  createTenantCommand,
  createManifestCommand,
  createKeyCommand,
  createReviewCommand,
  createDeidCommand,
  createAuditCommand,
  createProveCommand,
  createStoreCommand,
  createCompletionCommand,
];

/** The whole command line; `onExit` gets the exit code of the command that ran. */
export function createProgram(world: World, onExit: (code: number) => void): Command {
  const program = new Command('inward').description('Private LLM inference that stays inside the hospital.');
  program.enablePositionalOptions();
  for (const create of commands) program.addCommand(create(world, onExit));
  program.addHelpText(
    'after',
    `
Exit codes:
${exitCodes.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}

Examples:
  inward serve
  inward run "Why is the sky blue?"
  inward chat
  inward doctor`,
  );
  for (const command of listCommands(program)) {
    command
      .exitOverride()
      .showHelpAfterError('See --help.')
      .configureOutput({ writeOut: (text) => world.out.write(text), writeErr: (text) => world.err.write(hideSecrets(text)) });
  }
  return program;
}

/** A command with all that are under it. */
function listCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(listCommands)];
}

const speakers = [InwardError, SettingsError, SiteError, UsageError, Interrupted];

/** What was typed in the wrong place may be a secret, and messages end in logs. */
function hideSecrets(text: string): string {
  return text.replace(/inw_[a-z]+_[0-9a-z]+/gi, 'inw_...');
}

/** Only errors of our own tables may speak; any other message could quote what was being worked on. */
function explain(error: unknown): string {
  if (error instanceof Error && speakers.some((speaker) => error instanceof speaker)) return hideSecrets(error.message);
  return new InwardError('internal', { part: error instanceof Error ? `the command (${error.constructor.name})` : 'the command' }).message;
}

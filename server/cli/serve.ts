/**
 * Owns `inward serve`, and `inward evaluate`, which `npm start` is: the same server, after what an evaluation needs was made.
 */
import { Command } from 'commander';
import { importSettings, type SettingName, settingTable } from '../config/table.ts';
import type { World } from '../world.ts';
import { addSettings, type Flags, readSettings } from './options.ts';

export function createServeCommand(world: World, onExit: (code: number) => void): Command {
  return createCommand('serve', 'Serve a model over an OpenAI-compatible HTTP API, under the agreement that is in force.', world, onExit);
}

export function createEvaluateCommand(world: World, onExit: (code: number) => void): Command {
  const description = 'Serve on this machine for evaluation, not for PHI: makes a synthetic agreement of 30 days and a key where there is none.';
  return createCommand('evaluate', description, world, onExit);
}

function createCommand(name: 'serve' | 'evaluate', description: string, world: World, onExit: (code: number) => void): Command {
  const command = new Command(name).description(description);
  const names = (Object.keys(settingTable) as SettingName[]).filter((name) => !importSettings.includes(name));
  return addSettings(command, names)
    .addHelpText(
      'after',
      `
SIGINT or SIGTERM lets running requests end; a second one stops at once. What is in force, and from where: inward config --show

Examples:
  inward ${name}
  inward ${name} --model ./model.gguf --context 8192 --port 9000${name === 'serve' ? '\n  inward serve --host 10.1.2.3 --tls-cert server.crt --tls-key server.key' : ''}`,
    )
    .action(async (flags: Flags) => onExit(await runServe(flags, name === 'evaluate', world)));
}

async function runServe(flags: Flags, isEvaluation: boolean, world: World): Promise<number> {
  // Before anything is fetched or loaded: a wrong setting is told at once.
  const settings = readSettings(flags, world);
  // The HTTP library takes longer to import than everything else that the other commands need.
  const { serve } = await import('../main.ts');
  return serve({ settings, isEvaluation }, world);
}

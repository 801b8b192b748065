/**
 * Owns `inward serve`.
 */
import { Command } from 'commander';
import { type SettingName, settingTable } from '../config/table.ts';
import type { World } from '../world.ts';
import { addSettings, type Flags, prepareEngine, readSettings } from './options.ts';

export function createServeCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('serve').description('Serve a model over an OpenAI-compatible HTTP API; to other machines only over TLS.');
  return addSettings(command, Object.keys(settingTable) as SettingName[])
    .addHelpText(
      'after',
      `
SIGINT or SIGTERM lets running requests end; a second one stops at once. What is in force, and from where: inward config --show

Examples:
  inward serve
  inward serve --model ./model.gguf --context 8192 --port 9000
  inward serve --host 10.1.2.3 --tls-cert server.crt --tls-key server.key`,
    )
    .action(async (flags: Flags) => onExit(await runServe(flags, world)));
}

async function runServe(flags: Flags, world: World): Promise<number> {
  // Before anything is fetched or loaded: a wrong setting is told at once.
  const settings = readSettings(flags, world);
  const { engine, deviceReason } = await prepareEngine(settings, world);
  // The HTTP library takes longer to import than everything else that the other commands need.
  const { serve } = await import('../main.ts');
  return serve({ deviceReason, engine, settings }, world);
}

/**
 * Owns `inward serve`.
 */
import { Command } from 'commander';
import { parseSettings } from '../config.ts';
import { readEnvironment, serve } from '../main.ts';
import type { World } from '../world.ts';
import { contextOption, deviceOption, type EngineFlags, integer, kvTokensOption, modelOption, prepareEngine } from './options.ts';

interface ServeFlags extends EngineFlags {
  readonly host?: string;
  readonly port?: number;
  readonly maxSequences?: number;
}

export function createServeCommand(world: World, onExit: (code: number) => void): Command {
  return new Command('serve')
    .description('Serve a model over an OpenAI-compatible HTTP API, on this machine only.')
    .addOption(modelOption())
    .addOption(deviceOption())
    .option('--host <address>', 'loopback address to listen on (default: 127.0.0.1)')
    .option('--port <number>', 'port to listen on, 0 for a free one (default: 8080)', integer(0, 65_535))
    .addOption(contextOption())
    .addOption(kvTokensOption())
    .option('--max-sequences <count>', 'requests that run at the same time (default: 8)', integer(1, 1024))
    .addHelpText(
      'after',
      `
Environment: INWARD_HOST, INWARD_PORT, INWARD_BODY_LIMIT (bytes), INWARD_REQUEST_TIMEOUT_MS, INWARD_DRAIN_TIMEOUT_MS,
INWARD_LOG (auto, json, human). SIGINT or SIGTERM lets running requests end; a second one stops at once.

Examples:
  inward serve
  inward serve --model ./model.gguf --context 8192 --port 9000`,
    )
    .action(async (flags: ServeFlags) => onExit(await runServe(flags, world)));
}

async function runServe(flags: ServeFlags, world: World): Promise<number> {
  const environment = readEnvironment();
  const settings = { ...environment, host: flags.host ?? environment.host, port: flags.port ?? environment.port };
  // Before anything is fetched or loaded: a wrong setting is told at once.
  parseSettings(settings);
  const { engine, deviceReason } = await prepareEngine(flags, world);
  return serve({ deviceReason, engine: { ...engine, ...(flags.maxSequences === undefined ? {} : { maxSequences: flags.maxSequences }) }, settings }, world);
}

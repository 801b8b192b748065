/**
 * Owns `inward model verify`: every byte of a model held against its list of sums, one line for each difference.
 */
import { Command, Option } from 'commander';
import { sha256 } from '../../config/kinds.ts';
import { compareSums } from '../../privacy/deployment/sums.ts';
import { sumsFile } from '../../privacy/deployment/weights.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { addSettings, type Flags, parser, readSettings } from '../options.ts';
import { createBar } from '../progress.ts';
import { resolveModel } from './shelf.ts';

export function createModelVerifyCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('verify')
    .description(`Read every byte of a model and compare it with its list ${sumsFile}: one line for each difference. Exit code 1 if there is one.`)
    .argument('<model>', 'name of an imported model, or path of a model with such a list')
    .addOption(new Option('--sums <sha256>', 'SHA-256 that the list itself must have').argParser(parser(sha256)));
  return addSettings(command, ['modelFolder'])
    .addHelpText('after', formatExamples(['inward model verify Llama-3.1-8B-Instruct', 'inward model verify /media/usb/Llama-3.1-8B-Instruct']))
    .action(async (model: string, flags: Flags) => onExit(await runVerify(model, flags, world)));
}

async function runVerify(model: string, flags: Flags, world: World): Promise<number> {
  const path = resolveModel(model, readSettings(flags, world), world);
  const draw = createBar(world.err);
  const pin = flags['sums'] as string | undefined;
  const { differences, files, sha256 } = await compareSums(path, { pin, onProgress: (done, total) => draw('Hashing the model', done, total) });
  const good = `The model is as it was listed: ${files.length} ${files.length === 1 ? 'file' : 'files'}. SHA-256 of ${sumsFile}: ${sha256}`;
  world.out.write(`${differences.length === 0 ? good : differences.join('\n')}\n`);
  return differences.length === 0 ? 0 : 1;
}

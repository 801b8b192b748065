/**
 * Owns `inward model add`.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { formatBytes } from '../../../runtime/index.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { addSettings, type Flags, readSettings } from '../options.ts';
import { createBar } from '../progress.ts';
import { localDisk } from './disk.ts';
import { importModel } from './import.ts';
import { demandName, findShelf, nameAfter, sizeOf } from './shelf.ts';
import { openFolderSource } from './source.ts';

interface AddFlags extends Flags {
  readonly name?: string;
  readonly file?: string;
}

export function createModelAddCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('add')
    .description('Import a model: checked before and after it is copied, with the hashes of its files beside them. Given again it goes on where it stopped.')
    .argument('<path>', 'checkpoint folder, GGUF file or folder with one')
    .option('--name <name>', 'what the model is called here (default: as its folder or file)')
    .option('--file <glob>', 'which GGUF file is meant where there are several, as "*Q4_K_M*"');
  return addSettings(command, ['modelFolder'])
    .addHelpText('after', formatExamples(['inward model add /media/usb/Llama-3.1-8B-Instruct', 'inward model add ./model-00001-of-00003.gguf --name approved']))
    .action(async (path: string, flags: AddFlags) => onExit(await runAdd(path, flags, world)));
}

async function runAdd(place: string, flags: AddFlags, world: World): Promise<number> {
  const shelf = findShelf(readSettings(flags, world), world);
  const path = resolve(world.folder, place);
  const name = flags.name === undefined ? nameAfter(path) : demandName(flags.name);
  const draw = createBar(world.err);
  const onProgress = (done: number, total: number): void => draw(`Importing ${name}`, done, total);
  const { files, sha256 } = await importModel({ source: openFolderSource(path), shelf, name, disk: localDisk, pattern: flags.file, onProgress });
  world.out.write(
    `The model ${name} is here: ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${formatBytes(sizeOf(resolve(shelf, name)))}. SHA-256 of their list SHA256SUMS: ${sha256}\nNext: inward serve --model ${name}\n`,
  );
  return 0;
}

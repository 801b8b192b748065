/**
 * Owns `inward model add`. The code that connects to a hub is loaded only where a hub is meant.
 */
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { formatBytes } from '../../../runtime/index.ts';
import { sha256 } from '../../config/kinds.ts';
import type { Settings } from '../../config.ts';
import { parseAddress } from '../../privacy/address.ts';
import { SiteError } from '../../privacy/errors.ts';
import { readSecretFile } from '../../privacy/files.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { addSettings, type Flags, parser, readSettings } from '../options.ts';
import { createBar } from '../progress.ts';
import { chooseFiles } from './choose.ts';
import { localDisk } from './disk.ts';
import { importModel } from './import.ts';
import { demandName, findShelf, sizeOf } from './shelf.ts';
import { openFolderSource, type Source } from './source.ts';

interface AddFlags extends Flags {
  readonly name?: string;
  readonly file?: string;
  readonly sums?: string;
}

export function createModelAddCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('add')
    .description('Import a model: checked before and after it is copied, with the hashes of its files beside them. Given again it goes on where it stopped.')
    .argument('<path>', 'checkpoint folder, GGUF file or folder with one; or hf:ORG/NAME[@REVISION], which the hub of the settings has')
    .option('--name <name>', 'what the model is called here (default: as its folder, repository or GGUF file)')
    .option('--file <glob>', 'which GGUF file is meant where there are several, as "*Q4_K_M*"')
    .addOption(
      new Option('--sums <sha256>', 'SHA-256 that the list of the hashes must come to, as whoever approved the model wrote it down').argParser(parser(sha256)),
    );
  return addSettings(command, ['modelFolder', 'hub', 'hubTokenFile'])
    .addHelpText(
      'after',
      formatExamples([
        'inward model add /media/usb/Llama-3.1-8B-Instruct',
        'inward model add ./model-00001-of-00003.gguf --name approved',
        'inward model add hf:ORG/NAME@v1.0 --hub https://models.hospital.example',
      ]),
    )
    .action(async (place: string, flags: AddFlags) => onExit(await runAdd(place, flags, world)));
}

async function runAdd(place: string, flags: AddFlags, world: World): Promise<number> {
  const settings = readSettings(flags, world);
  const shelf = findShelf(settings, world);
  const source = place.startsWith('hf:') ? await openHub(place, settings) : openFolderSource(resolve(world.folder, place));
  const choice = chooseFiles(source, flags.file);
  const name = demandName(flags.name ?? (choice.kind === 'gguf' ? choice.name : source.name));
  const draw = createBar(world.err);
  const onProgress = (done: number, total: number): void => draw(`Importing ${name}`, done, total);
  const sums = await importModel({ source, choice, shelf, name, disk: localDisk, pin: flags.sums, onProgress });
  const count = `${sums.files.length} ${sums.files.length === 1 ? 'file' : 'files'}, ${formatBytes(sizeOf(join(shelf, name)))}`;
  world.out.write(
    `The model ${name} is here: ${count}, from ${source.label}. SHA-256 of their list SHA256SUMS: ${sums.sha256}\nNext: inward serve --model ${name}\n`,
  );
  return 0;
}

async function openHub(place: string, { hub, hubTokenFile }: Settings): Promise<Source> {
  const { openHubSource, parseRepository } = await import('./hub.ts');
  const repository = parseRepository(place);
  const base = hub === undefined ? undefined : parseAddress(hub);
  if (base === undefined)
    throw new SiteError(
      `${place} is in a model hub, and no hub is set: expected its address, found none; set hub (--hub, INWARD_HUB), or import from a folder.`,
    );
  return openHubSource(repository, { base, token: hubTokenFile === undefined ? undefined : readToken(hubTokenFile) });
}

function readToken(path: string): string {
  const token = readSecretFile(path, 4096).toString('latin1').trim();
  if (/^[\x21-\x7e]{1,4000}$/.test(token)) return token;
  throw new SiteError(
    `The file ${path} holds no token: expected one line of printable characters without blanks, found something else; put the hub's token there.`,
  );
}

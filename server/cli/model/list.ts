/**
 * Owns `inward model list`. Refuses to read weights: whether they are still the same says `inward model verify`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describeCheckpoint, openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { formatBytes, InwardError } from '../../../runtime/index.ts';
import { formatCount } from '../../panel.ts';
import { readSums } from '../../privacy/deployment/sums.ts';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { addSettings, type Flags, readSettings } from '../options.ts';
import { createStyle } from '../style.ts';
import { formatTable } from '../table.ts';
import { draftOf, entryOf, findShelf, listNames, sizeOf } from './shelf.ts';

interface ListedModel {
  readonly name: string;
  /** Undefined, as its parameters: the model cannot be read any more. */
  readonly family?: string;
  readonly parameters?: number;
  /** Undefined, as its sums: the list cannot be read any more. */
  readonly files?: number;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of its list of sums. */
  readonly sums?: string;
}

export function createModelListCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('list').description('List the imported models.').option('--json', 'print the list as JSON, sizes in bytes');
  return addSettings(command, ['modelFolder'])
    .addHelpText('after', formatExamples(['inward model list', 'inward model list --json']))
    .action((flags: Flags) => {
      const shelf = findShelf(readSettings(flags, world), world);
      const { models, drafts } = listNames(shelf);
      const listed = models.map((name) => examine(shelf, name));
      world.out.write(
        flags['json'] === true ? `${JSON.stringify({ models: listed, unfinished: drafts }, undefined, 2)}\n` : format(listed, drafts, shelf, world),
      );
      onExit(0);
    });
}

function examine(shelf: string, name: string): ListedModel {
  const folder = join(shelf, name);
  return { name, ...describe(entryOf(folder)), size: sizeOf(folder), ...describeSums(folder) };
}

function describeSums(folder: string): Pick<ListedModel, 'files' | 'sums'> {
  try {
    const { files, sha256 } = readSums(folder);
    return { files: files.length, sums: sha256 };
  } catch (error) {
    if (error instanceof SiteError) return {};
    throw error;
  }
}

function describe(path: string): Pick<ListedModel, 'family' | 'parameters'> {
  try {
    using checkpoint = openCheckpoint(path);
    const { family, parameterCount } = describeCheckpoint(checkpoint);
    return { family, parameters: parameterCount };
  } catch (error) {
    if (error instanceof InwardError) return {};
    throw error;
  }
}

function format(models: readonly ListedModel[], drafts: readonly string[], shelf: string, world: World): string {
  const rows = models.map(({ name, family, parameters, files, size, sums }) => [
    ...[name, family ?? 'unreadable', parameters === undefined ? '-' : formatCount(parameters)],
    ...[String(files ?? '-'), formatBytes(size), sums ?? 'unreadable'],
  ]);
  const table = formatTable(['name', 'family', 'parameters', 'files', 'size', 'SHA-256 of SHA256SUMS'], rows, createStyle(world.out, world.environment));
  const unfinished = drafts.map(
    (name) => `Not finished: ${name}, ${formatBytes(sizeOf(draftOf(shelf, name)))}; import it again to go on, or remove it (inward model remove ${name}).\n`,
  );
  return `${models.length === 0 ? `There is no imported model in ${shelf}${existsSync(shelf) ? '' : ', which is not there'} (inward model add).\n` : table}${unfinished.join('')}`;
}

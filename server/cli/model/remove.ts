/**
 * Owns `inward model remove`. Refuses what is no name, so that no other folder can be meant.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { addSettings, type Flags, readSettings } from '../options.ts';
import { holdLock } from './lock.ts';
import { demandName, draftOf, findShelf, isImported, listNames, lockOf } from './shelf.ts';

export function createModelRemoveCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('remove')
    .description('Remove an imported model, or what an import that did not come to its end has left. A server that runs it goes on until it is started anew.')
    .argument('<name>', 'the model as `inward model list` names it');
  return addSettings(command, ['modelFolder'])
    .addHelpText('after', formatExamples(['inward model remove Llama-3.1-8B-Instruct']))
    .action((name: string, flags: Flags) => {
      remove(findShelf(readSettings(flags, world), world), demandName(name));
      world.out.write(`The model ${name} is removed.\n`);
      onExit(0);
    });
}

function remove(shelf: string, name: string): void {
  const draft = draftOf(shelf, name);
  if (!isImported(shelf, name) && !existsSync(draft)) {
    const { models, drafts } = listNames(shelf);
    const found = [...models, ...drafts].join(', ') || 'none';
    throw new SiteError(`There is no imported model ${name} in ${shelf}: expected one of those there, found ${found}; name one of them.`);
  }
  using _ = holdLock(lockOf(shelf, name), name);
  rmSync(draft, { recursive: true, force: true });
  if (!isImported(shelf, name)) return;
  // What is half removed must not be taken for a model.
  renameSync(join(shelf, name), draft);
  rmSync(draft, { recursive: true });
}

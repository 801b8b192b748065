/**
 * Owns `inward store backup`.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { backupStore } from '../../privacy/store/backup.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSiteOptions, locateSite, openSite } from '../site.ts';
import { describeCounts } from './counts.ts';

export function createStoreBackupCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('backup')
    .description('Write a backup, also while servers run. It holds hashes of secrets, no secret and nothing of any request.')
    .argument('<file>', 'the backup, which must not be there yet');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward store backup inward-2026-11-25.sqlite']))
    .action(async (file: string, flags: Flags) => onExit(await runBackup(file, flags, world)));
}

async function runBackup(file: string, flags: Flags, world: World): Promise<number> {
  await using _ = await openSite(flags, world, 'store.write');
  const target = resolve(world.folder, file);
  const counts = await backupStore(locateSite(flags, world).path, target);
  world.out.write(`The backup ${target} is whole: ${describeCounts(counts)}.\n`);
  return 0;
}

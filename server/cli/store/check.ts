/**
 * Owns `inward store check`: pages, tables, rows and digest of the store, which every opening checks. Refuses to repair: a damaged
 * store is restored from a backup.
 */
import { Command } from 'commander';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { describeCounts } from './counts.ts';

export function createStoreCheckCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('check').description('Say whether the store is whole: pages, tables, rows and digest. Exit code 1 if it is not.');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward store check']))
    .action(async (flags: Flags) => {
      await using site = await openSite(flags, world, 'store.write');
      const { keys, people, tenants, agreements, manifest } = site.snapshot;
      const counts = {
        keys: keys.length,
        people: people.length,
        tenants: tenants.length,
        agreements: agreements.length,
        manifests: manifest === undefined ? 0 : 1,
      };
      world.out.write(`The store is whole: ${describeCounts(counts)}.\n`);
      onExit(0);
    });
}

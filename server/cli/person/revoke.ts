/**
 * Owns `inward person revoke`. Refuses to leave a site without an admin or without somebody for its agreements.
 */
import { Command } from 'commander';
import { checkLeaving } from '../../privacy/people.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { type Flags, parser } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { personId } from '../values.ts';

export function createPersonRevokeCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('revoke')
    .description('Revoke a person at once. What the person made stays: keys have their own `inward key revoke`.')
    .argument('<id>', 'id of the person, as `inward person list` shows it', parser(personId));
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward person revoke m.jones']))
    .action(async (id: string, flags: Flags) => onExit(await runRevoke(id, flags, world)));
}

async function runRevoke(id: string, flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'person.write');
  checkLeaving(id, site.snapshot.people);
  await site.store.revokePerson(id, site.person, Date.now(), site.snapshot.version);
  world.out.write(`${id} is revoked.\n`);
  return 0;
}

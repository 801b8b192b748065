/**
 * Owns `inward person renew`: another identity file for the same person, when the old one was lost or seen by others. Refuses
 * people whose time is over, those who have none, and an admin who would get hold of the identity of a compliance person.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { SiteError } from '../../privacy/errors.ts';
import type { Person } from '../../privacy/grants.ts';
import { createSecret } from '../../privacy/keys.ts';
import { isExpired, isGone, permissionFor } from '../../privacy/people.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { type Flags, parser } from '../options.ts';
import { addSiteOptions, openSite, withSecretFiles } from '../site.ts';
import { personId } from '../values.ts';
import { describeIdentity } from './add.ts';

interface RenewFlags extends Flags {
  readonly out?: string;
}

export function createPersonRenewCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('renew')
    .description('Make a new identity file for a person; the old one counts no more.')
    .argument('<id>', 'id of the person, as `inward person list` shows it', parser(personId))
    .option('--out <file>', 'the new identity file, which must not be there yet (default: ID.identity in the current folder)');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward person renew m.jones --out m.jones.identity']))
    .action(async (id: string, flags: RenewFlags) => onExit(await runRenew(id, flags, world)));
}

async function runRenew(id: string, flags: RenewFlags, world: World): Promise<number> {
  await using site = await openSite(flags, world, ({ people }) => permissionFor(people.find((person) => person.id === id)?.roles ?? []));
  checkRenewable(id, site.snapshot.people, Date.now());
  const { text, credential } = createSecret('person');
  const path = resolve(world.folder, flags.out ?? `${id}.identity`);
  await withSecretFiles([{ path, text }], () => site.store.setPersonCredential(id, credential, site.person, Date.now()));
  world.out.write(`The old identity of ${id} counts no more.\n${describeIdentity(id, path)}`);
  return 0;
}

function checkRenewable(id: string, people: readonly Person[], now: number): void {
  const person = people.find((candidate) => candidate.id === id);
  if (person === undefined) throw new SiteError(`There is no person ${id}; inward person list shows those of this site.`);
  const isOver = isGone(person) || isExpired(person, now);
  if (isOver) throw new SiteError(`The time of ${id} is over; add the person anew under another id (inward person add).`);
  if (person.credential.type !== 'secret')
    throw new SiteError(`${id} is known by a ${person.credential.type} and has no identity file; there is none to renew.`);
}

/**
 * Owns `inward person add`. Roles are given once: whoever gets other ones is added under another id, so that what was done under
 * an id keeps saying with which roles. Refuses roles that nobody has together, and a compliance person whom an admin adds.
 */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Person } from '../../privacy/grants.ts';
import { createSecret } from '../../privacy/keys.ts';
import { checkRoles, checkUnused, permissionFor } from '../../privacy/people.ts';
import { type Role, roles } from '../../privacy/words.ts';
import type { World } from '../../world.ts';
import { addCredentialOptions, type CredentialFlags, readCredential } from '../credentials.ts';
import { formatExamples } from '../group.ts';
import { type Flags, parser } from '../options.ts';
import { addSiteOptions, openSite, readTime, withSecretFiles } from '../site.ts';
import { end, formatTime, listOf, personId } from '../values.ts';

/** Ten years, in days. */
const longestDays = 3650;

interface AddFlags extends Flags, CredentialFlags {
  readonly roles: readonly Role[];
  readonly expires?: number;
}

export function createPersonAddCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('add')
    .description('Add a person. Writes an identity file for the commands of Inward, unless the person is known by a token or a certificate.')
    .argument('<id>', 'pseudonymous id of staff, as m.jones; never used twice', parser(personId))
    .addOption(new Option('--roles <list>', `what the person may do, of ${roles.join(', ')}`).argParser(parser(listOf(roles))).makeOptionMandatory())
    .addOption(
      new Option('--expires <end>', 'how long, as 90d, or until when, as 2027-01-31 (default: until revoked)').argParser((text) =>
        parser(end(Date.now(), longestDays))(text),
      ),
    )
    .option('--out <file>', 'the identity file, which must not be there yet (default: ID.identity in the current folder)');
  addCredentialOptions(command, 'and gets no identity file');
  return addSiteOptions(command)
    .addHelpText(
      'after',
      formatExamples([
        'inward person add m.jones --roles operator',
        'inward person add r.chen --roles auditor --expires 90d --out r.chen.identity',
        'inward person add k.lee --roles viewer --token-issuer https://id.example.org --token-subject k.lee',
      ]),
    )
    .action(async (id: string, flags: AddFlags) => onExit(await runAdd(id, flags, world)));
}

async function runAdd(id: string, flags: AddFlags, world: World): Promise<number> {
  const { roles, expires } = flags;
  checkRoles(roles);
  const given = readCredential(flags, world);
  await using site = await openSite(flags, world, permissionFor(roles));
  if (given !== undefined) checkUnused(given, site.snapshot);
  const { text, credential } = createSecret('person');
  const person: Person = {
    id,
    roles,
    credential: given ?? credential,
    createdAt: readTime(site.snapshot),
    createdBy: site.person,
    ...(expires === undefined ? {} : { expiresAt: expires }),
  };
  const path = resolve(world.folder, flags.out ?? `${id}.identity`);
  await withSecretFiles(given === undefined ? [{ path, text }] : [], () => site.store.addPerson(person, site.snapshot.version));
  world.out.write(
    `${id} is added with the ${roles.length === 1 ? 'role' : 'roles'} ${roles.join(', ')}${expires === undefined ? '' : `, until ${formatTime(expires)}`}.\n`,
  );
  world.out.write(given === undefined ? describeIdentity(id, path) : `${id} is known by the ${given.type}; there is no identity file.\n`);
  return 0;
}

/** What is to be done with a new identity file. */
export function describeIdentity(id: string, path: string): string {
  return `The identity of ${id} is in ${path}. Whoever has this file can act as ${id}: hand it over in person or over a safe way, and keep no copy.\n`;
}

/**
 * Owns `inward site init`: the store, the policy, the first admin and the first compliance person, the tenant `main`. Refuses a
 * site that is set up already, one person for both roles, and PHI beside an evaluation.
 */
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { SiteError } from '../../privacy/errors.ts';
import { createSecret, type NewSecret } from '../../privacy/keys.ts';
import { openStore } from '../../privacy/store/sqlite.ts';
import type { Snapshot } from '../../privacy/store.ts';
import type { World } from '../../world.ts';
import { readTrustedFile } from '../agreement/keys.ts';
import { formatExamples } from '../group.ts';
import { type Flags, parser, UsageError } from '../options.ts';
import { describeIdentity } from '../person/add.ts';
import { addFolderOption, locateSite, readTime, withSecretFiles } from '../site.ts';
import { code, personId, region } from '../values.ts';

/** Who did what nobody could be known for yet. */
const author = 'setup';

interface InitFlags extends Flags {
  readonly name: string;
  readonly region: string;
  readonly admin: string;
  readonly compliance: string;
  readonly trust?: string;
  readonly twoPerson?: true;
  readonly endEvaluation?: true;
}

export function createSiteInitCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('init')
    .description('Set a site up: store, policy, the tenant main, and two identity files, one for who administers and one for who agrees.')
    .addOption(new Option('--name <code>', 'code of the site, as st-marys').argParser(parser(code)).makeOptionMandatory())
    .addOption(
      new Option('--region <region>', 'where it stands, as us-east; agreements and manifests must name it').argParser(parser(region)).makeOptionMandatory(),
    )
    .addOption(new Option('--admin <id>', 'id of the first admin, who gives access').argParser(parser(personId)).makeOptionMandatory())
    .addOption(
      new Option('--compliance <id>', 'id of the first compliance person, who adds agreements; not the admin')
        .argParser(parser(personId))
        .makeOptionMandatory(),
    )
    .option('--trust <file>', 'public compliance key (PEM) whose signatures count from the start')
    .option('--two-person', 'agreements and manifests need the signatures of two different keys')
    .option('--end-evaluation', 'revoke the synthetic agreement and the keys of an evaluation that is in the folder');
  return addFolderOption(command)
    .addHelpText(
      'after',
      formatExamples([
        'inward site init --name st-marys --region us-east --admin a.smith --compliance c.jones --trust compliance.pem.pub',
        'inward site init --name st-marys --region us-east --admin a.smith --compliance c.jones --two-person --end-evaluation',
      ]),
    )
    .action(async (flags: InitFlags) => onExit(await runInit(flags, world)));
}

async function runInit(flags: InitFlags, world: World): Promise<number> {
  const { name, region, admin, compliance, twoPerson } = flags;
  if (admin === compliance) throw new UsageError(`${admin} cannot be admin and compliance at once: name two people.`);
  const trusted = flags.trust === undefined ? undefined : readTrustedFile(resolve(world.folder, flags.trust));
  const { folder, path } = locateSite(flags, world);
  await using store = await openStore(path, { create: true });
  const snapshot = await store.load();
  checkNew(snapshot, folder, path);
  const now = readTime(snapshot);
  const evaluation = findEvaluation(snapshot, flags.endEvaluation ?? false);
  const people = [
    { id: admin, role: 'admin', path: join(folder, `${admin}.identity`), ...createIdentity() },
    { id: compliance, role: 'compliance', path: join(folder, `${compliance}.identity`), ...createIdentity() },
  ] as const;
  await withSecretFiles(people, async () => {
    for (const id of evaluation.agreements) await store.revokeAgreement(id, author, now);
    for (const id of evaluation.keys) await store.revokeKey(id, author, now);
    for (const { id, role, credential } of people) await store.addPerson({ id, roles: [role], credential, createdAt: now, createdBy: author });
    if (!snapshot.tenants.some(({ code }) => code === 'main')) await store.addTenant({ code: 'main' }, author, now);
    // It counts as the one of whoever agrees: where two must sign, the other key is for somebody else to trust.
    if (trusted !== undefined) await store.addTrustedKey({ ...trusted, addedAt: now, addedBy: compliance });
    // The last step makes it a site.
    await store.setPolicy({ site: name, region, signatures: twoPerson ? 2 : 1 }, author, now);
  });
  world.out.write(`The site ${name} in region ${region} is set up in ${folder}.\n`);
  for (const { id, path: file } of people) world.out.write(describeIdentity(id, file));
  world.out.write('Nothing is served yet: next are an agreement and a manifest (inward agreement, inward manifest), then keys (inward key create).\n');
  return 0;
}

function createIdentity(): Pick<NewSecret, 'text' | 'credential'> {
  const { text, credential } = createSecret('person');
  return { text, credential };
}

function checkNew({ policy, people }: Snapshot, folder: string, path: string): void {
  if (policy !== undefined) throw new SiteError(`${folder} is set up already, as ${policy.site} in ${policy.region}: name another folder with --site.`);
  if (people.length > 0)
    throw new SiteError(`A set-up in ${folder} was cut off: move ${path} away, and the identity files beside it, and set the site up anew.`);
}

/** Ids of what a first look has left: synthetic agreements, and keys for synthetic data. Throws SiteError where they are not to be ended. */
function findEvaluation({ agreements, keys }: Snapshot, isEnded: boolean): { readonly agreements: readonly string[]; readonly keys: readonly string[] } {
  const standing = agreements.filter(({ revokedAt }) => revokedAt === undefined);
  const open = keys.filter(({ revokedAt }) => revokedAt === undefined);
  if (standing.length + open.length > 0 && !isEnded) {
    throw new SiteError(
      'This folder holds an evaluation, which cannot go on beside PHI: add --end-evaluation to revoke its agreement and keys, or name another folder with --site.',
    );
  }
  return { agreements: standing.map(({ envelope }) => String(envelope.record['id'])), keys: open.map(({ id }) => id) };
}

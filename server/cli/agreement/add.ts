/**
 * Owns `inward agreement add` and `revoke`: what lets a site serve, and what ends that. Refuses a record that breaks a rule
 * of the site, and to revoke without a word of consent.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { checkAddition } from '../../privacy/addition.ts';
import { beginOf, readAgreement } from '../../privacy/agreement.ts';
import { envelopeLimit, readEnvelope } from '../../privacy/envelope.ts';
import { SiteError } from '../../privacy/errors.ts';
import { readSmallFile } from '../../privacy/files.ts';
import { daysLeft, listTerms } from '../../privacy/term.ts';
import { forms } from '../../privacy/words.ts';
import type { World } from '../../world.ts';
import { canAsk, openAsker } from '../ask.ts';
import { type Flags, UsageError } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { describeTerm } from './words.ts';

export function createAddCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('add').description('Add a signed agreement to the site, after checking it.').argument('<file>', 'the signed record');
  return addSiteOptions(command)
    .addHelpText('after', '\nExamples:\n  inward agreement add agreement.json')
    .action(async (file: string, flags: Flags) => onExit(await runAdd(file, flags, world)));
}

async function runAdd(file: string, flags: Flags, world: World): Promise<number> {
  const path = resolve(world.folder, file);
  const envelope = readEnvelope(readSmallFile(path, envelopeLimit), `The file ${path}`);
  const agreement = readAgreement(envelope);
  await using site = await openSite(flags, world, 'agreement.write');
  const snapshot = await site.store.load();
  // A clock that is behind must not make an agreement younger.
  const now = Math.max(Date.now(), snapshot.clock);
  checkAddition(agreement, envelope, snapshot, now);
  await site.store.addRecord({ envelope, addedAt: now, addedBy: site.person }, snapshot.version);
  world.out.write(`The agreement ${agreement.id} is added: in force ${describeTerm(agreement)}.\n`);
  const ended = listTerms((await site.store.load()).agreements).find(({ agreement: { id } }) => id === agreement.supersedes);
  if (ended !== undefined) world.out.write(`It takes the place of ${ended.agreement.id}, which ends at ${new Date(ended.end).toISOString()}.\n`);
  const days = daysLeft(agreement, now);
  world.out.write(beginOf(agreement) > now ? 'It has not begun yet.\n' : `It ends in ${days} ${days === 1 ? 'day' : 'days'}.\n`);
  return 0;
}

export function createRevokeCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('revoke')
    .description('End an agreement at once and for good: answers that run under it stop, and new requests are refused.')
    .argument('<id>', 'id of the agreement')
    .option('--yes', 'revoke without asking');
  return addSiteOptions(command)
    .addHelpText('after', '\nExamples:\n  inward agreement revoke agr-3f8a1c0d9b72')
    .action(async (id: string, flags: Flags) => onExit(await runRevoke(id, flags, world)));
}

async function runRevoke(id: string, flags: Flags, world: World): Promise<number> {
  if (!forms.agreementId.test(id))
    throw new UsageError('That is no id of an agreement: expected agr- and 8 to 32 small letters or digits (inward agreement show).');
  await using site = await openSite(flags, world, 'agreement.write');
  const { agreements, clock } = await site.store.load();
  const term = listTerms(agreements).find(({ agreement }) => agreement.id === id);
  if (term === undefined) throw new SiteError(`There is no agreement ${id} on this site (inward agreement show).`);
  if (term.stored.revokedAt !== undefined) throw new SiteError(`The agreement ${id} was revoked already, by ${term.stored.revokedBy ?? 'nobody known'}.`);
  await confirmRevocation(id, flags, world);
  // By a clock that is behind, one that has begun would be revoked before it began, and the one whose place it took would come back.
  await site.store.revokeAgreement(id, site.person, Math.max(Date.now(), clock));
  world.out.write(`The agreement ${id} is revoked. Answers that ran under it stop now, and new requests are refused.\n`);
  return 0;
}

async function confirmRevocation(id: string, flags: Flags, world: World): Promise<void> {
  if (flags['yes'] === true) return;
  if (!canAsk(world)) throw new UsageError('Without a terminal to ask on, this needs --yes.');
  world.out.write(`Revoking ${id} cannot be undone. Answers that run under it stop at once, and new requests are refused.\n`);
  using asker = openAsker(world);
  if (!(await asker.confirm('Revoke it?'))) throw new SiteError(`The agreement ${id} was not revoked: that was not confirmed.`);
}

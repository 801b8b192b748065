/**
 * Owns `inward store reset-clock`, for after the system's clock stood ahead in error: servers refuse every request until it
 * would be so late. Refuses to let a revocation of that time wait for its day to come.
 */
import { Command } from 'commander';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSiteOptions, openSite, type Site } from '../site.ts';
import { formatTime } from '../values.ts';

export function createStoreClockCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('reset-clock').description(
    "Take the system's clock for right, where servers refuse everything because it has been ahead in error.",
  );
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward store reset-clock']))
    .action(async (flags: Flags) => onExit(await runReset(flags, world)));
}

async function runReset(flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'store.write');
  const now = Date.now();
  const { clock, keys } = site.snapshot;
  if (clock <= now) {
    world.out.write(`The latest time of the site, ${formatTime(clock)}, is not ahead of this machine's clock: nothing is changed.\n`);
    return 0;
  }
  // The clock last: as long as it is ahead, a command that was cut off can be given again.
  const moved = await revokeAtOnce(site, now);
  await site.store.resetClock(site.person, now);
  world.out.write(`The latest time of the site was ${formatTime(clock)} and is ${formatTime(now)} now.\n`);
  if (moved > 0) world.out.write(`${moved} revocations lay ahead of that time and count from now on.\n`);
  const early = keys.filter(({ createdAt, revokedAt }) => createdAt > now && revokedAt === undefined).map(({ id }) => id);
  if (early.length > 0)
    world.out.write(`Made at a time that is still to come, and so with an end that is too late: ${early.join(', ')}. Rotate or revoke them.\n`);
  return 0;
}

/** How many revocations with a time that was wrong count from now on. */
async function revokeAtOnce({ store, snapshot, person }: Site, now: number): Promise<number> {
  const isAhead = ({ revokedAt }: { readonly revokedAt?: number | undefined }): boolean => revokedAt !== undefined && revokedAt > now;
  // The old key of a rotation is meant to be taken for some time more.
  const isRotating = (id: string): boolean => snapshot.keys.some(({ replaces, createdAt }) => replaces === id && createdAt <= now);
  const keys = snapshot.keys.filter((key) => isAhead(key) && !isRotating(key.id));
  const people = snapshot.people.filter(isAhead);
  const agreements = snapshot.agreements.filter(isAhead);
  for (const { id } of keys) await store.revokeKey(id, person, now);
  for (const { id } of people) await store.revokePerson(id, person, now);
  for (const { envelope } of agreements) await store.revokeAgreement(String(envelope.record['id']), person, now);
  return keys.length + people.length + agreements.length;
}

/**
 * Owns `inward store restore`. The person is known by the present store; where that is lost, damaged or was never set up, by the
 * backup. Refuses both to anybody who is no admin there.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { type RestoreResult, restoreStore } from '../../privacy/store/backup.ts';
import { DamagedError } from '../../privacy/store/errors.ts';
import { checkFile } from '../../privacy/store/files.ts';
import { openStore } from '../../privacy/store/sqlite.ts';
import type { Snapshot } from '../../privacy/store.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSiteOptions, authorize, locateSite, readIdentity } from '../site.ts';
import { describeCounts } from './counts.ts';

export function createStoreRestoreCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('restore')
    .description('Restore a backup, also while servers run. What has been revoked since stays revoked, and the store as it was is kept beside.')
    .argument('<file>', 'the backup')
    .option('--replace-damaged', 'also where the present store is damaged, so that nobody knows what was revoked since');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward store restore inward-2026-11-25.sqlite', 'inward store restore inward-2026-11-25.sqlite --replace-damaged']))
    .action(async (file: string, flags: Flags) => onExit(await runRestore(file, flags, world)));
}

async function runRestore(file: string, flags: Flags, world: World): Promise<number> {
  const { path } = locateSite(flags, world);
  const source = resolve(world.folder, file);
  const secret = readIdentity(flags, world);
  const present = await loadPresent(path);
  const findPerson = (snapshot: Snapshot): string => authorize(secret, snapshot, 'store.write').id;
  const by = present === undefined ? findPerson : findPerson(present);
  const result = await restoreStore(source, path, { by, at: Date.now(), replaceDamaged: flags['replaceDamaged'] === true });
  world.out.write(describeResult(result, source));
  return 0;
}

/** Undefined where nobody can be known. */
async function loadPresent(path: string): Promise<Snapshot | undefined> {
  if (!checkFile(path)) return undefined;
  try {
    await using store = await openStore(path, { create: true });
    const snapshot = await store.load();
    return snapshot.policy === undefined ? undefined : snapshot;
  } catch (error) {
    if (error instanceof DamagedError) return undefined;
    throw error;
  }
}

function describeResult(result: RestoreResult, source: string): string {
  const { isMerged, revokedSince, closed, leftOut, keptAs } = result;
  const lines = [`${source} is restored: ${describeCounts(result)}.`];
  if (keptAs !== undefined) lines.push(`The store as it was is kept as ${keptAs}.`);
  if (isMerged) {
    if (revokedSince > 0) lines.push(`${revokedSince} of them have been revoked since the backup and stay revoked.`);
    if (closed.keys + closed.people > 0) lines.push(`Made since the backup and revoked now: ${describeCounts(closed)}.`);
    if (leftOut > 0) lines.push(`Not taken from the backup, since only compliance can add it here: ${leftOut} of agreements, manifests, keys or people.`);
  } else lines.push('Nothing is known of what was revoked after the backup: revoke it again (inward review lists all that is granted).');
  return `${lines.join('\n')}\n`;
}

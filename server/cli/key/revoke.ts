/**
 * Owns `inward key revoke`: a key that is taken no more from this moment on.
 */
import { Command } from 'commander';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { type Flags, parser } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { keyId } from '../values.ts';

export function createKeyRevokeCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('revoke')
    .description('Revoke a key at once: it is refused from the next request on, and answers that run with it are cut.')
    .argument('<id>', 'id of the key, as `inward key list` shows it', parser(keyId));
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward key revoke 3f8k2m9x1c']))
    .action(async (id: string, flags: Flags) => onExit(await runRevoke(id, flags, world)));
}

async function runRevoke(id: string, flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'key.revoke');
  const now = Date.now();
  await site.store.revokeKey(id, site.person, now);
  // So that a clock that was put back, also one that had been ahead, cannot make the key good again.
  await site.store.keepClock(now);
  world.out.write(`The key ${id} is revoked.\n`);
  return 0;
}

/**
 * Owns `inward key rotate`: a new secret for the same work. Refuses keys without a secret of ours, and those that are over.
 */
import { Command, Option } from 'commander';
import { SiteError } from '../../privacy/errors.ts';
import type { AccessKey } from '../../privacy/grants.ts';
import { judgeKey } from '../../privacy/states.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { parser } from '../options.ts';
import { addSiteOptions, openSite, readTime } from '../site.ts';
import { dayMs, formatTime, keyId, span } from '../values.ts';
import { type DeliveryFlags, deliverKey, deliveryOptions, issueKey, longestDays } from './common.ts';

/** Days that the old secret may be taken beside the new one, at most. */
const longestOverlapDays = 30;

interface RotateFlags extends DeliveryFlags {
  readonly overlap: number;
}

export function createKeyRotateCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('rotate')
    .description('Make a new key with the scopes of an old one, which is taken for some time more. A secret that leaked wants `inward key revoke`.')
    .argument('<id>', 'id of the old key, as `inward key list` shows it', parser(keyId))
    .addOption(
      new Option('--overlap <time>', `how long the old one is taken beside the new one, as 24h; 0m: not at all; at most ${longestOverlapDays} days`)
        .argParser(parser(span(longestOverlapDays)))
        .default(dayMs, '24h'),
    );
  for (const option of deliveryOptions('default: as long as the old one was given')) command.addOption(option);
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward key rotate 3f8k2m9x1c', 'inward key rotate 3f8k2m9x1c --overlap 7d --out scribe.key']))
    .action(async (id: string, flags: RotateFlags) => onExit(await runRotate(id, flags, world)));
}

async function runRotate(id: string, flags: RotateFlags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'key.write');
  const now = readTime(site.snapshot);
  const { label, tenant, data, scopes, createdAt, expiresAt } = findRotatable(site.snapshot.keys, id, now);
  const life = Math.min(expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - createdAt, longestDays * dayMs);
  const issued = issueKey({ label, tenant, data, scopes, isSealed: false, replaces: id, expiresAt: flags.expires ?? now + life }, site, now);
  const oldEnd = now + flags.overlap;
  const replace = async (): Promise<void> => {
    await site.store.replaceKey(issued.key, site.person, oldEnd);
    // As in `key revoke`: the overlap is counted from a time that the site has seen.
    await site.store.keepClock(now);
  };
  await deliverKey(issued, flags, 'Hand it to its holder over a safe way.', replace, world);
  if (!flags.json)
    world.err.write(`The old key ${id} ${flags.overlap === 0 ? 'is revoked' : `is taken until ${formatTime(Math.min(oldEnd, expiresAt ?? oldEnd))}`}.\n`);
  return 0;
}

function findRotatable(keys: readonly AccessKey[], id: string, now: number): AccessKey {
  const key = keys.find((candidate) => candidate.id === id);
  if (key === undefined) throw new SiteError(`There is no key ${id}; inward key list shows those of this site.`);
  if (key.isSealed) throw new SiteError(`The key ${id} is a break-glass key: seal a new one (inward key seal), and revoke this one.`);
  if (key.credential.type !== 'secret')
    throw new SiteError(`The holder of ${id} is known by a ${key.credential.type}, so that there is no secret to rotate: make a new key for a new one.`);
  const state = judgeKey(key, now);
  if (state === 'valid') return key;
  throw new SiteError(`The key ${id} is ${state === 'ending' ? 'being rotated already' : state}; make a new one (inward key create).`);
}

/**
 * Owns `inward key seal`: a break-glass key, for when nothing else works and a patient cannot wait.
 */
import { Command } from 'commander';
import { purposes } from '../../privacy/words.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { addSiteOptions, openSite, readTime } from '../site.ts';
import { dayMs } from '../values.ts';
import { deliverKey, issueKey, type KeyFlags, keyOptions, longestDays } from './common.ts';

const advice = `It is a break-glass key: print it, put it into an envelope, seal and sign that, and keep it where two people have to fetch it.
Only its models and routes bind it, no purpose, network, hour or quota. Each use is told on the server's terminal, in its log, its metrics
and the header of the answer, and shows in every access review. It is taken for 4 hours after its first use, then never again: seal a new one.`;

export function createKeySealCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('seal').description(
    'Make a break-glass key for emergencies: bound by models and routes only, loud, over 4 hours after its first use.',
  );
  for (const option of keyOptions()) command.addOption(option);
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward key seal --label emergency', 'inward key seal --label emergency --routes chat --expires 180d']))
    .action(async (flags: KeyFlags) => onExit(await runSeal(flags, world)));
}

async function runSeal(flags: KeyFlags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'key.write');
  const now = readTime(site.snapshot);
  const { label, tenant, models = [], routes, expires } = flags;
  // The form of a key wants purposes; an emergency has its own.
  const scopes = {
    models,
    routes,
    purposes: purposes.filter((purpose) => purpose !== 'evaluation'),
    networks: [],
    priority: 'interactive',
    shape: 'paced',
  } as const;
  const issued = issueKey({ label, tenant, data: 'phi', scopes, isSealed: true, expiresAt: expires ?? now + longestDays * dayMs }, site, now);
  await deliverKey(issued, flags, advice, () => site.store.addKey(issued.key, site.snapshot.version), world);
  return 0;
}

/**
 * Owns `inward key list`: every key with its scopes. Refuses to show salts and hashes.
 */
import { Command } from 'commander';
import { describeKey, type KeyEntry } from '../../privacy/review.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { createStyle } from '../style.ts';
import { formatTable } from '../table.ts';
import { formatTime } from '../values.ts';

export function createKeyListCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('list')
    .description('Show every key: what it may do, until when, and in which state it is.')
    .option('--json', 'print the keys as JSON');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward key list', 'inward key list --json']))
    .action(async (flags: Flags) => onExit(await runList(flags, world)));
}

async function runList(flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'key.read');
  const now = Date.now();
  const keys = site.snapshot.keys.map((key) => describeKey(key, now));
  if (flags['json'] === true) {
    world.out.write(`${JSON.stringify(keys, undefined, 2)}\n`);
    return 0;
  }
  const rows = keys.map((key) => {
    const { id, label, tenant, data, state, expiresAt, createdBy } = key;
    return [id, label, tenant, data, describePurposes(key), formatTime(expiresAt), state, createdBy, describeScopes(key)];
  });
  const headings = ['id', 'label', 'tenant', 'data', 'purposes', 'ends', 'state', 'made by', 'scopes'];
  world.out.write(rows.length === 0 ? 'There are no keys yet (inward key create).\n' : formatTable(headings, rows, createStyle(world.out, world.environment)));
  return 0;
}

/** What a break-glass key is for does not depend on its scopes. */
export function describePurposes({ scopes, isSealed }: Pick<KeyEntry, 'scopes' | 'isSealed'>): string {
  return isSealed ? 'emergency' : scopes.purposes.join(',');
}

/** `chat,models; from 10.1.0.0/16; 1000 tokens/day; batch`. */
export function describeScopes({ scopes, isSealed, knownBy }: Pick<KeyEntry, 'scopes' | 'isSealed' | 'knownBy'>): string {
  const { routes, models, networks, hours, tokensPerMinute, tokensPerDay, priority, region, shape, deid } = scopes;
  const parts = [
    ...(isSealed ? ['break-glass'] : []),
    ...(knownBy === 'secret' ? [] : [`by ${knownBy}`]),
    routes.join(','),
    ...(models.length > 0 ? [models.join(',')] : []),
    ...(networks.length > 0 ? [`from ${networks.join(',')}`] : []),
    ...(hours === undefined ? [] : [hours]),
    ...(tokensPerMinute === undefined ? [] : [`${tokensPerMinute} tokens/minute`]),
    ...(tokensPerDay === undefined ? [] : [`${tokensPerDay} tokens/day`]),
    ...(priority === 'batch' ? ['batch'] : []),
    ...(region === undefined ? [] : [`in ${region}`]),
    ...(shape === 'paced' ? [shape] : []),
    ...Object.entries(deid ?? {}).map(([purpose, mode]) => `${purpose}: ${mode}`),
  ];
  return parts.join('; ');
}

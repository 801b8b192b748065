/**
 * Owns `inward site show`: in short what the site keeps to, and in which state agreements, manifest, keys and people are.
 */
import { Command } from 'commander';
import type { Agreement } from '../../privacy/agreement.ts';
import { isExpired, isGone } from '../../privacy/people.ts';
import { isLive } from '../../privacy/states.ts';
import type { Snapshot } from '../../privacy/store.ts';
import { type AgreementState, listTerms, stateOf } from '../../privacy/term.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSiteOptions, locateSite, openSite } from '../site.ts';
import { createStyle, type Style } from '../style.ts';
import { formatTime } from '../values.ts';

export function createSiteShowCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('show').description('Show policy, agreements, manifest and counts of the site in short.').option('--json', 'print them as JSON');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward site show', 'inward site show --json']))
    .action(async (flags: Flags) => onExit(await runShow(flags, world)));
}

async function runShow(flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'status.read');
  const { folder } = locateSite(flags, world);
  const summary = summarize(site.snapshot, folder, Date.now());
  world.out.write(flags['json'] === true ? `${JSON.stringify(summary, undefined, 2)}\n` : formatSummary(summary, createStyle(world.out, world.environment)));
  return 0;
}

interface AgreementSummary extends Pick<Agreement, 'id' | 'kind' | 'effective'> {
  /** ISO 8601; where another one supersedes it, when that begins. */
  readonly end: string;
  readonly state: AgreementState;
}

interface SiteSummary extends NonNullable<Snapshot['policy']> {
  readonly folder: string;
  readonly trustedKeys: number;
  readonly agreements: readonly AgreementSummary[];
  readonly manifest: { readonly id: string; readonly agreement: string } | null;
  /** Those that are in force. */
  readonly keys: number;
  readonly people: number;
  readonly tenants: number;
}

function summarize({ policy, trustedKeys, agreements, manifest, keys, people, tenants }: Snapshot, folder: string, now: number): SiteSummary {
  return {
    // Nobody gets here without a policy.
    ...(policy ?? { site: '', region: '', signatures: 1 }),
    folder,
    trustedKeys: trustedKeys.length,
    agreements: listTerms(agreements).map(({ agreement, stored, end }) => {
      const { id, kind, effective } = agreement;
      return { id, kind, effective, end: new Date(end).toISOString(), state: stateOf(agreement, stored, now, end) };
    }),
    manifest: manifest === undefined ? null : { id: String(manifest.envelope.record['id']), agreement: String(manifest.envelope.record['agreement']) },
    keys: keys.filter((key) => isLive(key, now)).length,
    people: people.filter((person) => !isGone(person) && !isExpired(person, now)).length,
    tenants: tenants.length,
  };
}

function formatSummary(summary: SiteSummary, style: Style): string {
  const { site, region, signatures, folder, trustedKeys, agreements, manifest, keys, people, tenants } = summary;
  const paint = { 'in-force': style.good, 'not-begun': style.warn, superseded: style.dim, expired: style.bad, revoked: style.dim };
  const rows: readonly (readonly [string, string])[] = [
    ['site', site],
    ['region', region],
    ['folder', folder],
    ['signatures', signatures === 2 ? 'two different keys sign an agreement or a manifest' : 'one key signs an agreement or a manifest'],
    ['trusted keys', String(trustedKeys)],
    ...agreements.map(({ id, kind, effective, end, state }): [string, string] => [
      'agreement',
      `${id} ${kind}, from ${formatTime(effective)} to ${formatTime(end)}: ${paint[state](state)}`,
    ]),
    ...(agreements.length === 0 ? [['agreement', style.warn('none: nothing is served')] as const] : []),
    ['manifest', manifest === null ? style.warn('none') : `${manifest.id}, for ${manifest.agreement}`],
    ['in force', `${count(keys, 'key', 'keys')}, ${count(people, 'person', 'people')}, ${count(tenants, 'tenant', 'tenants')}`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}\n`).join('');
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

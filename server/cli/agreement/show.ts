/**
 * Owns `inward agreement show`: every agreement of a site, how it stands, and a warning before one ends.
 */
import { Command } from 'commander';
import { endOf } from '../../privacy/agreement.ts';
import { hashRecord } from '../../privacy/envelope.ts';
import { SiteError } from '../../privacy/errors.ts';
import { type AgreementState, daysLeft, findWarning, listTerms, stateOf, type Term } from '../../privacy/term.ts';
import type { World } from '../../world.ts';
import type { Flags } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { createStyle, type Style } from '../style.ts';
import { describeAgreement, formatPairs } from './words.ts';

export function createShowCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('show')
    .description('Show the agreements of the site and how they stand.')
    .argument('[id]', 'only this one')
    .option('--json', 'print them as JSON');
  return addSiteOptions(command)
    .addHelpText('after', '\nExamples:\n  inward agreement show\n  inward agreement show agr-3f8a1c0d9b72 --json')
    .action(async (id: string | undefined, flags: Flags) => onExit(await runShow(id, flags, world)));
}

async function runShow(id: string | undefined, flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'agreement.read');
  const snapshot = await site.store.load();
  const now = Math.max(Date.now(), snapshot.clock);
  const terms = listTerms(snapshot.agreements).filter(({ agreement }) => id === undefined || agreement.id === id);
  if (id !== undefined && terms.length === 0) throw new SiteError('There is no agreement of that id on this site (inward agreement show).');
  if (flags['json'] === true) {
    const found = terms.map((term) => toJson(term, now));
    world.out.write(`${JSON.stringify(found, undefined, 2)}\n`);
    return 0;
  }
  if (terms.length === 0) world.out.write('There is no agreement on this site: nothing is served. Make one: inward agreement new\n');
  const style = createStyle(world.out, world.environment);
  for (const term of terms) world.out.write(`${formatTerm(term, now, style)}\n`);
  return 0;
}

function toJson(term: Term, now: number): Record<string, unknown> {
  const { agreement, stored, end } = term;
  const state = stateOf(agreement, stored, now, end);
  return {
    id: agreement.id,
    state,
    daysLeft: state === 'in-force' ? daysLeft(agreement, now, end) : null,
    warning: state === 'in-force' ? (dueWarning(term, now) ?? null) : null,
    end: new Date(end).toISOString(),
    agreement,
    sha256: hashRecord(stored.envelope),
    signedBy: stored.envelope.signatures.map(({ key }) => key),
    addedBy: stored.addedBy,
    addedAt: new Date(stored.addedAt).toISOString(),
    revokedBy: stored.revokedBy ?? null,
    revokedAt: stored.revokedAt === undefined ? null : new Date(stored.revokedAt).toISOString(),
  };
}

/** No warning where the next one has been agreed. */
function dueWarning({ agreement, end }: Term, now: number): number | undefined {
  return end < endOf(agreement) ? undefined : findWarning(daysLeft(agreement, now, end));
}

function formatTerm(term: Term, now: number, style: Style): string {
  const { agreement, stored, end } = term;
  const state = stateOf(agreement, stored, now, end);
  const paint = { 'not-begun': style.dim, 'in-force': style.good, superseded: style.dim, expired: style.bad, revoked: style.bad }[state];
  const facts = formatPairs([
    ['signed by', stored.envelope.signatures.map(({ key }) => key).join(', ')],
    ['added', `${new Date(stored.addedAt).toISOString()} by ${stored.addedBy}`],
  ]);
  const due = state === 'in-force' ? dueWarning(term, now) : undefined;
  const days = daysLeft(agreement, now, end);
  const warning = due === undefined ? '' : style.warn(`  It ends in ${countDays(days)}: the next one must be signed and added before.\n`);
  return `${style.bold(agreement.id)}  ${paint(describeState(state, term, now))}\n${describeAgreement(agreement)}${facts}${warning}`;
}

function describeState(state: AgreementState, { agreement, stored, end }: Term, now: number): string {
  const at = (time: number): string => new Date(time).toISOString();
  switch (state) {
    case 'in-force':
      return `in force, ends in ${countDays(daysLeft(agreement, now, end))}`;
    case 'not-begun':
      return `not begun, from ${agreement.effective}`;
    case 'superseded':
      return `superseded at ${at(end)}`;
    case 'expired':
      return `expired at ${at(end)}`;
    case 'revoked':
      return `revoked at ${at(stored.revokedAt ?? 0)} by ${stored.revokedBy ?? 'nobody known'}`;
  }
}

function countDays(days: number): string {
  return days === 1 ? '1 day' : `${days} days`;
}

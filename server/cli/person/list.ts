/**
 * Owns `inward person list`. Refuses to show salts and hashes.
 */
import { Command } from 'commander';
import { describePerson } from '../../privacy/review.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { createStyle } from '../style.ts';
import { formatTable } from '../table.ts';
import { formatTime } from '../values.ts';

export function createPersonListCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('list').description('Show every person with roles and state.').option('--json', 'print the people as JSON');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward person list', 'inward person list --json']))
    .action(async (flags: Flags) => onExit(await runList(flags, world)));
}

async function runList(flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'person.read');
  const now = Date.now();
  const people = site.snapshot.people.map((person) => describePerson(person, now));
  const rows = people.map(({ id, roles, state, knownBy, expiresAt, createdAt, createdBy }) => [
    ...[id, roles.join(','), state, knownBy, formatTime(expiresAt)],
    ...[formatTime(createdAt), createdBy],
  ]);
  const headings = ['id', 'roles', 'state', 'known by', 'ends', 'added', 'by'];
  world.out.write(
    flags['json'] === true ? `${JSON.stringify(people, undefined, 2)}\n` : formatTable(headings, rows, createStyle(world.out, world.environment)),
  );
  return 0;
}

/**
 * Owns `inward tenant`: departments of one hospital, each with its own cache domain and quotas. There is none that removes one:
 * keys and records name them.
 */
import { Command, Option } from 'commander';
import { SiteError } from '../privacy/errors.ts';
import type { World } from '../world.ts';
import { createGroup, formatExamples } from './group.ts';
import { type Flags, parser, UsageError } from './options.ts';
import { addSiteOptions, openSite } from './site.ts';
import { createStyle } from './style.ts';
import { formatTable } from './table.ts';
import { code, dayMs, tokenCount, tokenLimit } from './values.ts';

export function createTenantCommand(world: World, onExit: (code: number) => void): Command {
  const commands = [createAddCommand(world, onExit), createListCommand(world, onExit), createQuotaCommand(world, onExit)];
  return createGroup('tenant', 'Departments of the hospital, each with a cache domain of its own and quotas.', commands, [
    'inward tenant add cardiology --tokens-per-day 5000000',
    'inward tenant list',
    'inward tenant quota cardiology --tokens-per-minute 100000',
  ]);
}

interface AddFlags extends Flags {
  readonly tokensPerMinute?: number;
  readonly tokensPerDay?: number;
}

function createAddCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('add')
    .description('Add a department.')
    .argument('<code>', 'its code, as cardiology', parser(code))
    .addOption(
      new Option('--tokens-per-minute <count>', 'tokens of prompts and answers of all its keys in a minute (default: no limit)').argParser(parser(tokenCount)),
    )
    .addOption(new Option('--tokens-per-day <count>', 'tokens in a day of UTC (default: no limit)').argParser(parser(tokenCount)));
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward tenant add cardiology --tokens-per-day 5000000']))
    .action(async (name: string, flags: AddFlags) => {
      await using site = await openSite(flags, world, 'tenant.write');
      const { tokensPerMinute, tokensPerDay } = flags;
      await site.store.addTenant({ code: name, tokensPerMinute, tokensPerDay }, site.person, Date.now());
      world.out.write(`The tenant ${name} is added.\n`);
      onExit(0);
    });
}

function createListCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('list')
    .description('Show every department, its quotas and what it has used today.')
    .option('--json', 'print the tenants as JSON');
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward tenant list']))
    .action(async (flags: Flags) => onExit(await runList(flags, world)));
}

async function runList(flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'status.read');
  const usage = await site.store.readUsage(Math.floor(Date.now() / dayMs));
  const tenants = site.snapshot.tenants.map(({ code, tokensPerMinute, tokensPerDay }) => {
    const used = usage.find(({ scope, id }) => scope === 'tenant' && id === code);
    return { code, tokensPerMinute, tokensPerDay, usedToday: used?.tokens ?? 0 };
  });
  const rows = tenants.map(({ code, tokensPerMinute, tokensPerDay, usedToday }) => [
    code,
    ...[tokensPerMinute, tokensPerDay, usedToday].map((count) => String(count ?? '-')),
  ]);
  const headings = ['code', 'tokens per minute', 'tokens per day', 'used today'];
  world.out.write(
    flags['json'] === true ? `${JSON.stringify(tenants, undefined, 2)}\n` : formatTable(headings, rows, createStyle(world.out, world.environment)),
  );
  return 0;
}

interface QuotaFlags extends Flags {
  readonly tokensPerMinute?: number | 'none';
  readonly tokensPerDay?: number | 'none';
}

function createQuotaCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('quota')
    .description('Change the quotas of a department; what is not named stays.')
    .argument('<code>', 'its code, as cardiology', parser(code))
    .addOption(new Option('--tokens-per-minute <count>', 'tokens of prompts and answers in a minute, or none for no limit').argParser(parser(tokenLimit)))
    .addOption(new Option('--tokens-per-day <count>', 'tokens in a day of UTC, or none for no limit').argParser(parser(tokenLimit)));
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward tenant quota cardiology --tokens-per-minute 100000 --tokens-per-day none']))
    .action(async (name: string, flags: QuotaFlags) => onExit(await runQuota(name, flags, world)));
}

async function runQuota(name: string, flags: QuotaFlags, world: World): Promise<number> {
  const { tokensPerMinute: minute, tokensPerDay: day } = flags;
  if (minute === undefined && day === undefined) throw new UsageError('Name --tokens-per-minute, --tokens-per-day or both.');
  await using site = await openSite(flags, world, 'tenant.write');
  const old = site.snapshot.tenants.find(({ code }) => code === name);
  if (old === undefined) throw new SiteError(`There is no tenant ${name}; inward tenant list shows those of this site.`);
  const choose = (given: number | 'none' | undefined, before: number | undefined): number | undefined => (given === 'none' ? undefined : (given ?? before));
  const [tokensPerMinute, tokensPerDay] = [choose(minute, old.tokensPerMinute), choose(day, old.tokensPerDay)];
  await site.store.setTenantQuota({ code: name, tokensPerMinute, tokensPerDay }, site.person, Date.now());
  world.out.write(`The tenant ${name} has ${tokensPerMinute ?? 'no limit of'} tokens per minute and ${tokensPerDay ?? 'no limit of'} tokens per day.\n`);
  return 0;
}

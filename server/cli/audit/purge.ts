/**
 * Owns `inward audit purge`: takes away what is older than six years, by hand. Refuses while a process writes the log, whose part
 * the command takes for the time, and without a yes.
 */
import { Command, Option } from 'commander';
import { systemDisk } from '../../privacy/audit/disk.ts';
import { AuditLog, StoppedError } from '../../privacy/audit/log.ts';
import { describeMachine } from '../../privacy/audit/machine.ts';
import { type PurgePlan, planPurge, purgeSegments } from '../../privacy/audit/purge.ts';
import { checkClock } from '../../privacy/clock.ts';
import { SiteError } from '../../privacy/errors.ts';
import { codeOf } from '../../privacy/files.ts';
import type { World } from '../../world.ts';
import { canAsk, openAsker } from '../ask.ts';
import { formatExamples } from '../group.ts';
import { type Flags, parser, UsageError } from '../options.ts';
import { readTime } from '../site.ts';
import { formatTime, moment } from '../values.ts';
import { addAuditOptions, type NumberedLog, openAudit } from './common.ts';

/** One record is written. */
const roomSize = 2 ** 16;

interface PurgeFlags extends Flags {
  readonly before?: number;
  readonly yes?: boolean;
}

export function createAuditPurgeCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('purge')
    .description('Take away whole segments whose last record is older than six years. Proofs that were given stay good; the records are gone.')
    .addOption(new Option('--before <time>', 'only what ended before this time; never more than six years allow').argParser(parser(moment(Date.now()))))
    .option('--yes', 'purge without asking');
  return addAuditOptions(command)
    .addHelpText('after', formatExamples(['inward audit purge', 'inward audit purge --before 2026-01-01 --yes']))
    .action(async (flags: PurgeFlags) => onExit(await runPurge(flags, world)));
}

async function runPurge(flags: PurgeFlags, world: World): Promise<number> {
  if (flags.yes !== true && !canAsk(world)) throw new UsageError('Without a terminal to ask on, this option must be there too: --yes');
  const { site, logs } = await openAudit(flags, world, 'audit.write');
  await using _ = site;
  const now = readTime(site.snapshot);
  const plans = logs.map((log) => ({ log, plan: planPurge(log.reader, now, flags.before) })).filter(({ plan }) => hasWork(plan));
  if (plans.length === 0) {
    world.out.write('Nothing is purged: no segment ended more than six years ago, or before the time that was asked for.\n');
    return 0;
  }
  world.out.write(plans.map(({ log, plan }) => describePlan(log, plan)).join(''));
  if (flags.yes !== true) {
    using asker = openAsker(world);
    if (!(await asker.confirm('Purge it?'))) throw new SiteError('Nothing was purged: that was not confirmed.');
  }
  for (const { log, plan } of plans) await purgeLog(log, plan, site.person, world);
  world.out.write('It is purged; each segment has left its last record and checkpoint.\n');
  return 0;
}

const hasWork = ({ unfinished, purge }: PurgePlan): boolean => unfinished.length > 0 || purge !== undefined;

function describePlan({ number }: NumberedLog, { unfinished, purge }: PurgePlan): string {
  const lines = [
    ...(unfinished.length === 0 ? [] : [`Log ${number}: segments ${unfinished.join(', ')} of a purge that was cut off.`]),
    ...(purge === undefined
      ? []
      : [`Log ${number}: segments ${purge.first} to ${purge.last} with ${purge.records} records, up to ${formatTime(purge.until)}.`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** As the one who writes it. Throws SiteError where another process does. */
async function purgeLog({ number, reader }: NumberedLog, plan: PurgePlan, by: string, world: World): Promise<void> {
  const log = await AuditLog.open(reader.folder, { now: Date.now, machine: describeMachine(world.hostRoot), roomSize });
  if (log === undefined) throw new SiteError(`A process that runs writes the audit log ${number}: end it (inward serve), purge, and start it again.`);
  await using _ = log;
  checkClock(Date.now(), log.recovered.latest);
  try {
    await purgeSegments(reader.folder, plan, by, log, systemDisk);
  } catch (error) {
    if (error instanceof SiteError) throw error;
    const cause = error instanceof StoppedError ? error.cause : codeOf(error);
    throw new SiteError(`The audit log ${number} is not purged, or only in part (${cause}): put that right, and give the command again.`);
  }
}

/**
 * Owns what the commands of the audit trail have in common: the logs of the site, the options that choose among them and in time, and
 * the event that a command leaves. Refuses a log that is not there.
 */
import { basename, extname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { AdministrationEvent, AuditRecord } from '../../privacy/audit/events.ts';
import { listLogs } from '../../privacy/audit/folder.ts';
import { LogReader, type LogRecord, type Range } from '../../privacy/audit/reader.ts';
import { SiteError } from '../../privacy/errors.ts';
import { writeNewFile } from '../../privacy/files.ts';
import type { Permission } from '../../privacy/words.ts';
import type { World } from '../../world.ts';
import { type Flags, integer, parser } from '../options.ts';
import { addSiteOptions, locateSite, openEvaluated, type Site } from '../site.ts';
import { moment } from '../values.ts';

/** A log with its number, the name of its folder. */
export interface NumberedLog {
  readonly number: number;
  readonly reader: LogReader;
}

/** A log that has records, with its id. */
export interface NamedLog extends NumberedLog {
  readonly log: string;
}

export interface RangeFlags extends Flags {
  readonly from?: number;
  readonly to?: number;
}

/** Adds --log, --site and --identity. */
export function addAuditOptions(command: Command): Command {
  return addSiteOptions(command.addOption(new Option('--log <number>', 'only this log of the site (default: all)').argParser(integer(1, 99))));
}

/** Adds --from and --to. */
export function addRangeOptions(command: Command, now: number = Date.now()): Command {
  return command
    .addOption(new Option('--from <time>', 'not before this time, as 7d (ago), 2026-11-24 (00:00 UTC) or 2026-11-24T08:30Z').argParser(parser(moment(now))))
    .addOption(new Option('--to <time>', 'before this time').argParser(parser(moment(now))));
}

export const readRange = ({ from, to }: RangeFlags): Range => ({ from, to });

export function* pickRecords(found: Iterable<LogRecord>): Generator<AuditRecord, void, undefined> {
  for (const { record } of found) yield record;
}

/** Opens the site for a person who may do this, with the logs that --log names. Throws SiteError. */
export async function openAudit(
  flags: Flags,
  world: World,
  needed: Permission = 'audit.read',
): Promise<{ readonly site: Site; readonly logs: readonly NumberedLog[] }> {
  const site = await openEvaluated(flags, world, needed);
  try {
    return { site, logs: findLogs(flags, world) };
  } catch (error) {
    await site[Symbol.asyncDispose]();
    throw error;
  }
}

function findLogs(flags: Flags, world: World): readonly NumberedLog[] {
  const { folder } = locateSite(flags, world);
  const wanted = flags['log'];
  const logs = listLogs(folder).map((path) => ({ number: Number(basename(path)), reader: new LogReader(path) }));
  if (logs.length === 0) throw new SiteError(`The site in ${folder} has no audit log yet: a server begins one when it starts.`);
  const chosen = logs.filter(({ number }) => wanted === undefined || number === wanted);
  if (chosen.length === 0) throw new SiteError(`The site has no audit log ${wanted}: expected one of ${logs.map(({ number }) => number).join(', ')}.`);
  return chosen;
}

/** The one log that is meant. Throws SiteError where there are several. */
export function chooseLog(logs: readonly NumberedLog[], why: string): NumberedLog {
  const [log, ...others] = logs;
  if (log === undefined || others.length > 0)
    throw new SiteError(`${why}, and the site has several logs: name one with --log (${logs.map(({ number }) => number).join(', ')}).`);
  return log;
}

/** Those with at least one record. Throws SiteError where there are none. */
export function nameLogs(logs: readonly NumberedLog[]): readonly NamedLog[] {
  const named = logs.flatMap((log): NamedLog[] => {
    const state = log.reader.state();
    return state === undefined ? [] : [{ ...log, log: state.checkpoint.log }];
  });
  if (named.length === 0) throw new SiteError('The audit log has no record yet.');
  return named;
}

/** Writes a new file that only its maker can read, and says where it is. `mark` stands in its name where there are several. Throws SiteError. */
export function writeResult(out: string, mark: string, text: string | Iterable<string>, what: string, world: World): void {
  const extension = extname(out);
  const path = resolve(world.folder, `${out.slice(0, out.length - extension.length)}${mark}${extension}`);
  writeNewFile(path, text, 0o600);
  world.out.write(`${what} in ${path}.\n`);
}

type EventWithoutMaker<T> = T extends unknown ? Omit<T, 'by' | 'at' | 'change'> : never;

/** Leaves the event of a command that has read the logs. */
export async function leaveEvent({ store, person }: Site, event: EventWithoutMaker<Extract<AdministrationEvent, { event: `audit_${string}` }>>): Promise<void> {
  await store.addChange({ ...event, by: person, at: Date.now() });
}

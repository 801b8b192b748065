/**
 * Owns `inward audit show`: records of all logs by time, filtered and page by page. Refuses to change anything.
 */
import { Command, Option } from 'commander';
import { type AuditRecord, eventTable } from '../../privacy/audit/events.ts';
import type { LogRecord, Range } from '../../privacy/audit/reader.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { integer, parser } from '../options.ts';
import { createStyle } from '../style.ts';
import { formatTable } from '../table.ts';
import { code, keyId, personId, requestId } from '../values.ts';
import { addAuditOptions, addRangeOptions, chooseLog, type NumberedLog, openAudit, type RangeFlags, readRange } from './common.ts';
import { describeRecord } from './describe.ts';

interface ShowFlags extends RangeFlags {
  readonly event?: string;
  readonly key?: string;
  readonly person?: string;
  readonly tenant?: string;
  readonly request?: string;
  readonly correlation?: string;
  readonly limit: number;
  readonly page: number;
  readonly before?: number;
  readonly json?: boolean;
}

interface Shown extends LogRecord {
  /** Of its log. */
  readonly number: number;
}

export function createAuditShowCommand(world: World, onExit: (code: number) => void): Command {
  const command = addRangeOptions(new Command('show').description('Show records, the newest last: who did what, when. All that is given must fit.'))
    .addOption(new Option('--event <name>', 'only this event').choices(Object.keys(eventTable)))
    .addOption(new Option('--key <id>', 'only records that name this key').argParser(parser(keyId)))
    .addOption(new Option('--person <id>', 'only what this person did, or what was done to the person').argParser(parser(personId)))
    .addOption(new Option('--tenant <code>', 'only this department').argParser(parser(code)))
    .addOption(new Option('--request <id>', 'only this request').argParser(parser(requestId)))
    .addOption(new Option('--correlation <id>', 'only requests that the client gave this id').argParser(parser(requestId)))
    .addOption(new Option('--limit <count>', 'at most so many records').argParser(integer(1, 100_000)).default(50))
    .addOption(new Option('--page <number>', 'those before: 2 has the records before the newest page').argParser(integer(1)).default(1))
    .addOption(new Option('--before <seq>', 'only records of one log before this number').argParser(integer(0, 2 ** 53 - 1)))
    .option('--json', 'print one record a line, as it stands in the log');
  const examples = [
    'inward audit show --from 7d --person m.jones',
    'inward audit show --event denied --from 2026-11-23 --to 2026-11-30',
    'inward audit show --key 3f8k2m9x1c --page 2',
  ];
  return addAuditOptions(command)
    .addHelpText('after', formatExamples(examples))
    .action(async (flags: ShowFlags) => onExit(await runShow(flags, world)));
}

async function runShow(flags: ShowFlags, world: World): Promise<number> {
  const { site, logs } = await openAudit(flags, world);
  await using _ = site;
  const { limit, page, before, json } = flags;
  const chosen = before === undefined ? logs : [chooseLog(logs, '--before is a number of one log')];
  const range: Range = { ...readRange(flags), end: before };
  const shown: Shown[] = [];
  let passed = 0;
  let hasMore = false;
  for (const found of mergeBack(chosen, range, filterText(flags))) {
    if (!isWanted(found.record, flags) || passed++ < (page - 1) * limit) continue;
    if ((hasMore = shown.length === limit)) break;
    shown.push(found);
  }
  shown.reverse();
  if (json === true) world.out.write(shown.map(({ text }) => `${text}\n`).join(''));
  else world.out.write(formatShown(shown, logs.length > 1, hasMore ? describeMore(shown, chosen, page) : undefined, world));
  return 0;
}

/** Records of several logs, newest first. */
function* mergeBack(logs: readonly NumberedLog[], range: Range, has: string | undefined): Generator<Shown, void, undefined> {
  const sources = logs.map(({ number, reader }) => ({ number, records: reader.recordsBack(range, has) }));
  const heads = sources.map(({ records }) => records.next());
  for (;;) {
    const [next] = [...heads.entries()].filter(([, { done }]) => !done).sort(([, one], [, other]) => timeOf(other) - timeOf(one));
    const source = next && sources[next[0]];
    if (next === undefined || source === undefined || next[1].done) return;
    yield { ...next[1].value, number: source.number };
    heads[next[0]] = source.records.next();
  }
}

function timeOf({ value }: IteratorResult<LogRecord, void>): number {
  return value?.record.time ?? 0;
}

/** What is in the text of every record that is wanted, so that the others need not be read closely. */
function filterText({ request, correlation, key, person, tenant, event }: ShowFlags): string | undefined {
  const fields = Object.entries({ request, correlation, key, tenant, event }).flatMap(([name, value]) => (value === undefined ? [] : [`"${name}":"${value}"`]));
  return person === undefined ? fields[0] : `:"${person}"`;
}

function isWanted(record: AuditRecord, { request, correlation, key, person, tenant, event }: ShowFlags): boolean {
  const values = record as unknown as Readonly<Record<string, unknown>>;
  const wanted = Object.entries({ request, correlation, key, tenant, event });
  if (person !== undefined && values['person'] !== person && values['by'] !== person) return false;
  return wanted.every(([name, value]) => value === undefined || values[name] === value);
}

function formatShown(shown: readonly Shown[], hasSeveral: boolean, more: string | undefined, world: World): string {
  if (shown.length === 0) return 'No record fits.\n';
  const style = createStyle(world.out, world.environment);
  const rows = shown.map(({ number, record }) => {
    const { time, event, who, what } = describeRecord(record);
    return [...(hasSeveral ? [String(number)] : []), String(record.seq), time, event, who, what];
  });
  const headings = [...(hasSeveral ? ['log'] : []), 'record', 'time', 'event', 'who', 'what'];
  return `${formatTable(headings, rows, style)}${more === undefined ? '' : style.dim(`${more}\n`)}`;
}

/** A number of a record stays right while new ones come; a page does not. */
function describeMore(shown: readonly Shown[], logs: readonly NumberedLog[], page: number): string {
  return logs.length === 1 ? `There are more: --before ${shown[0]?.record.seq}` : `There are more: --page ${page + 1}`;
}

/**
 * Owns `inward audit report`: the review sheet of a week or another period, on the terminal or as a page to print and sign.
 */
import { Command, Option } from 'commander';
import { createReportPage, type ReportFoot } from '../../privacy/audit/report/page.ts';
import { type Period, type Summary, summarize } from '../../privacy/audit/report.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { parser, UsageError } from '../options.ts';
import type { Site } from '../site.ts';
import { createStyle } from '../style.ts';
import { beginWeek, dayMs, formatTime, week } from '../values.ts';
import {
  addAuditOptions,
  addRangeOptions,
  chooseLog,
  leaveEvent,
  type NamedLog,
  nameLogs,
  openAudit,
  pickRecords,
  type RangeFlags,
  writeResult,
} from './common.ts';
import { formatReport } from './report-text.ts';
import { checkLog } from './verify.ts';

interface ReportFlags extends RangeFlags {
  readonly week?: number;
  readonly timeZone: string;
  readonly html?: string;
  readonly json?: boolean;
  readonly verify: boolean;
}

const weekMs = 7 * dayMs;
/** Records in front of the period by which it is judged what is new or out of the ordinary, and behind it, for requests that end later. */
const [historyMs, afterMs] = [4 * weekMs, dayMs];

export function createAuditReportCommand(world: World, onExit: (code: number) => void): Command {
  const command = addRangeOptions(
    new Command('report')
      .description(
        'The review sheet of a period: who asked for what and how it ended, who changed what, and what stands out. The last whole week if none is named.',
      )
      .addOption(new Option('--week <name>', 'a week of ISO 8601, Monday to Sunday in UTC, as 2026-W48').argParser(parser(week)).conflicts(['from', 'to'])),
  )
    .option('--time-zone <name>', 'for days and hours in it, as America/Chicago', 'UTC')
    .addOption(new Option('--html <file>', 'write a page to print and sign to this new file, which only you can read'))
    .addOption(new Option('--json', 'print it as JSON').conflicts('html'))
    .option('--no-verify', 'leave out the check of the whole log');
  return addAuditOptions(command)
    .addHelpText(
      'after',
      formatExamples([
        'inward audit report',
        'inward audit report --week 2026-W48 --html review-2026-W48.html',
        'inward audit report --from 2026-11-01 --to 2026-12-01',
      ]),
    )
    .action(async (flags: ReportFlags) => onExit(await runReport(flags, world)));
}

async function runReport(flags: ReportFlags, world: World): Promise<number> {
  const period = choosePeriod(flags);
  const { site, logs } = await openAudit(flags, world);
  await using _ = site;
  const [log] = nameLogs([chooseLog(logs, 'A sheet is of one log')]);
  if (log === undefined) return 1;
  const foot = await describeFoot(log, flags, site, world);
  const records = pickRecords(log.reader.records({ from: period.from - historyMs, to: period.to + afterMs }));
  const summary = summarize(records, period);
  writeReport(summary, foot, flags, world);
  await leaveEvent(site, { event: 'audit_exported', log: log.log, format: 'report', records: summary.records });
  return 0;
}

function choosePeriod({ week: monday, from, to, timeZone }: ReportFlags): Period {
  const begin = monday ?? beginWeek(Date.now()) - weekMs;
  if (from === undefined && to === undefined) return { from: begin, to: begin + weekMs, timeZone };
  const period = { from: from ?? Number.NaN, to: to ?? Date.now(), timeZone };
  if (!(period.from < period.to)) throw new UsageError('Expected --from a time before --to (now, where it is left out).');
  return period;
}

async function describeFoot(log: NamedLog, flags: ReportFlags, site: Site, world: World): Promise<ReportFoot> {
  const foot = { site: site.snapshot.policy?.site, checkpoint: log.reader.state()?.note };
  if (!flags.verify) return foot;
  const { records, flawCount } = await checkLog(log, {}, world);
  await leaveEvent(site, { event: 'audit_verified', log: log.log, records, intact: flawCount === 0 });
  const result = flawCount === 0 ? `all ${records} records of the log are whole` : `${flawCount} flaws, inward audit verify lists them`;
  return { ...foot, verification: `Checked ${formatTime(Date.now())}: ${result}.` };
}

function writeReport(summary: Summary, foot: ReportFoot, { html, json }: ReportFlags, world: World): void {
  if (html !== undefined) writeResult(html, '', createReportPage(summary, foot), 'The sheet is', world);
  else if (json === true) world.out.write(`${JSON.stringify({ ...summary, ...foot }, undefined, 2)}\n`);
  else world.out.write(formatReport(summary, createStyle(world.out, world.environment), foot));
}

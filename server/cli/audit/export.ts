/**
 * Owns `inward audit export`: records for other systems, streamed into a new file. Refuses to send them anywhere.
 */
import { Command, Option } from 'commander';
import type { AuditRecord } from '../../privacy/audit/events.ts';
import { exportCsv } from '../../privacy/audit/export/csv.ts';
import { exportFhir, exportFhirBundle } from '../../privacy/audit/export/fhir.ts';
import { exportSyslog } from '../../privacy/audit/export/syslog.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { integer, UsageError } from '../options.ts';
import {
  addAuditOptions,
  addRangeOptions,
  chooseLog,
  leaveEvent,
  type NamedLog,
  nameLogs,
  openAudit,
  type RangeFlags,
  readRange,
  writeResult,
} from './common.ts';

const formats = ['fhir', 'syslog', 'csv', 'json'] as const;
type Format = (typeof formats)[number];

interface ExportFlags extends RangeFlags {
  readonly format: Format;
  readonly out: string;
  readonly bundle?: boolean;
  readonly base?: string;
  readonly counted?: boolean;
  readonly enterprise?: number;
}

/** Options of one format only. */
const formatOptions: Readonly<Record<'bundle' | 'base' | 'counted' | 'enterprise', Format>> = {
  ...{ bundle: 'fhir', base: 'fhir', counted: 'syslog', enterprise: 'syslog' },
};
/** What identifiers of a site's own begin with. */
const baseForm = /^(?:urn:[a-z0-9][a-z0-9-]{0,31}:|https:\/\/)[A-Za-z0-9._~:/-]{1,200}$/;

/** The records of one log, counted as they go by. */
interface Source extends NamedLog {
  readonly records: Iterable<AuditRecord>;
  readonly texts: Iterable<string>;
  count: number;
}

export function createAuditExportCommand(world: World, onExit: (code: number) => void): Command {
  const command = addRangeOptions(
    new Command('export').description('Write records for another system: AuditEvents of FHIR R4, syslog (RFC 5424), a table, or as they are.'),
  )
    .addOption(
      new Option('--format <name>', 'fhir: an AuditEvent a line; syslog: a line a record; csv: for a spreadsheet; json: a record a line, as in the log')
        .choices(formats)
        .makeOptionMandatory(),
    )
    .addOption(new Option('--out <file>', 'the new file, which only you can read').makeOptionMandatory())
    .option('--bundle', 'fhir: one Bundle of type collection')
    .option('--base <uri>', 'fhir: a URI of your own in place of urn:inward, which is registered nowhere')
    .option('--counted', 'syslog: octet-counted frames (RFC 5425) in place of lines')
    .addOption(
      new Option('--enterprise <number>', 'syslog: your private enterprise number in place of that for examples (32473)').argParser(integer(1, 2 ** 31 - 1)),
    );
  return addAuditOptions(command)
    .addHelpText(
      'after',
      formatExamples([
        'inward audit export --format fhir --from 7d --out audit.ndjson',
        'inward audit export --format csv --from 2026-11-01 --to 2026-12-01 --out november.csv',
      ]),
    )
    .action(async (flags: ExportFlags) => onExit(await runExport(flags, world)));
}

async function runExport(flags: ExportFlags, world: World): Promise<number> {
  checkOptions(flags);
  const { site, logs } = await openAudit(flags, world);
  await using _ = site;
  const chosen = flags.bundle === true ? [chooseLog(logs, 'A Bundle is of one log')] : logs;
  const sources = nameLogs(chosen).map((log) => createSource(log, flags));
  writeResult(flags.out, '', exportRecords(sources, flags, site.snapshot.policy?.site), 'The records are', world);
  for (const { log, count } of sources) await leaveEvent(site, { event: 'audit_exported', log, format: flags.format, records: count });
  world.out.write(`Records: ${sources.reduce((sum, { count }) => sum + count, 0)}.\n`);
  return 0;
}

/** Throws UsageError. */
function checkOptions(flags: ExportFlags): void {
  for (const [name, format] of Object.entries(formatOptions)) {
    if (flags[name] !== undefined && flags.format !== format) throw new UsageError(`The option --${name} goes with --format ${format}; found ${flags.format}.`);
  }
  if (flags.base === undefined || baseForm.test(flags.base)) return;
  throw new UsageError('Expected as --base a URI that begins with urn: and a name, or with https://, as urn:oid:1.3.6.1.4.1.32473.1.');
}

function createSource(log: NamedLog, flags: RangeFlags): Source {
  const source: Source = { ...log, count: 0, records: iterate(({ record }) => record), texts: iterate(({ text }) => text) };
  function iterate<T>(pick: (found: { readonly record: AuditRecord; readonly text: string }) => T): Iterable<T> {
    return {
      *[Symbol.iterator]() {
        for (const found of log.reader.records(readRange(flags))) {
          source.count++;
          yield pick(found);
        }
      },
    };
  }
  return source;
}

/** One log behind the other. */
function* exportRecords(sources: readonly Source[], flags: ExportFlags, site: string | undefined): Generator<string, void, undefined> {
  const { format, bundle, base, counted, enterprise } = flags;
  for (const { records, texts, log } of sources) {
    if (format === 'csv') yield* exportCsv(records);
    else if (format === 'syslog') yield* exportSyslog(records, { enterprise, framing: counted === true ? 'counted' : 'line' });
    else if (format === 'fhir') yield* (bundle === true ? exportFhirBundle : exportFhir)(records, { log, site, base });
    else for (const text of texts) yield `${text}\n`;
  }
}

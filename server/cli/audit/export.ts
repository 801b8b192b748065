/**
 * Owns `inward audit export`: records for other systems, streamed into a new file. Refuses to send them anywhere.
 */
import { Command, Option } from 'commander';
import type { AuditRecord } from '../../privacy/audit/events.ts';
import { exportCsv } from '../../privacy/audit/export/csv.ts';
import { exportFhir } from '../../privacy/audit/export/fhir.ts';
import { exportSyslog } from '../../privacy/audit/export/syslog.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { addAuditOptions, addRangeOptions, leaveEvent, type NamedLog, nameLogs, openAudit, type RangeFlags, readRange, writeResult } from './common.ts';

const formats = ['fhir', 'syslog', 'csv', 'json'] as const;
type Format = (typeof formats)[number];

interface ExportFlags extends RangeFlags {
  readonly format: Format;
  readonly out: string;
}

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
    .addOption(new Option('--out <file>', 'the new file, which only you can read').makeOptionMandatory());
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
  const { site, logs } = await openAudit(flags, world);
  await using _ = site;
  const sources = nameLogs(logs).map((log) => createSource(log, flags));
  writeResult(flags.out, '', exportRecords(sources, flags.format, site.snapshot.policy?.site), 'The records are', world);
  for (const { log, count } of sources) await leaveEvent(site, { event: 'audit_exported', log, format: flags.format, records: count });
  world.out.write(`Records: ${sources.reduce((sum, { count }) => sum + count, 0)}.\n`);
  return 0;
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
function* exportRecords(sources: readonly Source[], format: Format, site: string | undefined): Generator<string, void, undefined> {
  switch (format) {
    case 'csv':
      return yield* exportCsv(chain(sources.map(({ records }) => records)));
    case 'syslog':
      return yield* exportSyslog(chain(sources.map(({ records }) => records)));
    case 'fhir':
      for (const { records, log } of sources) yield* exportFhir(records, { log, site });
      return;
    case 'json':
      for (const { texts } of sources) for (const text of texts) yield `${text}\n`;
  }
}

function* chain<T>(parts: readonly Iterable<T>[]): Generator<T, void, undefined> {
  for (const part of parts) yield* part;
}

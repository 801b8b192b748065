/**
 * Owns `inward audit verify`: every byte of the logs is checked by the verifier that auditors get, and that leaves an event.
 */
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { Command } from 'commander';
import { describeReport, type LogReport, openFolder, parseKey, type VerifyOptions, verifyLog } from '../../privacy/audit/verify.mjs';
import { SiteError } from '../../privacy/errors.ts';
import { readSmallFile } from '../../privacy/files.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { collect, type Flags } from '../options.ts';
import { createBar } from '../progress.ts';
import { createStyle, type Style } from '../style.ts';
import { addAuditOptions, leaveEvent, type NumberedLog, openAudit } from './common.ts';

interface VerifyFlags extends Flags {
  readonly key: readonly string[];
  readonly witness: readonly string[];
  readonly json?: boolean;
}

const keyLimit = 1024;
/** Of a file that a witness has kept: a checkpoint a minute for two years. */
const witnessLimit = 2 ** 28;

export function createAuditVerifyCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('verify')
    .description('Check every record, hash and signature of the logs. Exit code 1 if something is wrong, with a line for each flaw.')
    .option('--key <key>', 'the first key of a log as it was noted down, or a file that has it; once for each log', collect(), [])
    .option('--witness <file>', 'checkpoints that a second place has kept; once for each file', collect(), [])
    .option('--json', 'print what was found as JSON');
  return addAuditOptions(command)
    .addHelpText('after', formatExamples(['inward audit verify', 'inward audit verify --key first.key --witness /mnt/witness/checkpoints']))
    .action(async (flags: VerifyFlags) => onExit(await runVerify(flags, world)));
}

async function runVerify(flags: VerifyFlags, world: World): Promise<number> {
  const { site, logs } = await openAudit(flags, world);
  await using _ = site;
  const keys = flags.key.map((key) => readKey(key, world));
  const checkpoints = flags.witness.map((file) => readSmallFile(resolve(world.folder, file), witnessLimit).toString());
  const reports: (LogReport & { readonly folder: string })[] = [];
  for (const log of logs) {
    const report = { folder: log.reader.folder, ...(await checkLog(log, { keys, checkpoints, isOneOfSeveral: logs.length > 1 }, world)) };
    reports.push(report);
    if (report.log !== undefined) await leaveEvent(site, { event: 'audit_verified', log: report.log, records: report.records, intact: report.flawCount === 0 });
  }
  const strangers = findStrangers([...keys, ...checkpoints], reports);
  const isIntact = strangers.length === 0 && reports.every(({ flawCount }) => flawCount === 0);
  if (flags.json === true) world.out.write(`${JSON.stringify(reports, undefined, 2)}\n`);
  else world.out.write(reports.map((report) => formatReport(report, createStyle(world.out, world.environment))).join('\n'));
  if (strangers.length > 0)
    throw new SiteError(
      `No log of this site is the one of a key or witness that was given (${strangers.join(', ')}): one is missing, or the file is of another site.`,
    );
  return isIntact ? 0 : 1;
}

/** Checks a log, with a bar on the terminal. */
export async function checkLog({ number, reader }: NumberedLog, options: VerifyOptions, world: World): Promise<LogReport> {
  const draw = createBar(world.err);
  const report = await verifyLog(await openFolder(reader.folder), { ...options, onProgress: (done, total) => draw(`Checking log ${number}`, done, total) });
  draw('', 1, 1);
  return report;
}

/** Logs that a key or checkpoint names and nobody has found. */
function findStrangers(given: readonly string[], reports: readonly LogReport[]): string[] {
  const known = new Set(reports.map(({ log }) => log));
  const names = given.flatMap((text) => [...text.matchAll(/^inward-audit\/([0-9a-f]{32})[+\n]/gm)].map(([, name]) => name ?? ''));
  return [...new Set(names)].filter((name) => !known.has(name));
}

function readKey(given: string, world: World): string {
  if (parseKey(given) !== undefined) return given;
  const path = resolve(world.folder, given);
  const text = existsSync(path) ? readSmallFile(path, keyLimit).toString().trim() : given;
  if (parseKey(text) === undefined) throw new SiteError('--key is no key of an audit log: expected the line that inward audit key prints, or a file with it.');
  return text;
}

function formatReport(report: LogReport & { readonly folder: string }, style: Style): string {
  const lines = describeReport(report).map((line) => {
    if (line.startsWith('INTACT')) return style.good(line);
    return line.startsWith('DAMAGED') ? style.bad(line) : line;
  });
  return [style.bold(`Log ${basename(report.folder)}, ${report.folder}`), ...lines, ''].join('\n');
}

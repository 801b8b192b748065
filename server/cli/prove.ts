/**
 * Owns `inward prove`: proves the installed server, prints what was found, and writes it to new files, signed where a key is given.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { importSettings, type SettingName, settingTable } from '../config/table.ts';
import { type Settings, toTextOptions } from '../config.ts';
import { hashSoftware } from '../privacy/deployment/software.ts';
import { type Envelope, envelopeLimit, hashRecord, readEnvelope, readPublicKey, signEnvelope, verifyEnvelope, writeEnvelope } from '../privacy/envelope.ts';
import { SiteError } from '../privacy/errors.ts';
import { readSmallFile, writeNewFile } from '../privacy/files.ts';
import { purposes } from '../privacy/words.ts';
import { proveAttached } from '../prove/attach.ts';
import { replacedSettings } from '../prove/child.ts';
import { type Result, summarize } from '../prove/claims.ts';
import { createProofPage } from '../prove/page.ts';
import { createReport, readReport } from '../prove/report.ts';
import { type Proof, prove } from '../prove/run.ts';
import type { World } from '../world.ts';
import { Interrupted } from './ask.ts';
import { unprovenCode } from './exit.ts';
import { formatExamples } from './group.ts';
import { addSettings, type Flags, findModel, integer, readSettings, UsageError } from './options.ts';
import { createBar } from './progress.ts';
import { type Access, type AccessFlags, readAccess } from './prove/access.ts';
import { formatProof } from './prove/format.ts';
import { addSigningOptions, createSigner, type Signer } from './signing.ts';
import { createStyle } from './style.ts';

interface ProveFlags extends Flags, AccessFlags {
  readonly requests: number;
  readonly idle: number;
  readonly out?: string;
  readonly key?: string;
  readonly verify?: string;
  readonly signer?: string;
  readonly attach?: number;
}

const exitCodes: Readonly<Record<Result, number>> = { passed: 0, failed: 1, 'not proven': unprovenCode };

/** Folder of package.json, in a clone as in the built package. */
const program = join(import.meta.dirname, '../..');

export function createProveCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('prove')
    .description(
      'Try to catch the installed server keeping or leaking text: starts it with the settings in force, sends it markers, and looks for them everywhere. Linux only.',
    )
    .addOption(new Option('--requests <count>', 'requests of each route at least; every case is sent once anyway').argParser(integer(1, 1_000_000)).default(1))
    .addOption(new Option('--idle <seconds>', 'longest wait for the memory of all processes to be free of markers').argParser(integer(0, 86_400)).default(90))
    .addOption(new Option('--out <folder>', 'write the report to two new files in this folder, which only you can read: JSON, and a page to print'))
    .addOption(new Option('--key <file>', 'sign the report with this private Ed25519 key (inward agreement keygen)'))
    .addOption(
      new Option('--attach <pid>', 'look at this running server, as its user or as root, and start none; with --url and --key-file').argParser(
        integer(1, 2 ** 31),
      ),
    )
    .addOption(new Option('--url <url>', 'with --attach: its address, as http://127.0.0.1:8080'))
    .addOption(new Option('--key-file <file>', 'with --attach: the file with the key of a program that the requests come with'))
    .addOption(new Option('--purpose <name>', 'with --attach: what that key is used for, where it has several purposes').choices(purposes))
    .addOption(new Option('--identity <file>', 'with --attach: the identity file of somebody who may see metrics and state'))
    .addOption(new Option('--site <folder>', 'with --attach: the site that the server has (default: by its environment)'))
    .addOption(new Option('--verify <file>', 'prove nothing: check the signature of this report (JSON)').conflicts(['out', 'key']))
    .addOption(new Option('--signer <file>', 'for --verify: the public key that must have signed it'));
  // Its own --verify is another one; file and environment have the setting.
  const others: readonly SettingName[] = ['verify', ...importSettings, ...replacedSettings];
  const names = (Object.keys(settingTable) as SettingName[]).filter((name) => !others.includes(name));
  return addSettings(addSigningOptions(command), names)
    .addHelpText(
      'after',
      formatExamples([
        'inward prove',
        'inward prove --requests 50 --out /secure/proofs --key compliance.key',
        'inward prove --attach 4711 --url http://127.0.0.1:8080 --key-file prove.key --identity auditor.key',
        'inward prove --verify /secure/proofs/prove-2026-12-01T080000Z.json --signer compliance.key.pub',
      ]),
    )
    .action(async (flags: ProveFlags) => onExit(flags.verify === undefined ? await runProve(flags, world) : verifyReport(flags, world)));
}

async function runProve(flags: ProveFlags, world: World): Promise<number> {
  if (process.platform !== 'linux') throw new SiteError(`A proof needs what only Linux tells of processes; this is ${process.platform}.`);
  const settings = readSettings(flags, world);
  // A key that cannot be used is told before the work, not after it.
  const signer = flags.key === undefined ? undefined : createSigner(flags, world);
  if (signer !== undefined && flags.out === undefined) throw new UsageError('With --key, name the folder for the signed report: --out <folder>');
  const running = flags.attach === undefined ? undefined : readAccess(flags.attach, flags, world);
  const begun = Date.now();
  const software = hashSoftware(running?.server.program ?? program);
  const proof = await withFolder(world, (folder, signal) => runProof({ flags, settings, running, folder, signal }, world));
  const report = createReport(proof, { settings, software, begun, ended: Date.now() });
  world.out.write(formatProof(proof, createStyle(world.out, world.environment)));
  if (flags.out !== undefined) await writeReport(report, signer, resolve(world.folder, flags.out), world);
  return exitCodes[summarize(proof.findings)];
}

interface Work {
  readonly flags: ProveFlags;
  readonly settings: Settings;
  /** Undefined: one is started. */
  readonly running: Access | undefined;
  readonly folder: string;
  readonly signal: AbortSignal;
}

async function runProof({ flags, settings, running, folder, signal }: Work, world: World): Promise<Proof> {
  const text = await world.openText(toTextOptions(settings, await findModel(settings, world)));
  const encode = (word: string): Promise<Uint32Array> => text.encode(word, { addSpecial: false }).finally(() => text[Symbol.asyncDispose]());
  const { environment } = world;
  const common = { settings, encode, environment, folder, requests: flags.requests, idleMs: flags.idle * 1000, onProgress: createBar(world.err), signal };
  return running === undefined ? prove({ ...common, program }) : proveAttached({ ...common, ...running });
}

/** A folder of its own, that goes when the work is done; Ctrl-C ends the work. */
async function withFolder<T>(world: World, work: (folder: string, signal: AbortSignal) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'inward-prove-'));
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) world.signals.on(name, stop);
  try {
    return await work(folder, abort.signal);
  } catch (error) {
    throw abort.signal.aborted ? new Interrupted() : error;
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) world.signals.off(name, stop);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writeReport(report: Envelope, signer: Signer | undefined, folder: string, world: World): Promise<void> {
  const record = readReport(report, 'The report');
  const shown = `  a proof of ${record.ended}: ${record.result}\n`;
  const signed = signer === undefined ? report : signEnvelope(report, await signer.unlock(report, shown));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const name = join(folder, `prove-${record.ended.replaceAll(':', '')}`);
  writeNewFile(`${name}.json`, writeEnvelope(signed), 0o600);
  writeNewFile(`${name}.html`, createProofPage(record, signed.signatures, hashRecord(signed)), 0o600);
  world.out.write(`The report is in ${name}.json and, to read and print, in ${name}.html.\n`);
  if (signer === undefined) world.out.write('It is not signed: --key signs it.\n');
}

function verifyReport({ verify, signer }: ProveFlags, world: World): number {
  if (verify === undefined || signer === undefined)
    throw new UsageError('With --verify, name the public key that must have signed the report: --signer <file>');
  const [path, keyPath] = [resolve(world.folder, verify), resolve(world.folder, signer)];
  const report = readEnvelope(readSmallFile(path, envelopeLimit), `The file ${path}`);
  const { id, pem } = readPublicKey(readSmallFile(keyPath, 8192).toString('latin1'), `The file ${keyPath}`);
  const record = readReport(report, `The file ${path}`);
  if (!report.signatures.some(({ key }) => key === id)) throw new SiteError(`The file ${path} is not signed by ${id}, the key in ${keyPath}.`);
  verifyEnvelope({ ...report, signatures: report.signatures.filter(({ key }) => key === id) }, new Map([[id, pem]]), 1, `The file ${path}`);
  world.out.write(`Signed by ${id}: the proof ${record.id} of ${record.ended}, ${record.result}, of the program ${record.program.software}.\n`);
  return 0;
}

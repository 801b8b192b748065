/**
 * Owns `inward audit witness`: a witness for the audit logs of other hosts. Refuses an address that other machines reach without TLS.
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { ipAddress, isLoopback, type Kind } from '../../config/kinds.ts';
import { type Cosigner, openCosigner } from '../../privacy/audit/witness/cosigner.ts';
import { createWitnessServer, type DeskAnswer, type DeskOptions } from '../../privacy/audit/witness/desk.ts';
import { type LogKey, parseLogKey, readKeyHash } from '../../privacy/audit/witness/logs.ts';
import { NoteFile } from '../../privacy/audit/witness/notes.ts';
import { SiteError } from '../../privacy/errors.ts';
import { codeOf } from '../../privacy/files.ts';
import { readIdentity } from '../../tls-identity.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { collect, type Flags, parser, UsageError } from '../options.ts';

/** Logs without a key that are told of: anybody can make their ids up. */
const strangerLimit = 16;

interface WitnessFlags extends Flags {
  readonly listen: Address;
  readonly out: string;
  readonly key: readonly LogKey[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

const address: Kind<Address> = {
  schema: z.strictObject({ host: ipAddress.schema, port: z.int().min(0).max(65_535) }),
  expected: 'an IP address and a port, as 10.1.2.3:8089 or [::1]:8089',
  read: (text) => {
    const [, six, four, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
    return { host: six ?? four, port: Number(port) };
  },
};

const logKey: Kind<LogKey> = {
  schema: z.custom<LogKey>((value) => value !== undefined),
  expected: 'a key of an audit log, as inward-audit/ID+HASH+KEY',
  read: parseLogKey,
};

export function createAuditWitnessCommand(world: World, onExit: (code: number) => void): Command {
  return new Command('witness')
    .description("Keep the checkpoints of other hosts' audit logs, so that a log that is set back or forked is found out. Ends with SIGINT or SIGTERM.")
    .addOption(new Option('--listen <host:port>', 'address to listen on; loopback only unless TLS is set').argParser(parser(address)).makeOptionMandatory())
    .requiredOption('--out <file>', 'file that checkpoints are appended to; its own key is kept beside it, in FILE.key')
    .addOption(
      new Option('--key <key>', 'key of a log, that of the present segment at the first start; once for each')
        .argParser(collect(parser(logKey)))
        .makeOptionMandatory(),
    )
    .option('--tls-cert <file>', 'PEM file of the certificate')
    .option('--tls-key <file>', 'PEM file of its private key')
    .addHelpText(
      'after',
      formatExamples(['inward audit witness --listen 10.1.2.3:8089 --out checkpoints --key KEY --tls-cert witness.crt --tls-key witness.key']),
    )
    .action(async (flags: WitnessFlags) => onExit(await runWitness(flags, world)));
}

async function runWitness(flags: WitnessFlags, world: World): Promise<number> {
  const { listen, key: keys } = flags;
  const tls = readTls(flags, world);
  const out = resolve(world.folder, flags.out);
  const notes = await NoteFile.open(out);
  const cosigner = openCosigner(`${out}.key`);
  const server = createWitnessServer({ notes, keys, cosigner, onAnswer: createReport(keys, world) }, tls);
  const url = await open(server, listen, tls !== undefined);
  world.out.write(describeStart(url, out, keys, cosigner));
  await waitForSignal(world);
  server.close();
  server.closeAllConnections();
  return 0;
}

function readTls({ listen, tlsCert, tlsKey }: WitnessFlags, { folder }: World): ReturnType<typeof readIdentity>['context'] | undefined {
  if (tlsCert !== undefined && tlsKey !== undefined) {
    return readIdentity({ cert: resolve(folder, tlsCert), key: resolve(folder, tlsKey), clientCa: undefined, minVersion: '1.2' }, Date.now()).context;
  }
  if (tlsCert !== undefined || tlsKey !== undefined) throw new UsageError('--tls-cert and --tls-key go together.');
  if (isLoopback(listen.host)) return undefined;
  throw new UsageError(`Other machines reach ${listen.host}: set --tls-cert and --tls-key, or listen on a loopback address (127.0.0.1, ::1).`);
}

async function open(server: Server, { host, port }: Address, isSecure: boolean): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new SiteError(`The witness cannot listen on port ${port} of ${host} (${codeOf(error)}); choose another with --listen.`);
  }
  const name = isIPv6(host) ? `[${host}]` : host;
  return `${isSecure ? 'https' : 'http'}://${name}:${(server.address() as AddressInfo).port}`;
}

function describeStart(url: string, out: string, keys: readonly LogKey[], { key }: Cosigner): string {
  const count = new Set(keys.map(({ log }) => log)).size;
  return [
    `The witness keeps the checkpoints of ${count} ${count === 1 ? 'log' : 'logs'} in ${out}.`,
    `Set there: auditWitness ${url}`,
    `Its own key: ${key}\n`,
  ].join('\n');
}

/** A line for each key that is seen for the first time, and for what is refused, until something else is. */
function createReport(keys: readonly LogKey[], world: World): NonNullable<DeskOptions['onAnswer']> {
  const seen = new Set(keys.map(({ hash }) => hash));
  const told = new Map<string, string>();
  let strangers = 0;
  return (answer, { note, checkpoint: { log, size } }) => {
    if (answer.status === 404 && !told.has(log) && ++strangers > strangerLimit) return;
    const key = readKeyHash(note);
    const isNew = answer.status === 200 && !seen.has(key);
    if (isNew) seen.add(key);
    const text = isNew ? `kept; from here on it is signed by key ${key}, which was not given` : explain(answer);
    if (text !== undefined && told.get(log) !== text) world.out.write(`${new Date().toISOString()} log ${log}, ${size} records: ${text}\n`);
    if (text !== undefined) told.set(log, text);
    else if (answer.status === 200) told.delete(log);
  };
}

/** Undefined where there is nothing to tell. */
function explain({ status, finding }: DeskAnswer): string | undefined {
  if (finding === 'forked') return 'REFUSED: it does not go on from what is kept, so the log was changed or forked';
  if (finding === 'rolled_back') return 'REFUSED: more records are kept, so the log was set back to an older copy';
  if (status === 403) return 'refused: the signature is not by a key that was given';
  if (status === 404) return 'refused: no key of that log was given';
  return status === 500 ? 'failed: the file cannot be written' : undefined;
}

function waitForSignal({ signals }: World): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      signals.off('SIGINT', end);
      signals.off('SIGTERM', end);
      resolve();
    };
    signals.on('SIGINT', end);
    signals.on('SIGTERM', end);
  });
}

/**
 * Owns `inward manifest new`: collects what a manifest says from the site's store and from this host; with --key signs it, and
 * with --add puts it in force. Refuses to guess which of several agreements is meant, and to write over a file.
 */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Kind } from '../../config/kinds.ts';
import { findAgreements, gatherFacts, needPolicy } from '../../privacy/deployment/deployment.ts';
import { readHost } from '../../privacy/deployment/host.ts';
import { outboundSchema, readManifest } from '../../privacy/deployment/manifest.ts';
import { type Envelope, signEnvelope, writeEnvelope } from '../../privacy/envelope.ts';
import { SiteError } from '../../privacy/errors.ts';
import { writeNewFile } from '../../privacy/files.ts';
import type { Snapshot } from '../../privacy/store.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { resolveModel } from '../model/shelf.ts';
import { addSettings, collect, type Flags, parser, readSettings, UsageError } from '../options.ts';
import { addSigningOptions, createSigner } from '../signing.ts';
import { addSiteOptions, openSite, readTime } from '../site.ts';
import { agreementId } from '../values.ts';
import { addManifest, describeAdded, describeManifest, findTarget } from './common.ts';

interface NewFlags extends Flags {
  readonly agreement?: string;
  readonly model?: readonly string[];
  readonly outbound?: readonly string[];
  readonly out?: string;
  readonly key?: string;
  readonly add?: true;
}

const destination: Kind<string> = {
  schema: outboundSchema,
  expected: "a host and a port, as siem.example.org:6514, and none that tells a cloud's metadata",
  read: (text) => text,
};

export function createManifestNewCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('new')
    .description('Make the manifest of this host: what is here now becomes what a server is held to. Reads every byte of the weights.')
    .addOption(new Option('--agreement <id>', 'the agreement (default: the one in force for this site)').argParser(parser(agreementId)))
    .addOption(
      new Option(
        '--model <path>',
        'GGUF file, folder or imported model that may be loaded; once for each (default: the one that a server would load)',
      ).argParser(collect()),
    )
    .addOption(new Option('--outbound <host:port>', 'what the server may connect to; once for each (default: none)').argParser(collect(parser(destination))))
    .option('--out <file>', 'new file for the record (default: its id, with .json, in the current folder; with --add none)')
    .option('--key <file>', 'sign it with this private key, in PEM form')
    .addOption(new Option('--add', 'put it in force at once; needs --key'));
  addSigningOptions(addSettings(command, ['device']));
  return addSiteOptions(command)
    .addHelpText(
      'after',
      formatExamples([
        'inward manifest new --key compliance.pem --add',
        'inward manifest new --model ./model.gguf --outbound siem.example.org:6514 --out manifest.json',
      ]),
    )
    .action(async (flags: NewFlags) => onExit(await runNew(flags, world)));
}

async function runNew(flags: NewFlags, world: World): Promise<number> {
  if (flags.add === true && flags.key === undefined) throw new UsageError('--add needs --key: only a signed manifest can be in force.');
  await using site = await openSite(flags, world, 'manifest.write');
  if (flags.add === true && site.snapshot.policy?.signatures === 2) {
    throw new SiteError('This site needs the signatures of two different keys: expected a manifest that is signed twice before it is added; leave --add out.');
  }
  // Before gigabytes are hashed.
  const signer = flags.key === undefined ? undefined : createSigner(flags, world);
  const unsigned = await createRecord(flags, site.snapshot, world);
  const shown = describeManifest(readManifest(unsigned));
  const envelope = signer === undefined ? unsigned : signEnvelope(unsigned, await signer.unlock(unsigned, shown));
  if (signer === undefined) world.out.write(shown);
  if (flags.add !== true || flags.out !== undefined) writeRecord(envelope, flags, world);
  if (flags.add === true) {
    await addManifest(envelope, site, 'The manifest');
    world.out.write(describeAdded(envelope));
  }
  return 0;
}

function writeRecord(envelope: Envelope, { out, add }: NewFlags, world: World): void {
  const path = resolve(world.folder, out ?? `${String(envelope.record['id'])}.json`);
  writeNewFile(path, writeEnvelope(envelope), 0o644);
  const next = envelope.signatures.length === 0 ? `inward manifest sign ${path} --key PRIVATE.pem` : `inward manifest add ${path}`;
  world.out.write(`Written to ${path}.${add === true ? '' : ` Next: ${next}`}\n`);
}

async function createRecord(flags: NewFlags, snapshot: Snapshot, world: World): Promise<Envelope> {
  const { site, region } = needPolicy(snapshot);
  const now = readTime(snapshot);
  const models = flags.model ?? [];
  const { modelPath, ...target } = await findTarget(flags, models[0], world);
  const settings = readSettings({ ...flags, model: undefined }, world);
  const others = models.slice(1).map((model) => resolve(world.folder, resolveModel(model, settings, world)));
  const { hosts, ...facts } = await gatherFacts({ ...target, modelPaths: [modelPath, ...others] });
  if (readHost(target.root).knownBy === 'machine-id') {
    world.out.write(
      'The host is known by its machine-id only, which every copy of its disk has too: a user who may read /sys/class/dmi/id/product_uuid would know it by its firmware as well.\n',
    );
  }
  const record = {
    id: `mf-${randomBytes(6).toString('hex')}`,
    site,
    region,
    host: hosts[0],
    ...facts,
    agreement: flags.agreement ?? findOnlyAgreement(snapshot, hosts, now),
    outbound: flags.outbound ?? [],
    issued: `${new Date(now).toISOString().slice(0, 19)}Z`,
  };
  return { type: 'inward.manifest.v1', record, signatures: [] };
}

function findOnlyAgreement(snapshot: Snapshot, hosts: readonly string[], now: number): string {
  const [only, ...others] = findAgreements(snapshot, hosts, now);
  if (only !== undefined && others.length === 0) return only.id;
  const found = [only, ...others].map((agreement) => agreement?.id ?? 'none').join(', ');
  throw new SiteError(
    `The agreement of the manifest is not clear: expected one in force for this site, found ${found}; name it with --agreement, or add it (inward agreement add).`,
  );
}

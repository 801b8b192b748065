/**
 * Owns `inward audit prove`. Refuses to hand out a proof that the verifier does not take.
 */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { noteLimit, readCheckpoint } from '../../privacy/audit/note.ts';
import { type ConsistencyProof, findRequest, type InclusionProof, Prover } from '../../privacy/audit/proof.ts';
import { verifyProof } from '../../privacy/audit/verify.mjs';
import { SiteError } from '../../privacy/errors.ts';
import { readSmallFile } from '../../privacy/files.ts';
import { forms } from '../../privacy/words.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { type Flags, UsageError } from '../options.ts';
import type { Site } from '../site.ts';
import { addAuditOptions, chooseLog, leaveEvent, type NumberedLog, openAudit, writeResult } from './common.ts';

interface ProveFlags extends Flags {
  readonly since?: string;
  readonly out?: string;
}

type Proof = InclusionProof | ConsistencyProof;

export function createAuditProveCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('prove')
    .description('Prove that a record is in the log, or that the log is a continuation of an older checkpoint.')
    .argument('[record]', 'number of a record, or id of a request (a proof for each of its two records)')
    .addOption(new Option('--since <file>', 'prove that everything up to the checkpoint in this file is still there'))
    .addOption(new Option('--out <file>', 'write to this new file, which only you can read, in place of the terminal'));
  const examples = [
    'inward audit prove 1734 --out proof.json',
    'inward audit prove 3f8a1c0d-9b72-4e11-8f5a-0c1d2e3f4a5b',
    'inward audit prove --since checkpoint.txt',
  ];
  return addAuditOptions(command)
    .addHelpText('after', formatExamples(examples))
    .action(async (record: string | undefined, flags: ProveFlags) => onExit(await runProve(record, flags, world)));
}

async function runProve(record: string | undefined, flags: ProveFlags, world: World): Promise<number> {
  if ((record === undefined) === (flags.since === undefined)) throw new UsageError('Name a record or request, or --since a checkpoint; one of them.');
  const { site, logs } = await openAudit(flags, world);
  await using _ = site;
  const proofs = record === undefined ? proveSince(String(flags.since), logs, world) : proveRecord(record, logs);
  for (const proof of proofs) {
    const { flaws } = await verifyProof(proof);
    if (flaws[0] !== undefined)
      throw new SiteError(`The proof does not hold (${flaws[0].text.replace(/\.$/, '')}): the log is damaged, inward audit verify says where.`);
  }
  writeProofs(proofs, flags, world);
  await leaveEvents(site, proofs);
  return 0;
}

function proveRecord(record: string, logs: readonly NumberedLog[]): readonly InclusionProof[] {
  if (/^(?:0|[1-9]\d{0,15})$/.test(record)) {
    using prover = new Prover(chooseLog(logs, 'A number is that of a record in one log').reader);
    return [prover.include(Number(record))];
  }
  if (!forms.uuid.test(record)) throw new UsageError('Expected the number of a record, or the id of a request.');
  for (const { reader } of logs) {
    const found = findRequest(reader, record);
    if (found.length === 0) continue;
    using prover = new Prover(reader);
    return found.map((seq) => prover.include(seq));
  }
  throw new SiteError('There is no record of a request of that id, or it was purged (inward audit show --request).');
}

function proveSince(file: string, logs: readonly NumberedLog[], world: World): readonly ConsistencyProof[] {
  const path = resolve(world.folder, file);
  const text = readSmallFile(path, noteLimit).toString();
  const ids = logs.map(({ reader }) => reader.state()?.checkpoint.log);
  const index = ids.findIndex((id) => id !== undefined && text.startsWith(`inward-audit/${id}\n`));
  const log = logs[Math.max(0, index)];
  if (log === undefined) return [];
  using prover = new Prover(log.reader);
  return [prover.continue(text, `The file ${path}`)];
}

/** Each in a file of its own: so any verifier takes it. */
function writeProofs(proofs: readonly Proof[], { out }: ProveFlags, world: World): void {
  for (const proof of proofs) {
    const mark = proofs.length > 1 && 'index' in proof ? `-${proof.index}` : '';
    if (out === undefined) world.out.write(`${JSON.stringify(proof)}\n`);
    else writeResult(out, mark, `${JSON.stringify(proof, undefined, 2)}\n`, 'The proof is', world);
  }
}

/** A proof hands out what a record says. */
async function leaveEvents(site: Site, proofs: readonly Proof[]): Promise<void> {
  const [first] = proofs;
  const log = readCheckpoint(first?.checkpoint ?? '')?.log;
  if (log !== undefined)
    await leaveEvent(site, { event: 'audit_exported', log, format: 'proof', records: proofs.filter(({ kind }) => kind === 'inclusion').length });
}

/**
 * Owns `inward audit incident`: what the trail can say about an incident, with a proof for each of its records. Refuses to hand out a
 * document whose proofs the verifier does not take.
 */
import { Command, Option } from 'commander';
import { formatIncidentSheet } from '../../privacy/audit/incident/sheet.ts';
import { collectIncident, type Incident } from '../../privacy/audit/incident.ts';
import { Prover } from '../../privacy/audit/proof.ts';
import { verifyProof } from '../../privacy/audit/verify.mjs';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { parser, UsageError } from '../options.ts';
import { code, dayMs, hostId, ipAddress, keyId, personId } from '../values.ts';
import { addAuditOptions, addRangeOptions, leaveEvent, type NamedLog, nameLogs, openAudit, pickRecords, type RangeFlags, writeResult } from './common.ts';

interface IncidentFlags extends RangeFlags {
  readonly key?: string;
  readonly person?: string;
  readonly tenant?: string;
  readonly address?: string;
  readonly host?: string;
  readonly out: string;
}

export function createAuditIncidentCommand(world: World, onExit: (code: number) => void): Command {
  const command = addRangeOptions(
    new Command('incident').description(
      'What the trail says of an incident: keys, people, addresses, hosts, counts, changes, what is not known, and proofs. All that is given must fit.',
    ),
  )
    .addOption(new Option('--key <id>', 'only requests with this key').argParser(parser(keyId)))
    .addOption(new Option('--person <id>', 'only requests of this person').argParser(parser(personId)))
    .addOption(new Option('--tenant <code>', 'only requests of this department').argParser(parser(code)))
    .addOption(new Option('--address <address>', 'only requests from this address').argParser(parser(ipAddress)))
    .addOption(new Option('--host <id>', 'only requests to this host, as records name it').argParser(parser(hostId)))
    .addOption(new Option('--out <file>', 'the new file, which only you can read; one for each log').makeOptionMandatory());
  return addAuditOptions(command)
    .addHelpText('after', formatExamples(['inward audit incident --from 2026-11-20 --to 2026-11-24 --key 3f8k2m9x1c --out incident.json']))
    .action(async (flags: IncidentFlags) => onExit(await runIncident(flags, world)));
}

async function runIncident(flags: IncidentFlags, world: World): Promise<number> {
  const { from, to = Date.now(), key, person, tenant, address, host, out } = flags;
  if (from === undefined || from >= to) throw new UsageError('Expected --from a time before --to (now, where it is left out).');
  const { site, logs } = await openAudit(flags, world);
  await using _ = site;
  const named = nameLogs(logs);
  for (const log of named) {
    // A day on both sides: requests that began before, and ends that came later.
    const records = pickRecords(log.reader.records({ from: from - dayMs, to: to + dayMs }));
    const incident = await proveIncident(log, collectIncident(records, { from, to, key, person, tenant, address, host }));
    writeResult(out, named.length > 1 ? `-${log.number}` : '', formatDocument(incident), 'The incident is', world);
    world.out.write(formatIncidentSheet(incident));
    await leaveEvent(site, { event: 'audit_exported', log: log.log, format: 'incident', records: incident.records.length });
  }
  return 0;
}

/** The incident with a proof of each of its records. Throws SiteError. */
async function proveIncident({ reader }: NamedLog, found: Incident): Promise<Incident> {
  using prover = new Prover(reader);
  const incident = { ...found, checkpoint: prover.note, chain: prover.chain, proofs: prover.enter(found.records) };
  const { flaws } = await verifyProof(incident);
  if (flaws[0] === undefined) return incident;
  throw new SiteError(
    `The proofs do not hold (${flaws[0].text.replace(/\.$/, '')}): the log is damaged, inward audit verify says where, or records were purged meanwhile.`,
  );
}

/** A proof a line: with many the whole would be a very long text. */
function* formatDocument({ proofs, ...incident }: Incident): Generator<string, void, undefined> {
  yield JSON.stringify(incident, undefined, 2).replace(/\n\}$/, ',\n  "proofs": [');
  for (const [index, proof] of proofs.entries()) yield `${index === 0 ? '\n' : ',\n'}    ${JSON.stringify(proof)}`;
  yield `${proofs.length === 0 ? '' : '\n  '}]\n}\n`;
}

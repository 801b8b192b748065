/**
 * Owns `inward audit`: its commands are in audit/.
 */
import type { Command } from 'commander';
import type { World } from '../world.ts';
import { createAuditExportCommand } from './audit/export.ts';
import { createAuditIncidentCommand } from './audit/incident.ts';
import { createAuditKeyCommand } from './audit/key.ts';
import { createAuditProveCommand } from './audit/prove.ts';
import { createAuditPurgeCommand } from './audit/purge.ts';
import { createAuditReportCommand } from './audit/report.ts';
import { createAuditShowCommand } from './audit/show.ts';
import { createAuditVerifierCommand } from './audit/verifier.ts';
import { createAuditVerifyCommand } from './audit/verify.ts';
import { createAuditWitnessCommand } from './audit/witness.ts';
import { createGroup } from './group.ts';

export function createAuditCommand(world: World, onExit: (code: number) => void): Command {
  const commands = [
    createAuditShowCommand,
    createAuditVerifyCommand,
    createAuditProveCommand,
    createAuditExportCommand,
    createAuditReportCommand,
    createAuditIncidentCommand,
    createAuditKeyCommand,
    createAuditPurgeCommand,
    createAuditVerifierCommand,
    createAuditWitnessCommand,
  ];
  return createGroup(
    'audit',
    'The audit trail, which has that requests happened and never what was in them: show it, check it, prove what is in it, hand it out.',
    commands.map((create) => create(world, onExit)),
    ['inward audit show --from 1d', 'inward audit verify', 'inward audit export --format fhir --from 7d --out audit.ndjson'],
  );
}

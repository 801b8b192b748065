/**
 * Owns `inward audit`: its commands are in audit/.
 */
import type { Command } from 'commander';
import type { World } from '../world.ts';
import { createAuditWitnessCommand } from './audit/witness.ts';
import { createGroup } from './group.ts';

export function createAuditCommand(world: World, onExit: (code: number) => void): Command {
  const commands = [createAuditWitnessCommand];
  return createGroup(
    'audit',
    'The audit trail: that requests happened, never what was in them.',
    commands.map((create) => create(world, onExit)),
    ['inward audit witness --listen 127.0.0.1:8089 --out checkpoints --key KEY'],
  );
}

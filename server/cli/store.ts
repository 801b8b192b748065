/**
 * Owns `inward store`: its commands are in store/.
 */
import type { Command } from 'commander';
import type { World } from '../world.ts';
import { createGroup } from './group.ts';
import { createStoreBackupCommand } from './store/backup.ts';
import { createStoreCheckCommand } from './store/check.ts';
import { createStoreClockCommand } from './store/clock.ts';
import { createStoreRestoreCommand } from './store/restore.ts';

export function createStoreCommand(world: World, onExit: (code: number) => void): Command {
  const commands = [createStoreBackupCommand, createStoreRestoreCommand, createStoreCheckCommand, createStoreClockCommand];
  return createGroup(
    'store',
    'The file in which agreements, keys, people and quotas are kept.',
    commands.map((create) => create(world, onExit)),
    ['inward store backup inward-2026-11-25.sqlite', 'inward store restore inward-2026-11-25.sqlite', 'inward store check'],
  );
}

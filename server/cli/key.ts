/**
 * Owns `inward key`: its commands are in key/.
 */
import type { Command } from 'commander';
import type { World } from '../world.ts';
import { createGroup } from './group.ts';
import { createKeyCreateCommand } from './key/create.ts';
import { createKeyListCommand } from './key/list.ts';
import { createKeyRevokeCommand } from './key/revoke.ts';
import { createKeyRotateCommand } from './key/rotate.ts';
import { createKeySealCommand } from './key/seal.ts';

export function createKeyCommand(world: World, onExit: (code: number) => void): Command {
  const commands = [createKeyCreateCommand, createKeyListCommand, createKeyRevokeCommand, createKeyRotateCommand, createKeySealCommand];
  return createGroup(
    'key',
    'Keys of programs: what each may do, from where, when, how much and until when.',
    commands.map((create) => create(world, onExit)),
    ['inward key create --label scribe --purposes documentation --networks 10.1.0.0/16', 'inward key list', 'inward key revoke 3f8k2m9x1c'],
  );
}

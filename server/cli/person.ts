/**
 * Owns `inward person`: its commands are in person/.
 */
import type { Command } from 'commander';
import type { World } from '../world.ts';
import { createGroup } from './group.ts';
import { createPersonAddCommand } from './person/add.ts';
import { createPersonListCommand } from './person/list.ts';
import { createPersonRenewCommand } from './person/renew.ts';
import { createPersonRevokeCommand } from './person/revoke.ts';

export function createPersonCommand(world: World, onExit: (code: number) => void): Command {
  const commands = [createPersonAddCommand, createPersonListCommand, createPersonRevokeCommand, createPersonRenewCommand];
  return createGroup(
    'person',
    'People of the site: who administers, who agrees, who operates, who reviews.',
    commands.map((create) => create(world, onExit)),
    ['inward person add m.jones --roles operator', 'inward person list', 'inward person revoke m.jones'],
  );
}

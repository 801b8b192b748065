/**
 * Owns `inward model`: its commands are in model/.
 */
import type { Command } from 'commander';
import type { World } from '../world.ts';
import { createGroup } from './group.ts';
import { createModelAddCommand } from './model/add.ts';
import { createModelListCommand } from './model/list.ts';
import { createModelRemoveCommand } from './model/remove.ts';
import { createModelVerifyCommand } from './model/verify.ts';

export function createModelCommand(world: World, onExit: (code: number) => void): Command {
  const commands = [createModelAddCommand, createModelListCommand, createModelVerifyCommand, createModelRemoveCommand];
  return createGroup(
    'model',
    'Models that were imported: each in a folder of its own, with the hashes of its files beside them.',
    commands.map((create) => create(world, onExit)),
    ['inward model add /media/usb/Llama-3.1-8B-Instruct', 'inward model list', 'inward model verify Llama-3.1-8B-Instruct'],
  );
}

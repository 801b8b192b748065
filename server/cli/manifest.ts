/**
 * Owns `inward manifest`: its commands are in manifest/.
 */
import type { Command } from 'commander';
import type { World } from '../world.ts';
import { createGroup } from './group.ts';
import { createManifestAddCommand } from './manifest/add.ts';
import { createManifestCheckCommand } from './manifest/check.ts';
import { createManifestNewCommand } from './manifest/new.ts';
import { createManifestShowCommand } from './manifest/show.ts';
import { createManifestSignCommand } from './manifest/sign.ts';

export function createManifestCommand(world: World, onExit: (code: number) => void): Command {
  const commands = [createManifestNewCommand, createManifestSignCommand, createManifestAddCommand, createManifestShowCommand, createManifestCheckCommand];
  return createGroup(
    'manifest',
    'The signed deployment manifest: site, region, host, devices, program and weights that a server for PHI is held to.',
    commands.map((create) => create(world, onExit)),
    ['inward manifest new --key compliance.pem --add', 'inward manifest check'],
  );
}

/**
 * Owns `inward agreement`: its commands are in agreement/. Without an agreement in force nothing is served.
 */
import { Command } from 'commander';
import type { World } from '../world.ts';
import { createAddCommand, createRevokeCommand } from './agreement/add.ts';
import { createKeygenCommand, createTrustCommand } from './agreement/keys.ts';
import { createNewCommand } from './agreement/new.ts';
import { createShowCommand } from './agreement/show.ts';
import { createSignCommand } from './agreement/sign.ts';

const commands = [createKeygenCommand, createTrustCommand, createNewCommand, createSignCommand, createAddCommand, createShowCommand, createRevokeCommand];

export function createAgreementCommand(world: World, onExit: (code: number) => void): Command {
  const group = new Command('agreement').description('Make, sign, add, show and revoke the agreements without which nothing is served.');
  for (const create of commands) group.addCommand(create(world, onExit));
  return group.addHelpText(
    'after',
    `
Examples, in this order:
  inward agreement keygen --out compliance.pem
  inward agreement trust compliance.pem.pub
  inward agreement new --out agreement.json
  inward agreement sign agreement.json --key compliance.pem
  inward agreement add agreement.json
  inward agreement show`,
  );
}

/**
 * Owns `inward site`.
 */
import type { Command } from 'commander';
import type { World } from '../../world.ts';
import { createGroup } from '../group.ts';
import { createSiteInitCommand } from './init.ts';
import { createSiteShowCommand } from './show.ts';

export function createSiteCommand(world: World, onExit: (code: number) => void): Command {
  return createGroup(
    'site',
    'The site: set it up, and see how it stands.',
    [createSiteInitCommand(world, onExit), createSiteShowCommand(world, onExit)],
    ['inward site init --name st-marys --region us-east --admin a.smith --compliance c.jones', 'inward site show'],
  );
}

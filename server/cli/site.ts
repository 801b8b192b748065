/**
 * Owns how a command of administration gets at the site: its store, and the person who gives the command, known by an identity
 * file. Refuses an identity file that others may read, and a person whose roles do not permit the command.
 */
import type { Command } from 'commander';
import type { Store } from '../privacy/store.ts';
import type { Permission } from '../privacy/words.ts';
import type { World } from '../world.ts';
import type { Flags } from './options.ts';

export interface Site extends AsyncDisposable {
  readonly store: Store;
  /** Id of the person, for the columns that say who did it. */
  readonly person: string;
}

/** Adds --site and --identity. */
export function addSiteOptions(command: Command): Command {
  return command.option('--site <folder>', 'folder of the site').option('--identity <file>', 'your identity file, which says who gives this command');
}

/** Opens the site of `--site` for a person with this permission (`--identity`). Throws SiteError. */
export async function openSite(_flags: Flags, _world: World, _permission: Permission): Promise<Site> {
  throw new Error('not written yet');
}

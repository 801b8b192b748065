/**
 * Owns how a command of administration gets at the site: its store, and the person who gives the command, known by an identity
 * file. Refuses an identity file that others may read, and a person whose roles do not permit the command.
 */
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Surroundings } from '../config.ts';
import { recordFromCommand } from '../privacy/audit/changes.ts';
import { checkClock } from '../privacy/clock.ts';
import { Refusal, SiteError } from '../privacy/errors.ts';
import { readSecretFile, writeNewFile } from '../privacy/files.ts';
import { findSiteFolder, storeFile } from '../privacy/folder.ts';
import type { Person } from '../privacy/grants.ts';
import { checkPermission, identify } from '../privacy/people.ts';
import { openStore } from '../privacy/store/sqlite.ts';
import type { Snapshot, Store } from '../privacy/store.ts';
import { readVersion } from '../privacy/version.ts';
import type { Permission } from '../privacy/words.ts';
import type { World } from '../world.ts';
import type { Flags } from './options.ts';

export const siteVariable = 'INWARD_SITE';
export const identityVariable = 'INWARD_IDENTITY';

/** Who did it, where nobody is known. */
const setupAuthor = 'setup';
/** A command has no settings that bear on requests. */
const noProfile = '0'.repeat(64);
/** The line, and what an editor may have put around it. */
const identityLimit = 256;

export interface Site extends AsyncDisposable {
  readonly store: Store;
  /** As of when the person was identified. */
  readonly snapshot: Snapshot;
  /** Id of the person, for the columns that say who did it. */
  readonly person: string;
}

/** Adds --site and --identity. */
export function addSiteOptions(command: Command): Command {
  return addFolderOption(command).option('--identity <file>', `your identity file, which says who gives this command (${identityVariable})`);
}

/** For what nobody can be known to yet. */
export function addFolderOption(command: Command): Command {
  return command.option('--site <folder>', `folder of the site (default: $XDG_STATE_HOME/inward, else ~/.local/state/inward; ${siteVariable})`);
}

/** Folder and store of the site that flags or environment name. Throws SiteError. */
export function locateSite(flags: Flags, { folder, environment }: Surroundings): { readonly folder: string; readonly path: string } {
  const site = resolve(folder, findSiteFolder(pick(flags['site'], environment[siteVariable]), environment));
  return { folder: site, path: join(site, storeFile) };
}

/** Opens the site of `--site` for a person with this permission (`--identity`); which one may depend on the site. Throws SiteError. */
export async function openSite(flags: Flags, world: World, needed: Permission | ((snapshot: Snapshot) => Permission)): Promise<Site> {
  // Before the store is touched.
  const secret = readIdentity(flags, world);
  return openFor(flags, world, (snapshot) => authorize(secret, snapshot, typeof needed === 'function' ? needed(snapshot) : needed).id);
}

/** The same; on a site that was never set up, where nobody is known and no PHI can be, for whoever may read its folder. Throws SiteError. */
export async function openEvaluated(flags: Flags, world: World, needed: Permission): Promise<Site> {
  return openFor(flags, world, (snapshot) => (snapshot.policy === undefined ? setupAuthor : authorize(readIdentity(flags, world), snapshot, needed).id));
}

async function openFor(flags: Flags, world: World, identify: (snapshot: Snapshot) => string): Promise<Site> {
  const { folder, path } = locateSite(flags, world);
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openStore(path));
  const snapshot = await store.load();
  const id = identify(snapshot);
  const owned = opened.move();
  const leave = async (): Promise<void> => {
    await using _ = owned;
    try {
      await recordFromCommand(folder, store, { kind: 'command', version: readVersion(), profile: noProfile });
    } catch (error) {
      if (!(error instanceof SiteError) && !(error instanceof Refusal)) throw error;
      world.err.write(`This is done; its audit record waits in the store. ${error.message}\n`);
    }
  };
  return { store, snapshot, person: id, [Symbol.asyncDispose]: leave };
}

/** The text of the identity file. Throws SiteError. */
export function readIdentity(flags: Flags, { folder, environment }: Surroundings): string {
  const file = pick(flags['identity'], environment[identityVariable]);
  if (file === undefined) throw new SiteError(`This command must know who gives it: name your identity file with --identity or ${identityVariable}.`);
  const bytes = readSecretFile(resolve(folder, file), identityLimit);
  const text = bytes.toString('latin1').trim();
  bytes.fill(0);
  return text;
}

/** The person behind an identity, if his roles permit this here. Throws SiteError. */
export function authorize(secret: string, snapshot: Snapshot, permission: Permission): Person {
  if (snapshot.policy === undefined) throw new SiteError('This site has not been set up yet, so that nobody can be known here: inward site init');
  // A clock that was put back lets nobody in again; but somebody must be able to put right a time that was kept in error.
  const now = permission === 'store.write' ? Date.now() : Math.max(Date.now(), snapshot.clock);
  const person = identify(secret, snapshot, now);
  checkPermission(person, permission);
  return person;
}

/** The time for what is granted from now on. Throws SiteError where the clock is behind times that the site has seen. */
export function readTime({ clock }: Snapshot): number {
  const now = Date.now();
  checkClock(now, clock);
  return now;
}

export interface SecretFile {
  readonly path: string;
  readonly text: string;
}

/** Writes secrets to new files, then does what makes them count; if that fails the files are gone again. Throws SiteError. */
export async function withSecretFiles(files: readonly SecretFile[], count: () => Promise<void>): Promise<void> {
  const written: string[] = [];
  try {
    for (const { path, text } of files) {
      writeNewFile(path, `${text}\n`, 0o600);
      written.push(path);
    }
    await count();
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    throw error;
  }
}

/** The flag, else the variable; an empty variable counts as not set. */
function pick(flag: unknown, variable: string | undefined): string | undefined {
  return typeof flag === 'string' ? flag : variable || undefined;
}

/**
 * Owns the folder of imported models: one folder each, whole or not there at all, and what a name stands for. What is being imported is
 * beside them under a hidden name. Refuses to take for imported what has no list of sums.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder } from '../../../runtime/index.ts';
import { bareName } from '../../config/kinds.ts';
import type { Settings } from '../../config.ts';
import { listFiles } from '../../privacy/deployment/sums.ts';
import { sumsFile } from '../../privacy/deployment/weights.ts';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';

const draftForm = /^\.(.+)\.part$/;

/** The folder of the settings, else `models` of the cache folder. */
export function findShelf({ modelFolder }: Pick<Settings, 'modelFolder'>, { folder, environment }: Pick<World, 'folder' | 'environment'>): string {
  return modelFolder === undefined ? join(cacheFolder(environment), 'models') : resolve(folder, modelFolder);
}

/** Where a model is put together before it gets its name. */
export function draftOf(shelf: string, name: string): string {
  return join(shelf, `.${name}.part`);
}

/** Held by whoever changes what is under a name. */
export function lockOf(shelf: string, name: string): string {
  return join(shelf, `.${name}.lock`);
}

export function isImported(shelf: string, name: string): boolean {
  return bareName.test(name) && existsSync(join(shelf, name, sumsFile));
}

/** Names, sorted; `drafts`: of models whose import did not come to its end. */
export function listNames(shelf: string): { readonly models: readonly string[]; readonly drafts: readonly string[] } {
  if (!existsSync(shelf)) return { models: [], drafts: [] };
  const names = readdirSync(shelf).sort();
  return {
    models: names.filter((name) => isImported(shelf, name)),
    drafts: names.flatMap((name) => draftForm.exec(name)?.[1] ?? []),
  };
}

/** What the engine opens of an imported model: the folder, or the first GGUF file in it. */
export function entryOf(folder: string): string {
  if (existsSync(join(folder, 'config.json'))) return folder;
  const [first] = readdirSync(folder)
    .filter((file) => file.endsWith('.gguf'))
    .sort();
  return first === undefined ? folder : join(folder, first);
}

/** Bytes of all files of a folder. */
export function sizeOf(folder: string): number {
  return listFiles(folder).reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** The path of an imported model by its name; everything else is a path already. */
export function resolveModel(model: string, settings: Pick<Settings, 'modelFolder'>, world: Pick<World, 'folder' | 'environment'>): string {
  const shelf = findShelf(settings, world);
  return isImported(shelf, model) ? entryOf(join(shelf, model)) : model;
}

/** Throws SiteError for what cannot be the name of a folder of its own. */
export function demandName(name: string): string {
  if (bareName.test(name)) return name;
  throw new SiteError(
    `The name ${JSON.stringify(name.slice(0, 40))} cannot be used: expected letters, digits, ".", "_", "+" and "-", a letter or digit first, at most 120; give another one with --name.`,
  );
}

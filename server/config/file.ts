/**
 * Owns the configuration file: where it is looked for, and its reading. Refuses what is no JSON object of at most
 * 1 MiB in a regular file, and to quote what the file holds: the wrong file may have been named.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { bareName, describeFound } from './kinds.ts';
import { type Layer, SettingsError } from './resolve.ts';
import type { Setting, SettingTable } from './table.ts';

export const configFileName = 'inward.config.json';
export const configVariable = 'INWARD_CONFIG';
/** For editors; no setting. */
export const schemaKey = '$schema';
const sizeLimit = 2 ** 20;

/** `--config`, else INWARD_CONFIG, else inward.config.json in the current folder if it is there. */
export function findConfigFile(folder: string, environment: Readonly<Record<string, string | undefined>>, flag?: string): string | undefined {
  const named = flag ?? (environment[configVariable] || undefined);
  if (named !== undefined) return resolve(folder, named);
  const found = join(folder, configFileName);
  return existsSync(found) ? found : undefined;
}

/** The layer of a file. Throws SettingsError. */
export function readConfigFile<T>(table: SettingTable<T>, path: string): Layer {
  const { [schemaKey]: _, ...values } = parse(path, readText(path));
  for (const [name, row] of Object.entries<Setting>(table)) {
    const value = values[name];
    if (row.isPath && typeof value === 'string' && value !== '') values[name] = placeOf(value, dirname(path), row);
  }
  return { values, source: () => ({ from: 'file', name: path }) };
}

/** A name that is no file beside the configuration stays a name. */
function placeOf(value: string, folder: string, { isName = false }: Setting): string {
  const path = resolve(folder, value);
  return isName && bareName.test(value) && !existsSync(path) ? value : path;
}

function readText(path: string): string {
  const refuse = (expected: string, found: string): SettingsError =>
    new SettingsError(`The configuration file ${path} cannot be used: expected ${expected}, found ${found}.`);
  try {
    const stat = statSync(path);
    // A pipe or device would block or never end.
    if (!stat.isFile()) throw refuse('a file', stat.isDirectory() ? 'a folder' : 'something else');
    if (stat.size > sizeLimit) throw refuse('at most 1 MiB', `${stat.size} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path).subarray(0, sizeLimit));
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    if (error instanceof TypeError) throw refuse('text in UTF-8', 'other bytes');
    throw refuse('a readable file', (error as { readonly code?: string }).code === 'ENOENT' ? 'nothing' : 'one that cannot be read');
  }
}

function parse(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SettingsError(`The configuration file ${path} is not JSON (${locateError(text)}).`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new SettingsError(`The configuration file ${path} must hold one JSON object; found ${typeof value === 'string' ? 'a text' : describeFound(value)}.`);
}

/** Where text stops to be JSON. V8 does not always say, and its messages quote the text: so the longest beginning that may still become JSON is looked for. */
function locateError(text: string): string {
  if (text.trim() === '') return 'it is empty';
  if (canBecomeJson(text)) return 'it ends too early';
  let [good, bad] = [0, text.length];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (canBecomeJson(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  const lines = text.slice(0, good).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

/** Whether nothing is wrong with a text but, perhaps, that it ends. */
function canBecomeJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    return /^(Unexpected end|Unterminated)/.test(message) || Number(/at position (\d+)/.exec(message)?.[1] ?? -1) >= text.length;
  }
}

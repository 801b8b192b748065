/**
 * Owns what is in force: values of several layers checked against a table of settings, each with where it comes from.
 * Refuses unknown names, and to repeat the value of a secret.
 */
import { describeFound, quote } from './kinds.ts';
import { findNearest } from './nearest.ts';
import { environmentName, flagName, type Setting, type SettingTable } from './table.ts';

/** A setting of the operator's that cannot be used; the message is one sentence for the terminal. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

export type Origin = 'default' | 'file' | 'environment' | 'flag' | 'code';

export interface Source {
  readonly from: Origin;
  /** Path of the file, name of the variable or flag. */
  readonly name?: string;
}

/** Values that one place gives; a name without a value (undefined) is not given. */
export interface Layer {
  readonly values: Readonly<Record<string, unknown>>;
  /** Where the value of this setting comes from. */
  source(name: string): Source;
}

export interface Resolved<T> {
  readonly settings: T;
  readonly sources: Readonly<Record<keyof T & string, Source>>;
}

/** The value of the last layer that gives one, else the default. Throws SettingsError; every layer is checked, also where another is over it. */
export function resolveSettings<T>(table: SettingTable<T>, layers: readonly Layer[]): Resolved<T> {
  const rows = Object.entries<Setting>(table);
  const settings = new Map<string, unknown>(rows.flatMap(([name, { standard }]) => (standard === undefined ? [] : [[name, standard]])));
  const sources = new Map<string, Source>(rows.map(([name]) => [name, { from: 'default' }]));
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer.values)) {
      if (value === undefined) continue;
      const source = layer.source(name);
      settings.set(name, checkValue(table, name, value, source));
      sources.set(name, source);
    }
  }
  return { settings: Object.fromEntries(settings) as T, sources: Object.fromEntries(sources) as Resolved<T>['sources'] };
}

function checkValue<T>(table: SettingTable<T>, name: string, value: unknown, source: Source): unknown {
  const row = Object.hasOwn(table, name) ? (table as Record<string, Setting>)[name] : undefined;
  if (row === undefined) {
    const nearest = findNearest(name, Object.keys(table));
    const hint = nearest === undefined ? '`inward config --schema` lists the keys' : `did you mean ${quote(nearest)}?`;
    throw new SettingsError(`${source.name ?? 'The settings'}: unknown key ${quote(name)}, ${hint}`);
  }
  const result = row.schema.safeParse(value);
  if (result.success) return result.data;
  const found = row.isSecret ? 'something else' : describeFound(value);
  throw new SettingsError(`${describePlace(name, source)} must be ${row.expected}; found ${found}.`);
}

function describePlace(name: string, source: Source): string {
  if (source.from === 'file') return `${source.name}: ${name}`;
  if (source.from === 'environment') return `The environment variable ${source.name}`;
  return source.from === 'flag' ? `The option ${source.name}` : `The setting ${name}`;
}

/** The layer of environment variables; an empty one counts as not set. */
export function readEnvironment<T>(table: SettingTable<T>, environment: Readonly<Record<string, string | undefined>>): Layer {
  const given = Object.entries<Setting>(table).flatMap(([name, row]) => {
    const text = environment[environmentName(name)];
    return text === undefined || text === '' ? [] : [[name, row.read(text)]];
  });
  return { values: Object.fromEntries(given), source: (name) => ({ from: 'environment', name: environmentName(name) }) };
}

/** The layer of the command line; `flags` by the names that commander gives them. */
export function readFlags<T>(table: SettingTable<T>, flags: Readonly<Record<string, unknown>>): Layer {
  const given = Object.entries<Setting>(table).map(([name, row]) => [name, flags[row.flag ?? name]]);
  return {
    values: Object.fromEntries(given),
    source: (name) => ({ from: 'flag', name: `--${flagName(name, (table as Record<string, Setting>)[name] ?? {})}` }),
  };
}

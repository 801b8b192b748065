/**
 * Owns `inward config`: what is in force and from where, and the schema of the configuration file. Secrets are masked.
 */
import { Command, Option } from 'commander';
import { configVariable } from '../config/file.ts';
import { findNearest } from '../config/nearest.ts';
import type { Resolved, Source } from '../config/resolve.ts';
import { createJsonSchema } from '../config/schema.ts';
import { describeStandard, environmentName, type Setting, type SettingName, type SettingTable, settingTable } from '../config/table.ts';
import { loadSettings } from '../config.ts';
import type { World } from '../world.ts';
import { addSettings, type Flags } from './options.ts';
import { identityVariable, siteVariable } from './site.ts';
import { createStyle, type Style } from './style.ts';

const mask = '********';
/** Variables of Inward that are no settings. */
const otherVariables = [configVariable, 'INWARD_CACHE', siteVariable, identityVariable];

export function createConfigCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('config')
    .description('Show what is in force, and from where; or the schema of the configuration file.')
    .addOption(new Option('--show', 'show every setting with its value and source; the default'))
    .addOption(new Option('--schema', 'print the JSON Schema of the configuration file').conflicts(['show', 'json']))
    .option('--json', 'print what is in force as JSON');
  return addSettings(command, Object.keys(settingTable) as SettingName[])
    .addHelpText('after', '\nExamples:\n  inward config --show --port 9000\n  inward config --schema > inward.schema.json')
    .action((flags: Flags) => onExit(runConfig(flags, world)));
}

function runConfig(flags: Flags, world: World): number {
  if (flags['schema'] === true) {
    world.out.write(`${JSON.stringify(createJsonSchema(settingTable), undefined, 2)}\n`);
    return 0;
  }
  const loaded = loadSettings(flags, world);
  const shown = describeSettings(settingTable, loaded);
  const suspects = findMisspelt(world.environment);
  if (flags['json'] === true) {
    world.out.write(`${JSON.stringify({ file: loaded.file ?? null, settings: shown, ignored: suspects.map(({ name }) => name) }, undefined, 2)}\n`);
    return 0;
  }
  const style = createStyle(world.out, world.environment);
  world.out.write(formatSettings(shown, loaded.file, style));
  for (const { name, nearest } of suspects) world.out.write(style.warn(`${name} is not a variable of Inward and is ignored; did you mean ${nearest}?\n`));
  return 0;
}

export interface ShownSetting extends Source {
  /** Null where no value is given and none is the default. */
  readonly value: unknown;
  /** What happens without a value. */
  readonly words?: string;
}

/** Every setting with its value, masked if it is a secret, and where that comes from. */
export function describeSettings<T>(table: SettingTable<T>, { settings, sources }: Resolved<T>): Record<string, ShownSetting> {
  const rows = Object.entries<Setting>(table).map(([name, row]): [string, ShownSetting] => {
    const value = settings[name as keyof T] ?? null;
    const source = sources[name as keyof T & string];
    if (value === null) return [name, { value, words: describeStandard(row), ...source }];
    return [name, { value: row.isSecret ? mask : value, ...source }];
  });
  return Object.fromEntries(rows);
}

function formatSettings(shown: Record<string, ShownSetting>, file: string | undefined, style: Style): string {
  const rows = Object.entries(shown).map(([name, { value, words, from, name: where }]) => ({
    name,
    value: value === null ? (words ?? 'none') : String(value),
    source: [from, where].filter(Boolean).join(' '),
  }));
  const widths = { name: Math.max(...rows.map(({ name }) => name.length)), value: Math.max(...rows.map(({ value }) => value.length)) };
  const lines = rows.map(({ name, value, source }) => {
    const paint = source === 'default' ? style.dim : style.bold;
    return `${name.padEnd(widths.name)}  ${paint(value.padEnd(widths.value))}  ${style.dim(source)}`;
  });
  return [`configuration file: ${file ?? 'none'}`, '', ...lines, ''].join('\n');
}

/** Variables that look like misspelt names of settings. Others may be there: an orchestrator gives a service called inward many. */
function findMisspelt(environment: World['environment']): { name: string; nearest: string }[] {
  const known = [...Object.keys(settingTable).map(environmentName), ...otherVariables];
  const prefix = 'INWARD_';
  return Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !known.includes(name))
    .flatMap((name) => {
      const rests = known.map((entry) => entry.slice(prefix.length));
      const nearest = findNearest(name.slice(prefix.length), rests);
      return nearest === undefined ? [] : [{ name, nearest: prefix + nearest }];
    });
}

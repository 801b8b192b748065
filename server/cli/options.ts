/**
 * Owns the options that several commands share, made from the table of settings, and what becomes of their values.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { EngineOptions } from '../../runtime/index.ts';
import { configFileName, configVariable } from '../config/file.ts';
import { type Kind, wholeNumber } from '../config/kinds.ts';
import { describeStandard, environmentName, flagName, type Setting, type SettingName, settingTable } from '../config/table.ts';
import { loadSettings, type Settings, toEngineOptions } from '../config.ts';
import type { World } from '../world.ts';
import { resolveModel } from './model/shelf.ts';
import { createProgress } from './progress.ts';

/** A command line that cannot be used; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Values of flags, by the names that commander gives them. */
export type Flags = Readonly<Record<string, unknown>>;

/** A parser of one kind of value. */
export function parser<T>(kind: Kind<T>): (text: string) => T {
  return (text) => {
    const result = kind.schema.safeParse(kind.read(text));
    if (!result.success) throw new InvalidArgumentError(`Expected ${kind.expected}.`);
    return result.data;
  };
}

/** One value more each time the option is given. */
export function collect<T = string>(parse: (text: string) => T = (text) => text as T): (text: string, before: unknown) => T[] {
  return (text, before) => [...(Array.isArray(before) ? (before as T[]) : []), parse(text)];
}

/** Token ids. Strict: digits and commas. Commander would repeat the list in its message, so this is not one of its parsers. */
export function parseIds(list: string): Uint32Array {
  const numbers = list.split(',').map((part) => (/^\d{1,10}$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (!numbers.every((number) => number <= 0xffff_ffff)) throw new UsageError('--ids must be whole numbers from 0 on with commas between, like 1,2,3.');
  return Uint32Array.from(numbers);
}

/** A parser of whole numbers from `low` to `high`. */
export function integer(low: number, high: number = 2_147_483_647): (text: string) => number {
  return parser(wholeNumber(low, high));
}

/** The flags of a setting that is on or off; together they have no default, so that one that is not given is told from one that is. */
function toggleOptions(name: SettingName, row: Setting, note: string): Option[] {
  const flag = flagName(name, row);
  return [new Option(`--${flag}`, `${row.help} (default: ${describeStandard(row)}${note})`), new Option(`--no-${flag}`, `not --${flag}`)];
}

/** The flag of a setting with a value; `note` stands behind its default. */
function settingOption(name: SettingName, note = ''): Option {
  const row: Setting = settingTable[name];
  const option = new Option(`--${flagName(name, row)} <${row.value}>`, `${row.help} (default: ${describeStandard(row)}${note})`);
  return row.choices ? option.choices(row.choices) : option.argParser(parser(row));
}

/** For commands that look at nothing but their flags. */
export const modelOption = (): Option => settingOption('model');
export const deviceOption = (): Option => new Option('--device <name>', settingTable.device.help).choices(settingTable.device.choices ?? []).default('auto');

/** Adds the flags of these settings, and --config. */
export function addSettings(command: Command, names: readonly SettingName[]): Command {
  for (const name of names) {
    const row: Setting = settingTable[name];
    const note = `; ${environmentName(name)}`;
    if (row.isSecret) continue;
    for (const option of row.isToggle ? toggleOptions(name, row, note) : [settingOption(name, note)]) command.addOption(option);
  }
  return command.option('--config <file>', `configuration file (default: ${configFileName} in the current folder, if it is there; ${configVariable})`);
}

export interface Prepared {
  readonly engine: EngineOptions;
  readonly deviceReason: string;
}

/** Fetches what is missing, if that may be, and gives the engine's options, with a progress bar on the terminal. */
export async function prepareEngine(settings: Settings, world: World, mayFetch = true): Promise<Prepared> {
  const device = await world.ensureDevice(settings.device, mayFetch);
  const modelPath = await findModel(settings, world, mayFetch);
  return {
    engine: {
      ...toEngineOptions(settings, modelPath),
      // The one that was proved to work, not `auto`: the engine would take the first that is installed.
      device: device.name,
      // Standard error is then one JSON object a line.
      ...(settings.log === 'json' ? {} : { onProgress: createProgress(world.err) }),
    },
    deviceReason: device.reason,
  };
}

/** Path of the model of the settings: an imported one by its name, the default one where none is named, fetched if that may be. */
export async function findModel(settings: Settings, world: World, mayFetch = true): Promise<string> {
  return settings.model === undefined ? world.ensureDefaultModel(mayFetch) : resolveModel(settings.model, settings, world);
}

/** What is in force for a command with these flags. Throws SettingsError. */
export const readSettings = (flags: Flags, world: World): Settings => loadSettings(flags, world).settings;

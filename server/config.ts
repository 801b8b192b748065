/**
 * Owns the server's settings as the rest of the program sees them; the table behind them is config/table.ts.
 * Refuses to read environment or files itself: whoever starts hands both over.
 */
import type { EngineOptions } from '../runtime/index.ts';
import type { TextOptions } from '../runtime/text/index.ts';
import { findConfigFile, readConfigFile } from './config/file.ts';
import { readBytes } from './config/kinds.ts';
import { type Layer, type Resolved, readEnvironment, readFlags, resolveSettings } from './config/resolve.ts';
import { checkRules } from './config/rules.ts';
import { type Settings, settingTable } from './config/table.ts';
import type { TokenVerifierOptions } from './privacy/tokens/tokens.ts';

export { SettingsError } from './config/resolve.ts';
export type { Settings } from './config/table.ts';

/** Temperature of a request that names none; 1 as in OpenAI's API. */
export const defaultTemperature = 1;

export type SettingsInput = { readonly [Name in keyof Settings]?: Settings[Name] | undefined };

/** Defaults filled in and limits checked; throws SettingsError with the first broken rule. */
export function parseSettings(input: SettingsInput): Settings {
  const { settings } = resolveSettings(settingTable, [{ values: input, source: () => ({ from: 'code' }) }]);
  checkRules(settings);
  return settings;
}

/** Where settings come from. */
export interface Surroundings {
  /** The current folder. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What is in force: file, over it the environment, over that the flags (by the names that commander gives them). */
export function loadSettings(flags: Readonly<Record<string, unknown>>, { folder, environment }: Surroundings): Resolved<Settings> & { readonly file?: string } {
  const config = flags['config'];
  const file = findConfigFile(folder, environment, typeof config === 'string' ? config : undefined);
  const layers: Layer[] = [
    ...(file === undefined ? [] : [readConfigFile(settingTable, file)]),
    readEnvironment(settingTable, environment),
    readFlags(settingTable, flags),
  ];
  const resolved = resolveSettings(settingTable, layers);
  checkRules(resolved.settings);
  return { ...resolved, ...(file === undefined ? {} : { file }) };
}

/** The engine's part, for a model that is here. */
export function toEngineOptions(settings: Settings, modelPath: string): EngineOptions {
  const {
    device,
    context,
    maxSequences,
    kvTokens,
    queueLength,
    tokenBudget,
    prefixSeconds,
    prefixQuota,
    draft,
    draftLength,
    stages,
    microBatches,
    kv,
    activations,
    deterministic,
    expertMemory,
    expertHostMemory,
  } = settings;
  return {
    ...{ modelPath, device, maxSequences, queueLength, tokenBudget, prefixSeconds, prefixQuota, draft, draftLength, stages, microBatches, kv, activations },
    deterministic,
    tune: settings.tune ? 'quick' : 'off',
    ...(context === undefined ? {} : { contextLength: context }),
    ...(kvTokens === undefined ? {} : { kvTokens }),
    ...(expertMemory === undefined ? {} : { expertMemory: readBytes(expertMemory) }),
    ...(expertHostMemory === undefined ? {} : { expertHostMemory: readBytes(expertHostMemory) }),
  };
}

/** The text side's part. */
export function toTextOptions(settings: Settings, modelPath: string): TextOptions {
  const { textDeadlineMs, textMemoryMib, textRenewRequests, textRenewIdleMs } = settings;
  return { modelPath, deadlineMs: textDeadlineMs, memoryMiB: textMemoryMib, renewAfterRequests: textRenewRequests, renewIdleMs: textRenewIdleMs };
}

/** The part of bearer tokens; undefined where none are taken. */
export function toTokenOptions({ oidcIssuer, oidcAudience, oidcKeys }: Settings): TokenVerifierOptions | undefined {
  if (oidcIssuer === undefined || oidcAudience === undefined || oidcKeys === undefined) return undefined;
  return { issuer: oidcIssuer, audience: oidcAudience, keysFile: oidcKeys };
}

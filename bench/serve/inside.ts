/**
 * Owns the experiments that HTTP cannot show: where the time of a step goes, what guessed tokens gain, and whether a tenant sees another's
 * cache. Each round has a process of its own.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseDriver, driverEnvironment } from '../../runtime/drivers.ts';
import type { DeviceName, TokenId } from '../../runtime/index.ts';
import { openText } from '../../runtime/text/index.ts';
import { Child, PeerError } from '../child.ts';
import { measureProfile, type StepProfile } from '../profile.ts';
import { compareRanks } from './statistics.ts';
import { significance } from './targets.ts';

export interface InsideOptions {
  readonly model: string;
  readonly device: DeviceName;
}

/** Sequences and tokens of context of the step that is taken apart. */
const batch = 8;
const promptTokens = 128;

/** The profile of a decoding step of eight sequences. Throws PeerError. */
export async function profileStep(options: InsideOptions): Promise<StepProfile> {
  const profiles = await measureProfile({ ...options, deterministic: true, batch, promptTokens });
  const found = profiles.find(({ step }) => step.startsWith(`decode, ${batch} x`));
  if (found === undefined) throw new PeerError('no step of eight sequences was measured');
  return found;
}

export interface IsolationOptions extends InsideOptions {
  readonly promptTokens: number;
  /** Prompts; each is sent three times. */
  readonly samples: number;
  readonly seed: number;
}

/** Times to the first token, in ms. */
export interface IsolationSamples {
  /** Of prompts that nobody has sent before. */
  readonly cold: readonly number[];
  /** Of the same prompts, by another tenant. */
  readonly other: readonly number[];
  /** Of the same prompts, by the first tenant again. */
  readonly own: readonly number[];
}

/** Throws PeerError. */
export async function measureIsolation(options: IsolationOptions): Promise<IsolationSamples> {
  await using child = new Child(join(import.meta.dirname, 'isolation-process.ts'), driverEnvironment(chooseDriver(options.device)));
  const { samples } = await child.ask<{ readonly samples: IsolationSamples }>({ type: 'isolation', ...options });
  return samples;
}

export interface DraftsOptions extends InsideOptions {
  readonly prompts: readonly Uint32Array[];
  readonly stopIds: readonly TokenId[];
  /** Of a summary, at most. */
  readonly newTokens: number;
}

/** Of one summary. */
export interface DraftsSample {
  readonly tokens: number;
  /** From its first token to its last, in ms. */
  readonly plainMs: number;
  readonly guessingMs: number;
  readonly guessed: number;
  readonly accepted: number;
}

/** Summaries of so many conversations, from `offset` on, with guessed tokens and without. Throws PeerError. */
export async function measureDrafts(
  options: InsideOptions & { readonly documents: number; readonly offset: number; readonly newTokens: number },
): Promise<DraftsSample[]> {
  const { model, device, documents, offset, newTokens } = options;
  await using text = await openText({ modelPath: model });
  const lines = readFileSync(join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'dialogues', 'mts-dialog.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const prompts: Uint32Array[] = [];
  for (let i = 0; i < documents; i++) {
    const { dialogue } = JSON.parse(lines[(offset + i) % lines.length] ?? '{}') as { readonly dialogue: string };
    const content = `Write the clinical note for this conversation. Keep the patient's words.\n\n${dialogue}`;
    prompts.push(await text.encodeChat([{ role: 'user', content }]));
  }
  await using child = new Child(join(import.meta.dirname, 'drafts-process.ts'), driverEnvironment(chooseDriver(device)));
  const { samples } = await child.ask<{ readonly samples: DraftsSample[] }>({ type: 'drafts', model, device, prompts, stopIds: text.info.stopIds, newTokens });
  return samples;
}

export interface IsolationVerdict {
  /** Undefined where the control failed: then nothing is shown. */
  readonly p: number | undefined;
  /** Of the tenant's own repeated prompts against cold ones, which must differ: else this test would not see a leak either. */
  readonly controlP: number;
}

export function judgeIsolation({ cold, other, own }: IsolationSamples): IsolationVerdict {
  const controlP = compareRanks(own, cold).p;
  return { p: controlP < significance ? compareRanks(other, cold).p : undefined, controlP };
}

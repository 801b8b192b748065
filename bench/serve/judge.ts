/**
 * Owns the rounds of the experiments: those over HTTP on one server, in turn, then those inside of an engine, each alone; and what is found
 * against what is asked. Medians of the rounds.
 */

import { UsageError } from '../../server/cli/options.ts';
import { type Statistic, summarize } from '../arithmetic.ts';
import { PeerError } from '../child.ts';
import type { StepProfile } from '../profile.ts';
import { say } from '../rounds.ts';
import {
  demandComplete,
  fullSizes,
  longestOf,
  quickSizes,
  type Round,
  type ServedExperiment,
  type Side,
  type Sizes,
  servedExperiments,
} from './experiments.ts';
import { type DraftsSample, type InsideOptions, type IsolationSamples, judgeIsolation, measureDrafts, measureIsolation, profileStep } from './inside.ts';
import type { LoadOptions } from './options.ts';
import { joinSeeds } from './random.ts';
import type { Detail, ExperimentRecord } from './record.ts';
import { runLoad } from './run.ts';
import { openSubject, type Prepared } from './subject.ts';
import { summarizeLoad } from './summary.ts';
import { type ExperimentName, experimentNames, isTargetMet, loadTargets } from './targets.ts';

/** What fails is not measured, and says why; the others go on. Throws UsageError. */
export async function measureExperiments(options: LoadOptions, prepared: Prepared): Promise<ExperimentRecord[]> {
  const names = experimentNames.filter((name) => options.experiment === 'all' || options.experiment === name);
  const sizes = options.quick ? quickSizes : fullSizes;
  const served = names.filter((name): name is ServedExperiment => name in servedExperiments);
  const records = served.length > 0 ? await measureServed(options, prepared, served, sizes) : [];
  if (names.includes('host')) records.push(await measureInside('host', prepared, (own) => measureHost(own, options.rounds)));
  if (names.includes('drafts')) records.push(await measureInside('drafts', prepared, (own) => measureSummaries(own, options, sizes)));
  if (names.includes('isolation')) records.push(await measureInside('isolation', prepared, (own) => measureTenants(own, options, sizes)));
  // With other sizes than the targets name there is nothing to judge.
  return options.quick ? records.map((record) => ({ ...record, isMet: null, reason: record.reason ?? 'with little work' })) : records;
}

async function measureServed(options: LoadOptions, prepared: Prepared, names: readonly ServedExperiment[], sizes: Sizes): Promise<ExperimentRecord[]> {
  const longest = longestOf(sizes);
  if (longest > prepared.context) throw new UsageError(`The experiments need a context of ${longest} tokens, and this one holds ${prepared.context}.`);
  await using subject = await openSubject(options, prepared);
  const rounds = new Map(names.map((name) => [name, [] as Round[]]));
  const failures = new Map<ServedExperiment, string>();
  for (let round = 1; round <= options.rounds; round++) {
    for (const [index, name] of names.entries()) {
      if (failures.has(name)) continue;
      say(`round ${round}: ${name}`);
      const run = async (requests: Parameters<typeof runLoad>[1]) => demandComplete(await runLoad(subject.target, requests, prepared.ids));
      const work = servedExperiments[name]({ run, sizes, seed: joinSeeds(options.seed, round, index), round });
      await work.then(
        (found) => rounds.get(name)?.push(found),
        (error: unknown) => failures.set(name, explainFailure(error)),
      );
    }
  }
  return names.map((name) => {
    const reason = failures.get(name);
    const own = rounds.get(name) ?? [];
    if (reason !== undefined) return createRecord(name, null, { reason });
    return createRecord(name, summarize(own.map(({ value }) => value)), { sides: joinSides(own) });
  });
}

/** Throws what is no failure of something measured. */
function explainFailure(error: unknown): string {
  if (!(error instanceof PeerError)) throw error;
  return error.message;
}

/** Those of all rounds together, so that distributions have more samples; a rate is then that of the time between first and last, so it comes from single rounds. */
function joinSides(rounds: readonly Round[]): ExperimentRecord['sides'] {
  const sides = Map.groupBy(
    rounds.flatMap(({ sides: own }) => own),
    ({ name }: Side) => name,
  );
  return [...sides].map(([name, all]) => ({
    ...summarizeLoad(
      name,
      all.flatMap(({ outcomes }) => outcomes),
    ),
    tokensPerSecond: summarize(all.map(({ outcomes }) => summarizeLoad(name, outcomes).tokensPerSecond)).median,
  }));
}

function createRecord(name: ExperimentName, found: Statistic | null, more: Partial<Pick<ExperimentRecord, 'sides' | 'details' | 'reason'>>): ExperimentRecord {
  return { name, limit: loadTargets[name].limit, found, isMet: isTargetMet(name, found), reason: null, sides: [], details: [], ...more };
}

async function measureInside(name: ExperimentName, { own }: Prepared, work: (options: InsideOptions) => Promise<ExperimentRecord>): Promise<ExperimentRecord> {
  if (own === undefined) return createRecord(name, null, { reason: 'it looks inside the engine, which --url does not show' });
  return await work(own).catch((error: unknown) => createRecord(name, null, { reason: explainFailure(error) }));
}

async function measureHost(own: InsideOptions, rounds: number): Promise<ExperimentRecord> {
  const profiles: StepProfile[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round}: host`);
    profiles.push(await profileStep(own));
  }
  const [first] = profiles;
  const median = (of: (profile: (typeof profiles)[number]) => number): number => summarize(profiles.map(of)).median;
  const parts = (first?.parts ?? []).map(({ part }, index): Detail => ({ name: part, value: median(({ parts: all }) => all[index]?.ms ?? 0), unit: 'ms' }));
  const step: Detail = { name: 'the whole step', value: median(({ stepMs }) => stepMs), unit: 'ms' };
  return createRecord('host', summarize(profiles.map(({ workMs, stepMs }) => (100 * workMs) / stepMs)), { details: [...parts, step] });
}

async function measureSummaries(own: InsideOptions, { rounds }: LoadOptions, { drafts }: Sizes): Promise<ExperimentRecord> {
  const found: DraftsSample[][] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round}: drafts`);
    found.push(await measureDrafts({ ...own, ...drafts, offset: (round - 1) * drafts.documents }));
  }
  const sum = (samples: readonly DraftsSample[], of: keyof DraftsSample): number => samples.reduce((total, sample) => total + sample[of], 0);
  const all = found.flat();
  const details: Detail[] = [
    { name: 'tokens of the summaries', value: sum(all, 'tokens'), unit: 'tokens' },
    { name: 'guessed tokens', value: sum(all, 'guessed'), unit: 'tokens' },
    { name: 'of these right', value: (100 * sum(all, 'accepted')) / Math.max(1, sum(all, 'guessed')), unit: '%' },
  ];
  return createRecord('drafts', summarize(found.map((samples) => sum(samples, 'plainMs') / sum(samples, 'guessingMs'))), { details });
}

async function measureTenants(own: InsideOptions, { rounds, seed }: LoadOptions, { isolation }: Sizes): Promise<ExperimentRecord> {
  const found: IsolationSamples[] = [];
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round}: isolation`);
    found.push(await measureIsolation({ ...own, ...isolation, seed: joinSeeds(seed, 12, round) }));
  }
  const all = (of: keyof IsolationSamples): number[] => found.flatMap((samples) => samples[of]);
  const samples = { cold: all('cold'), other: all('other'), own: all('own') };
  const { p, controlP } = judgeIsolation(samples);
  const labels = { cold: 'cold, median', other: 'another tenant, the same prompts', own: 'the same tenant again' } as const;
  const medians = (['cold', 'other', 'own'] as const).map((key): Detail => ({ name: labels[key], value: summarize(samples[key]).median, unit: 'ms' }));
  const details: Detail[] = [...medians, { name: 'the same tenant again against cold (a control: must be small)', value: controlP, unit: 'p' }];
  if (p === undefined)
    return createRecord('isolation', null, { details, reason: 'a tenant gained nothing from its own cache, so a leak would not show either' });
  return createRecord('isolation', summarize([p]), { details });
}

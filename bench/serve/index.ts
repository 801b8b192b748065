/**
 * `npm run bench:serve`: a server under load over HTTP, by a trace, a mix or bursts, or in the experiments that targets are about. What the words
 * mean: bench/README.md. A target that is missed and a request that fails are results, not errors.
 */

import { writeFileSync } from 'node:fs';
import { startProgress } from '../../scripts/progress.mjs';
import { UsageError } from '../../server/cli/options.ts';
import { readVersion } from '../../server/privacy/version.ts';
import { describeMachine } from '../machine.ts';
import { demandFolder } from '../suite/index.ts';
import { measureExperiments } from './judge.ts';
import { longestRequest, type PlannedRequest, planBurst, planMix, planTrace } from './load.ts';
import { type LoadOptions, parseLoadOptions } from './options.ts';
import { drawLoad } from './plot.ts';
import { joinSeeds } from './random.ts';
import type { ServeRecord } from './record.ts';
import { formatServeRecord } from './report.ts';
import { type Outcome, runLoad } from './run.ts';
import { openSubject, type Prepared, prepareSubject } from './subject.ts';
import { summarizeLoad } from './summary.ts';
import { readTrace } from './trace.ts';

/** Measures and prints. Throws UsageError, InwardError and commander's CommanderError. */
export async function main(args: readonly string[]): Promise<void> {
  const options = parseLoadOptions(args);
  const { json, svg } = options;
  for (const file of [json, svg]) if (file !== undefined) demandFolder(file);
  const record = await measure(options);
  if (svg !== undefined) writeFileSync(svg, drawLoad(record));
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(record, null, 1)}\n`);
  console.log(`${formatServeRecord(record).join('\n')}\n${JSON.stringify(record)}`);
}

type Measured = Pick<ServeRecord, 'load' | 'summaries' | 'experiments'>;

async function measure(options: LoadOptions): Promise<ServeRecord> {
  const prepared = await prepareSubject(options);
  const measured: Measured =
    options.experiment === undefined
      ? await measureLoad(options, prepared)
      : { load: null, summaries: [], experiments: await measureExperiments(options, prepared) };
  const version = readVersion();
  return {
    date: new Date().toISOString().slice(0, 10),
    version,
    machine: describeMachine(),
    device: prepared.own?.device ?? null,
    model: prepared.name,
    level: { ttftMs: options.sloTtft, itlMs: options.sloItl },
    rounds: options.experiment === undefined ? 1 : options.rounds,
    ...measured,
  };
}

async function measureLoad(options: LoadOptions, prepared: Prepared): Promise<Measured> {
  const bursts = planLoad(options, prepared);
  const requests = bursts.flat();
  const longest = longestRequest(requests);
  if (longest > prepared.context)
    throw new UsageError(`A request has ${longest} tokens and the context holds ${prepared.context}: raise --context, or ask for shorter ones.`);
  await using subject = await openSubject(options, prepared);
  const outcomes = await runBursts(bursts, (burst, onDone) => runLoad(subject.target, burst, prepared.ids, onDone));
  const level = { ttftMs: options.sloTtft, itlMs: options.sloItl };
  const kinds = [...Map.groupBy(outcomes, ({ kind }) => kind)].sort(([a], [b]) => a.localeCompare(b));
  const summaries = kinds.length > 1 ? kinds.map(([kind, own]) => summarizeLoad(kind, own, level)) : [];
  const span = Math.max(...requests.map(({ at }) => at));
  const source = options.trace !== undefined ? 'trace' : options.concurrency !== undefined ? 'bursts' : 'mix';
  return {
    load: { source, requests: requests.length, seed: options.seed, rate: span > 0 ? ((requests.length - 1) * 1000) / span : null },
    summaries: [summarizeLoad('all', outcomes, level), ...summaries],
    experiments: [],
  };
}

/** What is sent: lists of which each begins when the one before has ended. */
function planLoad(options: LoadOptions, { context }: Prepared): PlannedRequest[][] {
  const { trace, limit, concurrency, mix, rate, seed, promptTokens, newTokens } = options;
  if (trace !== undefined) return [planTrace(readTrace(trace, limit), { length: options.scaleLength, time: options.scaleTime, rate, context, seed })];
  if (concurrency === undefined) return [planMix({ mix, rate, requests: options.requests ?? 30, seed })];
  const requests = options.requests ?? concurrency;
  return Array.from({ length: Math.ceil(requests / concurrency) }, (_, burst) =>
    planBurst({ kind: 'bursts', count: Math.min(concurrency, requests - burst * concurrency), promptTokens, newTokens, seed: joinSeeds(seed, burst) }),
  );
}

async function runBursts(
  bursts: readonly PlannedRequest[][],
  run: (burst: readonly PlannedRequest[], onDone: () => void) => Promise<Outcome[]>,
): Promise<Outcome[]> {
  const total = bursts.flat().length;
  const progress = startProgress(`${total} requests`);
  let done = 0;
  const outcomes: Outcome[] = [];
  for (const burst of bursts) outcomes.push(...(await run(burst, () => progress.update(++done / total))));
  progress.end('done');
  return outcomes;
}

/**
 * `npm run bench`: measures Inward on one device, beside llama.cpp, transformers.js and the kernels of onnxruntime where they are installed, in
 * interleaved rounds; or draws a saved record again. What is measured and how to read it: bench/README.md. A target that is missed is a
 * result, not an error.
 */

import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { describeCheckpoint, metadataInteger, openCheckpoint } from '../runtime/checkpoint/index.ts';
import { ensureDevice } from '../scripts/setup/index.ts';
import { UsageError } from '../server/cli/options.ts';
import { readVersion } from '../server/privacy/version.ts';
import { summarize } from './arithmetic.ts';
import { writeCharts } from './charts.ts';
import { PeerError } from './child.ts';
import { describeMachine } from './machine.ts';
import { findModel } from './model.ts';
import { type BenchOptions, comparedWorkload, longestSequence, parseOptions } from './options.ts';
import { installPeers } from './peer.ts';
import { formatProfile, measureProfile, type StepProfile } from './profile.ts';
import { type BenchRecord, compareContexts, compareSeries, compareStreams, summarizeEngine, summarizeKernels } from './record.ts';
import { formatReport } from './report.ts';
import { type Measured, measureRounds, type Prepared, say } from './rounds.ts';
import { readSavedRecord } from './saved.ts';
import { judgeTargets } from './targets.ts';

/** Measures and prints. Throws UsageError, InwardError and commander's CommanderError. */
export async function main(args: readonly string[]): Promise<void> {
  if (args[0] === 'kernels') return (await import('./suite/index.ts')).main(args.slice(1));
  if (args[0] === 'serve') return (await import('./serve/index.ts')).main(args.slice(1));
  if (args[0] === 'kv') return (await import('./quality/index.ts')).main(args.slice(1));
  if (args[0] === 'soak') return (await import('./soak/index.ts')).main(args.slice(1));
  if (args[0] === 'audit') return (await import('./audit.ts')).main(args.slice(1));
  if (args[0] === 'retention') return (await import('./retention/index.ts')).main(args.slice(1));
  if (args[0] === 'experts') return (await import('./experts/index.ts')).main(args.slice(1));
  if (args[0] === 'load') return (await import('./load/index.ts')).main(args.slice(1));
  if (args[0] === 'stages') return (await import('./stages.ts')).main(args.slice(1));
  if (args[0] === 'gate') return (await import('./gate.ts')).main(args.slice(1));
  if (args[0] === 'http') return (await import('./http.ts')).main(args.slice(1));
  if (args[0] === 'grammar') return (await import('./grammar/index.ts')).main(args.slice(1));
  if (args[0] === 'deid') return (await import('./deid/index.ts')).main(args.slice(1));
  if (args[0] === 'model') return (await import('./synthetic.ts')).main(args.slice(1));
  const options = parseOptions(args);
  if (options.profile) {
    const profiles = await profileSteps(options);
    console.log(`${formatProfile(profiles).join('\n')}\n${JSON.stringify(profiles)}`);
    return;
  }
  const record = options.from === undefined ? await measureRecord(options) : readSavedRecord(options.from);
  if (options.svg !== undefined) for (const file of writeCharts(record, options.svg)) say(`wrote ${file}`);
  console.log(`${formatReport(record).join('\n')}\n${JSON.stringify(record)}`);
}

async function measureRecord(options: BenchOptions): Promise<BenchRecord> {
  if (options.installPeers) {
    say('installing the peers');
    await orUsageError(installPeers());
  }
  const device = await ensureDevice(options.device);
  const model = await findModel(options.model);
  checkContext(model, longestSequence(options));
  const prepared = { ...options, model, device: device.name };
  return createRecord(prepared, await orUsageError(measureRounds(prepared)));
}

async function profileSteps({ model, device, promptTokens, batch, deterministic }: BenchOptions): Promise<readonly StepProfile[]> {
  const driver = await ensureDevice(device);
  const options = { model: await findModel(model), device: driver.name, promptTokens: promptTokens[0] ?? 1, batch, deterministic };
  say(`profile on ${driver.name}`);
  return orUsageError(measureProfile(options));
}

/** Before minutes are spent. */
function checkContext(model: string, longest: number): void {
  using checkpoint = openCheckpoint(model);
  const limit = metadataInteger(checkpoint, `${describeCheckpoint(checkpoint).family}.context_length`, 1, 2 ** 24);
  if (longest > limit)
    throw new UsageError(`The context of this model holds ${limit} tokens, and ${longest} are to be measured: lower --prompt-tokens or --new-tokens.`);
}

function createRecord(options: Prepared, { dispatchesPerToken, ours, others, coldStarts, kernels }: Measured): BenchRecord {
  const own = summarizeEngine(ours);
  const ratios = others.map((theirs) => compareSeries(ours, theirs));
  const streams = compareStreams(ours);
  const context = compareContexts(ours);
  const kernelRecords = summarizeKernels(kernels);
  const bytes = statSync(options.model).size;
  const [warmMs, emptyMs] = [coldStarts.warm, coldStarts.empty].map((times) => (times.length > 0 ? summarize(times) : null));
  const version = readVersion();
  return {
    date: new Date().toISOString().slice(0, 10),
    version,
    machine: describeMachine(),
    device: options.device,
    model: { file: basename(options.model), bytes },
    rounds: options.rounds,
    dispatchesPerToken,
    engines: [own, ...others.map(summarizeEngine)],
    compared: comparedWorkload(options),
    ratios,
    streams,
    context,
    coldStart: { warmMs: warmMs ?? null, emptyMs: emptyMs ?? null },
    kernels: kernelRecords,
    targets: judgeTargets({
      device: options.device,
      compared: comparedWorkload(options),
      ratios,
      kernels: kernelRecords,
      streams,
      context,
      decodePerSecond: own.runs.at(-1)?.decodePerSecond.median ?? 0,
      coldStartMs: warmMs?.median,
      residentBytes: own.residentBytes.median,
      modelBytes: bytes,
    }),
  };
}

/** What a measured process says of its end, as one sentence. */
async function orUsageError<T>(work: Promise<T>): Promise<T> {
  return await work.catch((error: unknown) => {
    throw error instanceof PeerError ? new UsageError(error.message) : error;
  });
}

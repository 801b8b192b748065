/**
 * `npm run bench`: measures Inward on one device, beside llama.cpp where it is installed, in interleaved rounds.
 * What is measured and how to read it: bench/README.md. A target that is missed is a result, not an error.
 */
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { describeCheckpoint, metadataInteger, openCheckpoint } from '../runtime/checkpoint/index.ts';
import { InwardError } from '../runtime/index.ts';
import { ensureDefaultModel, ensureDevice } from '../scripts/setup/index.ts';
import { UsageError } from '../server/cli/options.ts';
import type { Workload } from './arithmetic.ts';
import { describeMachine, readLoad } from './machine.ts';
import { allWorkloads, type BenchOptions, comparedWorkload, parseOptions } from './options.ts';
import { type OurSubject, openOurs } from './ours.ts';
import { hasPeers, installPeers, openPeer, PeerError, type PeerName, peerLabels } from './peer.ts';
import { type BenchRecord, compareSeries, judgeTargets, type Series, summarizeEngine } from './record.ts';
import { formatReport } from './report.ts';
import { measure, type Sample } from './round.ts';

type Prepared = BenchOptions & { readonly model: string; readonly device: OurSubject['info']['device'] };

/** Measures and prints. Throws UsageError, InwardError and commander's CommanderError. */
export async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options.installPeers) await orUsageError(installPeers());
  const device = await ensureDevice(options.device);
  const model = options.model ?? (await ensureDefaultModel());
  checkContext(model, longestSequence(options));
  const record = await measureAll({ ...options, model, device: device.name });
  console.log(`${formatReport(record).join('\n')}\n${JSON.stringify(record)}`);
}

/** Before minutes are spent. */
function checkContext(model: string, longest: number): void {
  using checkpoint = openCheckpoint(model);
  const limit = metadataInteger(checkpoint, `${describeCheckpoint(checkpoint).family}.context_length`, 1, 2 ** 24);
  if (longest > limit)
    throw new UsageError(`The context of this model holds ${limit} tokens, and ${longest} are to be measured: lower --prompt-tokens or --new-tokens.`);
}

function longestSequence(options: BenchOptions): number {
  return Math.max(...allWorkloads(options).map(({ promptTokens, newTokens }) => promptTokens + newTokens));
}

async function measureAll(options: Prepared): Promise<BenchRecord> {
  const peers = new Map(choosePeers(options.peers).map((name) => [name, [] as Sample[]]));
  const ours: Sample[] = [];
  let dispatchesPerToken = 0;
  for (let round = 1; round <= options.rounds; round++) {
    const own = await measureOurs(options, `round ${round}: `);
    dispatchesPerToken = own.dispatchesPerToken;
    ours.push(own.sample);
    for (const [name, samples] of peers) {
      say(`round ${round}: ${peerLabels[name]}`);
      const sample = await measurePeer(name, options, own.vocabularySize);
      // Without it the rounds of both sides would no longer stand beside each other.
      if (sample === undefined) peers.delete(name);
      else samples.push(sample);
    }
  }
  const own = { name: 'Inward', workloads: allWorkloads(options), samples: ours };
  const others = [...peers].map(([name, samples]) => ({ name: peerLabels[name], workloads: peerWorkloads(name, options), samples }));
  return createRecord(options, dispatchesPerToken, own, others);
}

function createRecord(options: Prepared, dispatchesPerToken: number, ours: Series, others: readonly Series[]): BenchRecord {
  const own = summarizeEngine(ours);
  const ratios = others.map((theirs) => compareSeries(ours, theirs));
  const bytes = statSync(options.model).size;
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string };
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
    targets: judgeTargets(
      ratios.find(({ against }) => against === peerLabels.vulkan),
      own.residentBytes.median,
      bytes,
    ),
  };
}

interface OurRound {
  readonly sample: Sample;
  readonly dispatchesPerToken: number;
  readonly vocabularySize: number;
}

async function measureOurs(options: Prepared, prefix: string): Promise<OurRound> {
  say(`${prefix}Inward`);
  const load = readLoad();
  const workloads = allWorkloads(options);
  const room = Math.max(...workloads.map(({ sequences, promptTokens, newTokens }) => sequences * (promptTokens + newTokens + 16)));
  await using subject = await openOurs({
    modelPath: options.model,
    device: options.device,
    // As served, unless more is asked.
    contextLength: Math.max(4096, longestSequence(options)),
    maxSequences: Math.max(8, options.batch),
    // No less than what keeps a batch from being computed twice.
    kvTokens: Math.max(4096, room),
  });
  const { vocabularySize } = subject.info;
  const sample = await measure(subject, workloads, vocabularySize, load);
  // The last workload is one sequence.
  return { sample, dispatchesPerToken: await subject.readDispatches(), vocabularySize };
}

/** Undefined, after saying why, if the peer does not do it: ours is still worth measuring. */
async function measurePeer(name: PeerName, options: Prepared, vocabularySize: number): Promise<Sample | undefined> {
  const load = readLoad();
  try {
    await using subject = await openPeer({ name, modelPath: options.model, device: options.device, threadCount: options.threads });
    return await measure(subject, peerWorkloads(name, options), vocabularySize, load);
  } catch (error) {
    if (!(error instanceof PeerError) && !(error instanceof InwardError)) throw error;
    say(`${peerLabels[name]} is left out: ${error.message}`);
    return undefined;
  }
}

/** The Vulkan peer on a CPU device needs minutes for what ours does in seconds. */
function peerWorkloads(name: PeerName, options: BenchOptions): Workload[] {
  return name === 'vulkan' ? [comparedWorkload(options)] : allWorkloads(options);
}

function choosePeers(wanted: readonly PeerName[]): readonly PeerName[] {
  if (wanted.length === 0 || hasPeers()) return wanted;
  say('llama.cpp is not installed, so Inward is measured alone. To compare: npm run bench -- --install-peers');
  return [];
}

async function orUsageError(work: Promise<void>): Promise<void> {
  say('installing the peers');
  await work.catch((error: unknown) => {
    throw error instanceof PeerError ? new UsageError(`${error.message}.`) : error;
  });
}

/** Progress goes to stderr, results to stdout; with the time since the start, so that a slow part is seen. */
function say(line: string): void {
  console.error(`${Math.round(performance.now() / 1000)} s  ${line}`);
}

/**
 * Owns the rounds: in each of them ours, its cold start, every peer, and the kernels of every side, one after the other, so that none
 * runs beside another and what disturbs a round disturbs all of it. A peer that fails is left out with one line.
 */
import { type ActivationFormat, type DeviceName, InwardError } from '../runtime/index.ts';
import type { Workload } from './arithmetic.ts';
import { PeerError } from './child.ts';
import { measureColdStart } from './coldstart.ts';
import { chainPlans } from './kernels/chain.ts';
import { hasSide, type KernelSample, labelOf, measureSide, type SideName, type SideOptions, sideNames } from './kernels/side.ts';
import { readLoad } from './machine.ts';
import { allWorkloads, type BenchOptions, comparedWorkload, longestSequence } from './options.ts';
import { openOurs } from './ours.ts';
import { type EngineName, hasPeer, openPeer, type PeerModel, type PeerName, peerLabels, prepareModel } from './peer.ts';
import { type KernelRecord, type KernelSeries, type Series, summarizeKernels } from './record.ts';
import { measure, type Sample } from './round.ts';

export type Prepared = BenchOptions & { readonly model: string; readonly device: DeviceName };

export interface Measured {
  readonly dispatchesPerToken: number;
  readonly ours: Series;
  readonly others: readonly Series[];
  /** In ms, one a round; fewer than rounds where it could not be measured. */
  readonly coldStarts: { readonly warm: readonly number[]; readonly empty: readonly number[] };
  /** Ours first; empty where onnxruntime is not measured. */
  readonly kernels: readonly KernelSeries[];
}

const notInstalled = 'not all peers are installed, so they are not compared with. To compare: npm run bench -- --install-peers';

/** Progress goes to stderr, results to stdout; with the time since the start, so that a slow part is seen. */
export function say(line: string): void {
  console.error(`${Math.round(performance.now() / 1000)} s  ${line}`);
}

export async function measureRounds(options: Prepared): Promise<Measured> {
  const peers = choosePeers(options.peers);
  using models = await prepareModels(
    peers.filter((name) => name !== 'ort'),
    options.model,
  );
  const engines = new Map([...models.of.keys()].map((name) => [name, [] as Sample[]]));
  const sides: Sides = new Map((peers.includes('ort') ? modelSides : []).map((name) => [name, []]));
  const coldStarts = new Map([['warm', [] as number[]], ...(options.cold ? [['empty', [] as number[]] as const] : [])]);
  const ours: Sample[] = [];
  const int8: Sample[] = [];
  let dispatchesPerToken = 0;
  for (let round = 1; round <= options.rounds; round++) {
    say(`round ${round}: Inward`);
    const own = await measureOurs(options, 'f32');
    dispatchesPerToken = own.dispatchesPerToken;
    ours.push(own.sample);
    if (options.int8) {
      say(`round ${round}: ${int8Label}`);
      int8.push((await measureOurs(options, 'int8')).sample);
    }
    await measureEach(
      coldStarts,
      round,
      (kind) => `cold start, ${kind} cache of kernels`,
      (kind) => measureColdStart({ model: options.model, device: options.device, isEmpty: kind === 'empty' }),
    );
    await measureEach(
      engines,
      round,
      (name) => peerLabels[name],
      (name) => measurePeer(name, models.of.get(name)?.path ?? '', options, own.vocabularySize),
    );
    await measureSidesOnce(sides, round, { device: options.device, threadCount: options.threads, plans: chainPlans });
  }
  return {
    dispatchesPerToken,
    ours: { name: 'Inward', workloads: allWorkloads(options), samples: ours },
    others: [
      ...(options.int8 ? [{ name: int8Label, workloads: allWorkloads(options), samples: int8 }] : []),
      ...[...engines].map(([name, samples]) => ({ name: peerLabels[name], workloads: peerWorkloads(name, options), samples })),
    ],
    coldStarts: { warm: coldStarts.get('warm') ?? [], empty: coldStarts.get('empty') ?? [] },
    kernels: seriesOf(sides),
  };
}

const int8Label = 'Inward with int8 activations';

/** llama.cpp is measured with whole models here. */
const modelSides: readonly SideName[] = ['ours', 'oursInt8', 'ortWebgpu', 'ortCpu'];

type Sides = Map<SideName, KernelSample[][]>;

/** Chains of matrices on every side that is here, in interleaved rounds. */
export async function measureSides(options: SideOptions, rounds: number): Promise<KernelRecord[]> {
  const present = sideNames.filter(hasSide);
  if (present.length < sideNames.length) say(notInstalled);
  const sides: Sides = new Map(present.map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) await measureSidesOnce(sides, round, options);
  return summarizeKernels(seriesOf(sides));
}

function measureSidesOnce(sides: Sides, round: number, options: SideOptions): Promise<void> {
  return measureEach(
    sides,
    round,
    (name) => `kernels, ${labelOf(name)}`,
    (name) => measureSide(name, options),
  );
}

/** Ours first; empty where ours failed, because the others are compared with it. */
function seriesOf(sides: Sides): KernelSeries[] {
  return sides.has('ours') ? [...sides].map(([name, samples]) => ({ name: labelOf(name), samples })) : [];
}

/** One sample more of each; what fails leaves the map, because the rounds of all sides must stand beside each other. */
async function measureEach<Name, S>(all: Map<Name, S[]>, round: number, label: (name: Name) => string, work: (name: Name) => Promise<S>): Promise<void> {
  for (const [name, samples] of all) {
    say(`round ${round}: ${label(name)}`);
    try {
      samples.push(await work(name));
    } catch (error) {
      if (!(error instanceof PeerError) && !(error instanceof InwardError)) throw error;
      say(`${label(name)} is left out: ${error.message}`);
      all.delete(name);
    }
  }
}

interface OurRound {
  readonly sample: Sample;
  readonly dispatchesPerToken: number;
  readonly vocabularySize: number;
}

async function measureOurs(options: Prepared, activations: ActivationFormat): Promise<OurRound> {
  const load = readLoad();
  const workloads = allWorkloads(options);
  const room = Math.max(...workloads.map(({ sequences, promptTokens, newTokens }) => sequences * (promptTokens + newTokens + 16)));
  await using subject = await openOurs({
    modelPath: options.model,
    device: options.device,
    activations,
    deterministic: options.deterministic,
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

async function measurePeer(name: EngineName, path: string, options: Prepared, vocabularySize: number): Promise<Sample> {
  const load = readLoad();
  await using subject = await openPeer({ name, path, device: options.device, threadCount: options.threads });
  return await measure(subject, peerWorkloads(name, options), vocabularySize, load);
}

/** The peers on the device, where that is a CPU, need minutes for what ours does in seconds. */
function peerWorkloads(name: EngineName, options: BenchOptions): Workload[] {
  return name === 'cpu' ? allWorkloads(options) : [comparedWorkload(options)];
}

/** The model as each of them opens it, once for all rounds; whoever cannot is left out. */
async function prepareModels(names: readonly EngineName[], modelPath: string): Promise<Disposable & { readonly of: ReadonlyMap<EngineName, PeerModel> }> {
  const of = new Map<EngineName, PeerModel>();
  for (const name of names) {
    try {
      of.set(name, await prepareModel(name, modelPath));
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      say(`${peerLabels[name]} is left out: ${error.message}`);
    }
  }
  return {
    of,
    [Symbol.dispose]: () => {
      for (const model of of.values()) model[Symbol.dispose]();
    },
  };
}

function choosePeers(wanted: readonly PeerName[]): readonly PeerName[] {
  const present = wanted.filter(hasPeer);
  if (present.length < wanted.length) say(notInstalled);
  return present;
}

/**
 * Owns the course of a proof: start, traffic, wait, look, end, look again, crash of a copy. Gives what was found of every claim.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { judgeCore } from './checks/core.ts';
import { judgeDevice } from './checks/device.ts';
import { judgeFiles, listChanged, type Scene } from './checks/files.ts';
import { judgeFlags } from './checks/flags.ts';
import { judgeMemory, type MemoryTable, watchMemory } from './checks/memory.ts';
import { judgeIsolation, judgeNetwork, SocketWatch } from './checks/network.ts';
import { judgeSwap } from './checks/swap.ts';
import { type Bytes, judgeTexts } from './checks/texts.ts';
import { Child, type ChildOptions, canTrace } from './child.ts';
import { type Finding, sortFindings } from './claims.ts';
import { type Crash, crashCopy } from './crash.ts';
import { listIdNeedles, Markers } from './markers.ts';
import { type ProcessFacts, readFacts } from './processes.ts';
import { prepareSite } from './site.ts';
import { readTrace, type Trace } from './trace.ts';
import { fetchBytes, judgeAnswers, sendTraffic, statePaths, type Traffic } from './traffic.ts';
import { createKinds } from './tree.ts';

export interface ProveOptions extends Omit<ChildOptions, 'trace'> {
  /** The ids of a text, without any that mark its beginning or end. */
  readonly encode: (text: string) => Promise<Uint32Array>;
  /** Requests of a route, at least. */
  readonly requests: number;
  /** Longest wait for the memory to be free of markers, in ms. */
  readonly idleMs: number;
  readonly onProgress: (label: string, done: number, total: number) => void;
}

export interface Proof {
  readonly findings: readonly Finding[];
  readonly traffic: Traffic;
  readonly memory: MemoryTable;
  readonly isTraced: boolean;
  /** The server ran before, and goes on running. */
  readonly isAttached: boolean;
  readonly markers: Markers;
  /** What the server says of itself when it starts. */
  readonly panel: Panel;
}

export interface Panel {
  readonly device: string;
  readonly driver: string;
  readonly model: string;
}

/** What was seen of a server from its start to its end. */
interface Observed {
  readonly child: Child;
  readonly traffic: Traffic;
  readonly metrics: readonly Bytes[];
  readonly memory: MemoryTable;
  readonly facts: readonly ProcessFacts[];
  readonly sockets: SocketWatch;
  /** Ms of the epoch. */
  readonly served: number;
  readonly isEnded: boolean;
}

/** `folder`: an empty one that only this user may enter. Throws SiteError where the server does not start, and the signal's reason where that ended it. */
export async function prove(options: ProveOptions): Promise<Proof> {
  const { folder, onProgress } = options;
  const markers = new Markers();
  const begun = Date.now();
  const isTraced = canTrace(options.environment);
  const file = isTraced ? join(folder, 'trace') : undefined;
  const observed = await observe({ ...options, trace: file }, markers);
  onProgress('Making a copy crash', 0, 1);
  const crash = await crashCopy({ ...options, folder: join(folder, 'copy') });
  // What was seen of a server that was ended in the middle proves nothing.
  options.signal?.throwIfAborted();
  onProgress('Looking at files', 0, 1);
  const trace = file === undefined ? undefined : readTrace(readFileSync(file, 'utf8'));
  if (file !== undefined) rmSync(file);
  const findings = judgeAll(observed, { trace, crash, markers, begun, options });
  onProgress('Looking at files', 1, 1);
  const { traffic, memory, child } = observed;
  return { findings, traffic, memory, isTraced, isAttached: false, markers, panel: readPanel(Buffer.concat(child.out).toString()) };
}

async function observe(options: ProveOptions & ChildOptions, markers: Markers): Promise<Observed> {
  const { folder, settings, requests, idleMs, onProgress } = options;
  const known = markers.next();
  const ids = listIdNeedles(await options.encode(known));
  const tokens = await prepareSite(join(folder, 'site'));
  await using child = new Child(options);
  onProgress('Starting the server', 0, 1);
  const url = await child.listen();
  const served = Date.now();
  using sockets = new SocketWatch(child, Number(new URL(url).port));
  const limits = { bodySize: settings.bodyLimit };
  const traffic = await sendTraffic({
    url,
    ...tokens,
    requests,
    limits,
    markers,
    known,
    onProgress: (done, total) => onProgress('Sending requests', done, total),
  });
  const metrics = await Promise.all(statePaths.map((path) => fetchBytes(url, path, tokens.auditor)));
  const memory = await watchMemory(child, [...markers.memoryNeedles, ...ids], idleMs, (done) => onProgress('Reading memory', done, 1));
  const facts = readFacts(child.look());
  onProgress('Ending the server', 0, 1);
  const isEnded = await child.stop(settings.drainTimeoutMs + 60_000);
  return { child, traffic, metrics, memory, facts, sockets, served, isEnded };
}

interface Evidence {
  readonly trace: Trace | undefined;
  readonly crash: Crash;
  readonly markers: Markers;
  readonly begun: number;
  readonly options: ProveOptions;
}

function judgeAll(
  { child, traffic, metrics, memory, facts, sockets, served, isEnded }: Observed,
  { trace, crash, markers, begun, options }: Evidence,
): Finding[] {
  const { folder, environment } = options;
  const site = `${join(folder, 'site')}/`;
  const scene: Scene = { folder, site, environment, served, span: 'from the start of the server to its end', markers, kindOf: createKinds(child.seen, trace) };
  const changed = listChanged({ folder, site, environment, trace, begun, user: process.getuid?.() ?? 0 });
  const [out, err] = [Buffer.concat(child.out), Buffer.concat(child.err)];
  const streams = [
    { name: 'standard output', bytes: out },
    { name: 'standard error', bytes: err },
  ];
  return sortFindings([
    judgeFiles(trace, changed, scene),
    judgeTexts('traces', changed, markers),
    judgeTexts('streams', streams, markers),
    judgeTexts('metrics', metrics, markers),
    ...judgeAnswers(traffic),
    judgeNetwork(trace, sockets, scene),
    judgeIsolation(trace, sockets, scene),
    judgeMemory(memory),
    judgeDevice(err, isEnded),
    judgeCore(facts, crash),
    judgeSwap(facts),
    judgeFlags(facts, crash),
  ]);
}

function readPanel(text: string): Panel {
  const line = (name: string): string => new RegExp(`^ +${name} +(.*)$`, 'm').exec(text)?.[1]?.trim() ?? 'unknown';
  return { device: line('device'), driver: line('driver'), model: line('model') };
}

/**
 * Owns the course of a proof of a server that runs already: what can be seen of it from beside it while it answers, with a key that the
 * operator hands over. What would harm it, or is told only at its end, reads `not proven`.
 */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config.ts';
import { type Attached, type OpenFile, readBehind } from './attached.ts';
import { judgeCore } from './checks/core.ts';
import { isListedFile, judgeFiles, listChanged, type Scene } from './checks/files.ts';
import { judgeFlags } from './checks/flags.ts';
import { judgeMemory, type MemoryTable, watchMemory } from './checks/memory.ts';
import { judgeIsolation, judgeNetwork, SocketWatch } from './checks/network.ts';
import { judgeSwap } from './checks/swap.ts';
import { type Bytes, judgeTexts } from './checks/texts.ts';
import { doubt, type Finding, type Place, sortFindings } from './claims.ts';
import { type Crash, readCorePattern } from './crash.ts';
import { listIdNeedles, Markers } from './markers.ts';
import { type ProcessFacts, readFacts } from './processes.ts';
import type { Panel, Proof } from './run.ts';
import { readTrace, type Trace } from './trace.ts';
import { fetchBytes, judgeAnswers, sendTraffic, statePaths, type Traffic } from './traffic.ts';
import { createKinds } from './tree.ts';

export interface AttachOptions {
  readonly server: Attached;
  readonly url: string;
  /** Of a program; and of a person who may see metrics and state, if there is one. */
  readonly key: string;
  readonly auditor: string | undefined;
  readonly purpose: string | undefined;
  /** Those that the server is said to have. */
  readonly settings: Settings;
  /** Where strace is looked for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of the server's site. */
  readonly site: string;
  /** An empty one that only this user may enter. */
  readonly folder: string;
  readonly encode: (text: string) => Promise<Uint32Array>;
  readonly requests: number;
  readonly idleMs: number;
  readonly onProgress: (label: string, done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What was seen of the server. */
interface Observed {
  readonly before: readonly OpenFile[];
  readonly logs: readonly Log[];
  readonly isTraced: boolean;
  readonly traffic: Traffic;
  readonly metrics: readonly Bytes[] | undefined;
  readonly memory: MemoryTable;
  readonly facts: readonly ProcessFacts[];
  readonly sockets: SocketWatch;
  readonly begun: number;
}

/** A standard stream that leads to a file, and its size before. */
interface Log {
  readonly path: string;
  readonly offset: number;
}

const harmless = 'A running server is not made to crash: inward prove without --attach does that to a copy.';

/** Throws the signal's reason where that ended it. */
export async function proveAttached(options: AttachOptions): Promise<Proof> {
  const { server, folder, onProgress, signal } = options;
  const markers = new Markers();
  const file = join(folder, 'trace');
  await using _ = server;
  const observed = await observe(options, file, markers);
  await server[Symbol.asyncDispose]();
  signal?.throwIfAborted();
  onProgress('Looking at files', 0, 1);
  const trace = observed.isTraced ? readTrace(readFileSync(file, 'utf8')) : undefined;
  rmSync(file, { force: true });
  const findings = judgeAll(options, observed, trace, markers);
  onProgress('Looking at files', 1, 1);
  const { traffic, memory, isTraced } = observed;
  return { findings, traffic, memory, isTraced, isAttached: true, markers, panel: readPanel(observed.metrics) };
}

async function observe(options: AttachOptions, file: string, markers: Markers): Promise<Observed> {
  const { server, url, settings, environment, requests, idleMs, key, auditor, purpose, onProgress, signal } = options;
  const known = markers.next();
  const ids = listIdNeedles(await options.encode(known));
  const begun = Date.now();
  const before = server.listOpen();
  const logs = listLogs(before);
  onProgress('Attaching to the server', 0, 1);
  const isTraced = await server.trace(file, environment);
  using sockets = new SocketWatch(server, Number(new URL(url).port) || (url.startsWith('https:') ? 443 : 80));
  const traffic = await sendTraffic({
    ...{ url, key, auditor: auditor ?? key, purpose, requests, markers, known },
    limits: { bodySize: settings.bodyLimit },
    onProgress: (done, total) => {
      signal?.throwIfAborted();
      onProgress('Sending requests', done, total);
    },
  });
  const metrics = auditor === undefined ? undefined : await Promise.all(statePaths.map((path) => fetchBytes(url, path, auditor)));
  const memory = await watchMemory(server, [...markers.memoryNeedles, ...ids], idleMs, (done) => onProgress('Reading memory', done, 1));
  return { before, logs, isTraced, traffic, metrics, memory, facts: readFacts(server.look()), sockets, begun };
}

/** Of standard output and standard error of the server itself. */
function listLogs(open: readonly OpenFile[]): Log[] {
  const paths = open.filter(
    ({ kind, descriptor, target }) => kind === 'server' && isStream(descriptor) && target.startsWith('/') && !target.startsWith('/dev/'),
  );
  return [...new Set(paths.map(({ target }) => target))].map((path) => ({ path, offset: statSync(path).size }));
}

const isStream = (descriptor: number): boolean => descriptor === 1 || descriptor === 2;

function judgeAll(options: AttachOptions, observed: Observed, trace: Trace | undefined, markers: Markers): Finding[] {
  const { server, folder, settings } = options;
  const { environment } = server;
  const { traffic, metrics, memory, facts, sockets, begun } = observed;
  const site = `${options.site}/`;
  const span = 'while this proof was attached';
  const scene: Scene = { folder, site, environment, served: 0, span, markers, kindOf: createKinds(server.seen, trace) };
  const changed = listChanged({ folder, site, environment, trace, begun, user: server.user });
  const crash: Crash = { pattern: readCorePattern(), crashed: [], files: [], inspected: [], omitted: harmless };
  return sortFindings([
    addOpen(judgeFiles(trace, changed, scene), observed, scene),
    judgeTexts('traces', changed, markers),
    judgeStreams(observed, markers),
    metrics === undefined ? doubt('metrics', [], 'Nobody was named who may see them: --identity FILE of an auditor.') : judgeTexts('metrics', metrics, markers),
    ...judgeAnswers(traffic),
    leaveWitness(judgeNetwork(trace, sockets, scene), settings),
    judgeIsolation(trace, sockets, scene),
    judgeMemory(memory),
    doubt('device', [], 'A running server reads its device back when it gives its engine up, not before.'),
    judgeCore(facts, crash),
    judgeSwap(facts),
    judgeFlags(facts, crash),
  ]);
}

/** What was open for writing when the proof came. */
function addOpen(finding: Finding, { before, logs }: Observed, scene: Scene): Finding {
  const isLog = ({ target }: OpenFile): boolean => logs.some(({ path }) => path === target);
  const places = before
    .filter((file) => file.target.startsWith('/') && !isLog(file) && !/ \(deleted\)$/.test(file.target) && !isListedFile(file.target, scene))
    .map(({ target, kind }): Place => ({ where: target, process: kind, count: 1 }));
  const told = `${finding.told} ${before.length} descriptors were open for writing before.`;
  return { ...finding, told, ...(places.length > 0 && { result: 'failed', places: [...finding.places, ...places] }) };
}

function judgeStreams({ before, logs }: Observed, markers: Markers): Finding {
  const streams = before.filter(({ kind, descriptor }) => kind === 'server' && isStream(descriptor));
  const texts = logs.map(({ path, offset }) => ({ name: path, bytes: readBehind(path, offset) }));
  const finding = judgeTexts('streams', texts, markers);
  const elsewhere = streams.filter(({ target }) => target !== '/dev/null' && !logs.some(({ path }) => path === target));
  if (elsewhere.length === 0) return finding;
  return doubt('streams', finding.places, 'What the server prints goes to a pipe, a socket or a terminal, where only its reader sees it.');
}

/** Which connection leads to a witness cannot be told from its address alone. */
function leaveWitness(finding: Finding, { auditWitness }: Settings): Finding {
  if (auditWitness === undefined || finding.result !== 'failed') return finding;
  return { ...finding, result: 'not proven', told: `The server has a witness; whether these connections lead there is yours to see. ${finding.told}` };
}

/** From the labels of the metrics. */
function readPanel(metrics: readonly Bytes[] | undefined): Panel {
  const page = metrics?.[0]?.bytes.toString() ?? '';
  const label = (name: string): string => new RegExp(`[{,]${name}="([^"]*)"`).exec(page)?.[1] ?? 'unknown';
  return { device: label('device'), driver: 'unknown', model: label('model_name') };
}

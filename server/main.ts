/**
 * Owns the server's start and stop: store and gate opened, model loaded while an agreement is in force, port taken, panel shown,
 * signals handled. A first signal drains, a second one stops at once; both end with exit code 0.
 */
import { hash } from 'node:crypto';
import { flushCompileCache } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { type EngineRestart, toInwardError } from '../runtime/index.ts';
import { buildApp } from './app.ts';
import { demandSums } from './cli/model/trust.ts';
import { type Prepared, prepareEngine } from './cli/options.ts';
import { openEngine } from './cli/progress.ts';
import { createStyle } from './cli/style.ts';
import { isLoopback } from './config/kinds.ts';
import { type Settings, SettingsError, toTextOptions, toTokenOptions } from './config.ts';
import { ensureEvaluation } from './evaluation.ts';
import { refuseInspector, refuseLeaks } from './leaks.ts';
import { createLife, type Life } from './life.ts';
import { ModelLoader } from './loader.ts';
import { createLog, type Log } from './log.ts';
import type { Models } from './openai/plan.ts';
import { describeClosed, describeStart } from './panel.ts';
import type { AuditEvent } from './privacy/audit/events.ts';
import { openTrail, type ProcessFacts } from './privacy/audit/trail.ts';
import { demandDeployment } from './privacy/deployment/deployment.ts';
import { canonicalize } from './privacy/envelope.ts';
import { findSiteFolder, storeFile } from './privacy/folder.ts';
import { Gate } from './privacy/gate.ts';
import { openStore } from './privacy/store/sqlite.ts';
import { createTokenVerifier, type TokenVerifier } from './privacy/tokens/tokens.ts';
import { readVersion } from './privacy/version.ts';
import type { FileFlaw } from './privacy/watched.ts';
import { Scrubber } from './scrub.ts';
import { openTls } from './tls.ts';
import { toAuditEvent } from './trail.ts';
import type { World } from './world.ts';

export interface ServeOptions {
  readonly settings: Settings;
  /** Whether what an evaluation needs is made where it is missing: `npm start`. */
  readonly isEvaluation?: boolean;
  /** Called when the server listens, with its URL. */
  readonly onListening?: (url: string) => void;
}

/** Serves until a signal or the end of the engine; gives the exit code. Throws InwardError, SettingsError or SiteError when it cannot start. */
export async function serve(options: ServeOptions, world: World): Promise<number> {
  const { settings } = options;
  // Node opens a debugger at this signal, unless somebody takes it.
  world.signals.on('SIGUSR1', () => undefined);
  refuseLeaks(world);
  await checkPort(settings);
  const tls = openTls(settings);
  const isHuman = settings.log === 'human' || (settings.log === 'auto' && world.err.isTTY === true);
  const write = createLog((line) => world.err.write(line), isHuman ? 'human' : 'json');
  // What the gate does not see of what happens goes on record by the log.
  let record: (event: AuditEvent) => void = () => undefined;
  const log: Log = (line) => {
    write(line);
    const event = toAuditEvent(line);
    if (event !== undefined) record(event);
  };
  const folder = findSiteFolder(settings.site, world.environment);
  await using site = await openSite(options, folder, log, world);
  const { gate } = site;
  record = (event) => gate.note(event);
  let deviceReason = '';
  await using loader = new ModelLoader(async () => {
    // For PHI nothing is fetched: a machine that serves it connects to nobody that its manifest does not name.
    const prepared = await prepareEngine(settings, world, gate.agreement?.agreement.kind === 'synthetic');
    ({ deviceReason } = prepared);
    const { modelPath, device = 'auto' } = prepared.engine;
    const { sharedGpu, swap } = settings;
    const deployment = await demandDeployment(gate, { deviceName: device, modelPath, sharedGpu, swap, root: world.hostRoot });
    await demandSums(settings, modelPath, world, deployment?.weights);
    // For PHI nothing is kept.
    const engine = deployment === undefined ? prepared.engine : { ...prepared.engine, keepsNothing: true };
    return openModels({ ...prepared, engine }, settings, log, world);
  }, log);
  followGate(gate, loader, log, world);
  if (gate.isOpen) await loader.load();
  const life = createLife();
  const app = buildApp({ models: loader, gate, settings, log, life, tls, scrubber: new Scrubber() });
  // One that a signal asked for at the very start may have come up meanwhile.
  refuseInspector(world);
  // Else Node writes the compiled form of our sources when it ends, and what serves writes nothing but store and trail.
  flushCompileCache();
  const url = await listen(app, settings);
  // Before anybody can read that the server is there.
  const signals = watchSignals(world.signals, () => life.cut());
  const style = createStyle(world.out, world.environment);
  const start = { url, key: site.evaluationKey, agreement: gate.agreement?.agreement };
  world.out.write(loader.current === undefined ? describeClosed(url, style) : describeStart(loader.current, start, style, deviceReason));
  log({ event: 'listening', port: Number(new URL(url).port) });
  options.onListening?.(url);
  return await waitForEnd({ app, failed: loader.failed, life, log, settings, signals, world });
}

interface OpenSite extends AsyncDisposable {
  readonly gate: Gate;
  /** Undefined where the site is one for PHI. */
  readonly evaluationKey: string | undefined;
}

async function openSite({ settings, isEvaluation }: ServeOptions, folder: string, log: Log, { hostRoot: root }: World): Promise<OpenSite> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore(join(folder, storeFile), { create: true }));
  const isLocal = isLoopback(settings.host);
  const evaluationKey = isEvaluation === true && isLocal ? await ensureEvaluation(store, folder, Date.now()) : undefined;
  const trail = stack.use(await openTrail(folder, store, { facts: describeProcess(settings), root }));
  const gate = await Gate.open(store, { isLocal, trail, tokens: openTokens(settings, log) });
  // Closes the others too, and may be closed twice.
  stack.use(gate);
  const { view } = gate;
  if (!isLocal && view?.agreements.some((known) => known.agreement.kind === 'synthetic' && known.stored.revokedAt === undefined)) {
    throw new SettingsError(
      `A synthetic agreement serves on this machine only: leave --host ${settings.host} out, or set up the site for PHI (inward site init --end-evaluation).`,
    );
  }
  if (settings.auditWitness !== undefined) {
    await trail.addWitness(settings.auditWitness, {
      site: folder,
      outbound: () => gate.view?.manifest?.manifest.outbound ?? [],
      ...(settings.auditWitnessLag > 0 && { lagLimitMs: settings.auditWitnessLag * 1000 }),
      onChange: (reason) => log(reason === undefined ? { event: 'witness_restored' } : { event: 'witness_failed', reason }),
    });
  }
  stack.move();
  return { gate, evaluationKey, [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose]() };
}

/** For the audit trail: two starts with the same settings have the same profile. */
function describeProcess(settings: Settings): ProcessFacts {
  return { kind: 'server', version: readVersion(), profile: hash('sha256', canonicalize(settings)) };
}

function openTokens(settings: Settings, log: Log): TokenVerifier | undefined {
  const options = toTokenOptions(settings);
  const onReload = (flaw: FileFlaw | undefined): void =>
    log(flaw === undefined ? { event: 'token_keys_reloaded' } : { event: 'token_keys_reload_failed', flaw });
  return options && createTokenVerifier({ ...options, onReload });
}

async function openModels({ engine: options }: Prepared, settings: Settings, log: Log, world: World): Promise<Models> {
  // First, because it is quick: what has no tokenizer is refused before weights are loaded and kernels measured.
  const text = await world.openText({ ...toTextOptions(settings, options.modelPath), ...(options.keepsNothing && { keepsNothing: true }) });
  try {
    const onRestart = ({ code, count, isReady }: EngineRestart): void => log({ event: isReady ? 'engine_restarted' : 'engine_lost', code, count });
    const engine = await openEngine({ ...options, vocabulary: text.vocabulary, onRestart }, world);
    return { text, engine, layers: await world.examineLayers() };
  } catch (error) {
    await text[Symbol.asyncDispose]();
    throw error;
  }
}

/** The model comes and goes with the agreement; a new manifest is compared before anything is served under it. */
function followGate(gate: Gate, loader: ModelLoader, log: Log, world: World): void {
  const load = async (): Promise<void> => {
    const error = await loader.tryLoad();
    if (error !== undefined) world.err.write(`${error.message}\n`);
  };
  gate.onEvent((event) => {
    log(event);
    if (event.event === 'gate_closed' || event.event === 'deployment_changed') void loader.unload();
    if (event.event === 'deployment_changed' && gate.isOpen) void load();
    if (event.event === 'gate_opened') void load();
    if (event.event === 'tenant_closed') loader.current?.engine.flushPrefixes(event.tenant);
  });
}

interface Running {
  readonly app: FastifyInstance;
  /** Resolves when the engine has ended by itself. */
  readonly failed: Promise<unknown>;
  readonly life: Life;
  readonly log: Log;
  readonly settings: Settings;
  readonly signals: Signals;
  readonly world: World;
}

async function waitForEnd({ app, failed, life, log, settings, signals, world }: Running): Promise<number> {
  const failure = await Promise.race([signals.first, failed]);
  const start = performance.now();
  if (failure === undefined) log({ event: 'draining', running: life.running });
  else {
    const error = toInwardError(failure, 'engine');
    log({ event: 'engine_failed', code: error.code });
    world.err.write(`${error.message}\n`);
    life.fail();
    life.cut();
  }
  await life.drain(settings.drainTimeoutMs);
  await app.close();
  log({ event: 'stopped', durationMs: Math.round(performance.now() - start) });
  // From here on a signal ends the process by Node's default: closing the engine cannot hang it.
  signals.release();
  return failure === undefined ? 0 : 1;
}

/** A Ctrl-C comes from the terminal and, under `npm start`, a moment later once more from npm: within this time, in ms, it is the same one. */
const echoMs = 300;

interface Signals {
  /** Resolves with the first signal. */
  readonly first: Promise<undefined>;
  release(): void;
}

/** `onNext` is called with each signal after the first that is no echo. */
function watchSignals(signals: World['signals'], onNext: () => void): Signals {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let count = 0;
  let interruptedAt = Number.NEGATIVE_INFINITY;
  const onSignal = (): void => (count++ === 0 ? resolve(undefined) : onNext());
  const onInterrupt = (): void => {
    const now = performance.now();
    if (now - interruptedAt < echoMs) return;
    interruptedAt = now;
    onSignal();
  };
  signals.on('SIGINT', onInterrupt);
  signals.on('SIGTERM', onSignal);
  return {
    first: promise,
    release: () => {
      signals.off('SIGTERM', onSignal);
      // The echo may be still to come, and would end the process with another code: the timer also keeps the process until then.
      setTimeout(() => signals.off('SIGINT', onInterrupt), Math.max(0, interruptedAt + echoMs - performance.now()));
    },
  };
}

/** Finds out that a port is taken before the model is loaded, which may take minutes. */
async function checkPort({ host, port }: Settings): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  const error = await new Promise<unknown>((resolve) => probe.once('error', resolve).listen({ host, port, exclusive: true }, () => resolve(undefined)));
  if (error !== undefined) throw explainListen(error, host, port);
  await new Promise((resolve) => probe.close(resolve));
}

async function listen(app: FastifyInstance, { host, port }: Settings): Promise<string> {
  try {
    return await app.listen({ host, port, exclusive: true, listenTextResolver: () => '' });
  } catch (error) {
    await app.close();
    throw explainListen(error, host, port);
  }
}

function explainListen(error: unknown, host: string, port: number): SettingsError {
  const code = (error as { readonly code?: string }).code ?? 'unknown error';
  if (code === 'EADDRINUSE') return new SettingsError(`Port ${port} on ${host} is in use; choose another with --port, or end what uses it.`);
  if (code === 'EACCES') return new SettingsError(`Port ${port} may not be used by this user; choose one above 1023 with --port.`);
  return new SettingsError(`The server cannot listen on ${host}, port ${port} (${code}); choose others with --host and --port.`);
}

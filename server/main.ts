/**
 * Owns the server's start and stop: engine and text opened, port taken, panel shown, signals handled. A first signal drains, a second one stops at once; both end with exit code 0.
 */
import { createServer } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Engine, type EngineOptions, type EngineRestart, toInwardError } from '../runtime/index.ts';
import { buildApp } from './app.ts';
import { openEngine } from './cli/progress.ts';
import { createStyle } from './cli/style.ts';
import { type Settings, SettingsError, toTextOptions } from './config.ts';
import { createLife, type Life } from './life.ts';
import { createLog, type Log } from './log.ts';
import { describeStart } from './panel.ts';
import { openTls } from './tls.ts';
import type { World } from './world.ts';

export interface ServeOptions {
  readonly engine: EngineOptions;
  readonly settings: Settings;
  /** Why that device and not a better one, for the panel; without it the engine's own reason. */
  readonly deviceReason?: string;
  /** Called when the server listens, with its URL. */
  readonly onListening?: (url: string) => void;
}

/** Serves until a signal or the end of the engine; gives the exit code. Throws InwardError, SettingsError or SiteError when it cannot start. */
export async function serve(options: ServeOptions, world: World): Promise<number> {
  const { settings } = options;
  await checkPort(settings);
  const tls = openTls(settings);
  // First, because it is quick: what has no tokenizer is refused before weights are loaded and kernels measured.
  await using text = await world.openText(toTextOptions(settings, options.engine.modelPath));
  const isHuman = settings.log === 'human' || (settings.log === 'auto' && world.err.isTTY === true);
  const log = createLog((line) => world.err.write(line), isHuman ? 'human' : 'json');
  const onRestart = ({ code, count, isReady }: EngineRestart): void => log({ event: isReady ? 'engine_restarted' : 'engine_lost', code, count });
  await using engine = await openEngine({ ...options.engine, onRestart }, world);
  const life = createLife();
  const app = buildApp({ engine, text, settings, log, life, tls });
  const url = await listen(app, settings);
  // Before anybody can read that the server is there.
  const signals = watchSignals(world.signals, () => life.cut());
  world.out.write(describeStart(engine.info, url, createStyle(world.out, world.environment), options.deviceReason));
  log({ event: 'listening', port: Number(new URL(url).port) });
  options.onListening?.(url);
  return await waitForEnd({ app, engine, life, log, settings, signals, world });
}

interface Running {
  readonly app: FastifyInstance;
  readonly engine: Engine;
  readonly life: Life;
  readonly log: Log;
  readonly settings: Settings;
  readonly signals: Signals;
  readonly world: World;
}

async function waitForEnd({ app, engine, life, log, settings, signals, world }: Running): Promise<number> {
  const failure = await Promise.race([signals.first, engine.failed]);
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

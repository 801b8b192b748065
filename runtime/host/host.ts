/**
 * Owns the parent's side of an engine in a process of its own: same interface as in-process. The process is started
 * with the environment that the driver needs, so that an embedder has to set nothing. Refuses to restart it: the
 * caller learns through `failed` and decides.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { EventChannel } from '../channel.ts';
import { chooseDriver, driverEnvironment } from '../drivers.ts';
import { InwardError } from '../errors.ts';
import type { SequenceSink } from '../sequence.ts';
import type { Engine, EngineInfo, EngineOptions, EngineStats, GenerateRequest, TokenEvent, ZeroReport } from '../types.ts';
import type { FromEngine, ToEngine } from './messages.ts';

/** Longest wait for the process to end by itself, in ms. */
const closeDeadline = 5_000;

/**
 * The engine's memory is on the device; V8 and malloc would keep tens of MB more for speed that it does not need.
 * --gc-global: garbage holds objects of Dawn, which are small to V8 and large to malloc; a full collection of so small a heap is cheap.
 */
const leanFlags = ['--optimize-for-size', '--gc-global', '--max-semi-space-size=1', '--single-threaded-gc', '--v8-pool-size=1'];
const leanEnvironment = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' };

/** Throws device_missing before anything is started, else what the engine refuses with. */
export async function openHostedEngine(options: EngineOptions): Promise<Engine> {
  const { onProgress, ...rest } = options;
  const driver = chooseDriver(options.device ?? 'auto');
  // .ts in a clone, .js in a published package.
  const file = new URL(`./process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  const child = fork(file, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, ...driverEnvironment(driver), ...leanEnvironment },
    execArgv: leanFlags,
  });
  const { promise, resolve, reject } = Promise.withResolvers<EngineInfo>();
  const onExit = (code: number | null): void => reject(new InwardError('engine_stopped', { code: code ?? -1 }));
  const onMessage = (message: FromEngine): void => {
    if (message.type === 'progress') onProgress?.({ part: message.part, done: message.done, total: message.total });
    else if (message.type === 'opened') resolve(message.info);
    else if (message.type === 'refused') reject(new InwardError(message.error.code, message.error.fields));
  };
  child
    .on('exit', onExit)
    .on('error', () => onExit(-1))
    .on('message', onMessage);
  child.send({ type: 'open', options: rest } satisfies ToEngine);
  try {
    const info = await promise;
    return new HostedEngine(child, info);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    child.off('exit', onExit).off('message', onMessage);
  }
}

class HostedEngine implements Engine {
  readonly info: EngineInfo;
  readonly failed: Promise<Error>;
  readonly #child: ChildProcess;
  readonly #sinks = new Map<number, SequenceSink>();
  readonly #checks = new Map<number, PromiseWithResolvers<ZeroReport>>();
  readonly #fail: (error: Error) => void;
  #next = 0;
  #failure: InwardError | undefined;
  #closing: Promise<void> | undefined;
  #stats: EngineStats;

  constructor(child: ChildProcess, info: EngineInfo) {
    this.#child = child;
    this.info = info;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#fail = resolve;
    this.#stats = { ...emptyStats, memory: { weights: info.weightBytes, kv: info.kvBytes } };
    child.on('message', (message: FromEngine) => this.#receive(message));
    child.on('exit', (code) => this.#stop(new InwardError('engine_stopped', { code: code ?? -1 })));
  }

  generate(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<TokenEvent> {
    return new EventChannel(signal, (sink) => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#closing !== undefined) throw new InwardError('shutting_down');
      const id = this.#next++;
      this.#sinks.set(id, sink);
      this.#send({ type: 'generate', request: id, body: request });
      const tell = (type: 'abort' | 'park' | 'go on'): void => {
        if (this.#sinks.has(id)) this.#send({ type, request: id });
      };
      return {
        cancel: () => {
          tell('abort');
          this.#sinks.delete(id);
        },
        park: (isParked) => tell(isParked ? 'park' : 'go on'),
      };
    });
  }

  stats(): EngineStats {
    return this.#stats;
  }

  checkZeroed(): Promise<ZeroReport> {
    if (this.#failure !== undefined || this.#closing !== undefined) return Promise.reject(this.#failure ?? new InwardError('shutting_down'));
    const check = Promise.withResolvers<ZeroReport>();
    const id = this.#next++;
    this.#checks.set(id, check);
    this.#send({ type: 'check', request: id });
    return check.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#failAll(new InwardError('shutting_down'));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#send({ type: 'close' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), closeDeadline);
    await exited;
    clearTimeout(timer);
  }

  #send(message: ToEngine): void {
    // A dying process is noticed by its exit event; a failed send only comes earlier.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #receive(message: FromEngine): void {
    if (message.type === 'stats') this.#stats = message.stats;
    else if (message.type === 'died') this.#stop(new InwardError(message.error.code, message.error.fields));
    else if (message.type === 'event') {
      const sink = this.#sinks.get(message.request);
      if (message.event.type === 'end') this.#sinks.delete(message.request);
      sink?.event(message.event);
    } else if (message.type === 'checked') {
      this.#checks.get(message.request)?.resolve(message.report);
      this.#checks.delete(message.request);
    } else if (message.type === 'failed') {
      const error = new InwardError(message.error.code, message.error.fields);
      const sink = this.#sinks.get(message.request);
      this.#sinks.delete(message.request);
      sink?.fail(error);
      this.#checks.get(message.request)?.reject(error);
      this.#checks.delete(message.request);
    }
  }

  #failAll(error: InwardError): void {
    for (const sink of this.#sinks.values()) sink.fail(error);
    for (const { reject } of this.#checks.values()) reject(error);
    this.#sinks.clear();
    this.#checks.clear();
  }

  #stop(error: InwardError): void {
    if (this.#failure !== undefined || this.#closing !== undefined) return;
    this.#failure = error;
    this.#failAll(error);
    this.#fail(error);
  }
}

const emptyStats: EngineStats = {
  running: 0,
  waiting: 0,
  parked: 0,
  kvBlocksTotal: 0,
  kvBlocksFree: 0,
  steps: 0,
  promptTokens: 0,
  generatedTokens: 0,
  preemptions: 0,
  dispatchesPerStep: 0,
  memory: {},
};

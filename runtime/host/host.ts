/**
 * Owns the parent's side of an engine in a process of its own: same interface as in-process. When the process is lost, requests
 * that have given events fail with engine_restarted; the others wait, and go to the next process. Refuses to know how processes
 * are started and replaced (supervisor.ts).
 */
import { EventChannel } from '../channel.ts';
import { checkRequest } from '../checks.ts';
import { chooseDriver } from '../drivers.ts';
import { embedTexts } from '../embed.ts';
import { InwardError } from '../errors.ts';
import type { SequenceSink } from '../scheduling/sequence.ts';
import { isStoredDevice, tuningFile, writeTuningFile } from '../tuning/file.ts';
import {
  type Embedding,
  type EmbedOptions,
  type Engine,
  type EngineInfo,
  type EngineOptions,
  type EngineStats,
  engineNumbers,
  type GenerateRequest,
  type TokenEvent,
  type ZeroReport,
} from '../types.ts';
import { type FromEngine, fromWire, unpackEvent } from './messages.ts';
import { Requests } from './requests.ts';
import { addStats, emptyStats, pausedStats, withMemory } from './stats.ts';
import { type RestartPolicy, Supervisor, standardPolicy } from './supervisor.ts';

/** Throws device_missing before anything is started, else what the engine refuses with. */
export async function openHostedEngine(options: EngineOptions, policy: Partial<RestartPolicy> = {}): Promise<Engine> {
  const engine = new HostedEngine(options, { ...standardPolicy, ...policy });
  await engine.open();
  return engine;
}

class HostedEngine implements Engine {
  readonly failed: Promise<Error>;
  readonly #options: EngineOptions;
  readonly #policy: RestartPolicy;
  readonly #supervisor: Supervisor;
  readonly #checks = new Map<number, PromiseWithResolvers<ZeroReport>>();
  #nextCheck = -1;
  readonly #fail: (error: Error) => void;
  readonly #requests = new Requests();
  /** Of the first process; those after it have the same model and the same options. */
  #info: EngineInfo | undefined;
  #failure: InwardError | undefined;
  #closing: Promise<void> | undefined;
  #restarts = 0;
  /** Of all lost processes, and what the one since has said. */
  #earlier = emptyStats;
  #stats: EngineStats | undefined;
  #tuningNotice: string | undefined;

  constructor(options: EngineOptions, policy: RestartPolicy) {
    const { onProgress: _, onRestart: __, ...plain } = options;
    this.#options = options;
    this.#policy = policy;
    this.#supervisor = new Supervisor(plain, chooseDriver(options.device ?? 'auto'), policy, {
      message: (message) => this.#receive(message),
      isAwaited: () => this.#requests.count > 0,
      lost: (code) => {
        this.#keepCounts();
        this.#failChecks(new InwardError('engine_restarted'));
        this.#requests.lose(new InwardError('engine_restarted'), this.#policy.sendLimit);
        options.onRestart?.({ code, count: this.#restarts, isReady: false });
      },
      replaced: (code) => {
        this.#restarts++;
        options.onRestart?.({ code, count: this.#restarts, isReady: true });
        for (const id of this.#requests.ids) this.#give(id);
      },
      failed: (error) => {
        this.#keepCounts();
        this.#failure = error;
        this.#failChecks(error);
        this.#requests.failAll(error);
        this.#fail(error);
      },
    });
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#fail = resolve;
  }

  async open(): Promise<void> {
    const info = await this.#supervisor.open();
    const notice = [info.tuning.notice, this.#tuningNotice].filter((line) => line !== undefined).join(' ');
    this.#info = { ...info, tuning: { ...info.tuning, ...(notice === '' ? {} : { notice }) } };
  }

  get info(): EngineInfo {
    if (this.#info === undefined) throw new InwardError('internal', { part: 'an engine that is not open yet' });
    return this.#info;
  }

  get isReady(): boolean {
    return this.#supervisor.child !== undefined && this.#closing === undefined;
  }

  generate(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<TokenEvent> {
    return new EventChannel(signal, (sink) => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#closing !== undefined) throw new InwardError('shutting_down');
      checkRequest(request, this.info);
      const id = this.#add(request, sink);
      return {
        cancel: () => {
          this.#tell('abort', id);
          this.#requests.remove(id);
        },
        park: (isParked) => this.#tell(isParked ? 'park' : 'go on', id),
      };
    });
  }

  embed(texts: readonly Uint32Array[], options?: EmbedOptions, signal?: AbortSignal): Promise<Embedding[]> {
    return embedTexts(this, texts, options, signal);
  }

  stats(): EngineStats {
    const sum = this.#stats === undefined ? this.#earlier : addStats(this.#earlier, this.#stats);
    const { child } = this.#supervisor;
    const stats = child === undefined ? pausedStats(sum, this.#requests.count) : withMemory(sum, child.stageMemory);
    return { ...stats, restarts: this.#restarts };
  }

  flushPrefixes(tenant?: number): void {
    this.#supervisor.child?.send({ type: 'flush', tenant });
  }

  checkZeroed(): Promise<ZeroReport> {
    if (this.#failure !== undefined || this.#closing !== undefined) return Promise.reject(this.#failure ?? new InwardError('shutting_down'));
    const check = Promise.withResolvers<ZeroReport>();
    const { child } = this.#supervisor;
    if (child === undefined) return Promise.reject(new InwardError('engine_restarted'));
    // Below the numbers of requests.
    const id = this.#nextCheck--;
    this.#checks.set(id, check);
    child.send({ type: 'check', request: id });
    return check.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#failChecks(new InwardError('shutting_down'));
    this.#requests.failAll(new InwardError('shutting_down'));
    await this.#supervisor.close();
  }

  /** Throws queue_full: while no process counts the queue, it is counted here. */
  #add(request: GenerateRequest, sink: SequenceSink): number {
    const limit = this.info.maxSequences + (this.#options.queueLength ?? engineNumbers.queueLength.standard);
    if (this.#supervisor.child === undefined && this.#requests.count >= limit) throw new InwardError('queue_full', { limit });
    const id = this.#requests.add(request, sink, (late) => this.#supervisor.child?.send({ type: 'abort', request: late }));
    this.#give(id);
    return id;
  }

  #give(id: number): void {
    const { child } = this.#supervisor;
    const body = child === undefined ? undefined : this.#requests.take(id);
    if (body !== undefined) child?.send({ type: 'generate', request: id, body });
  }

  #tell(type: 'abort' | 'park' | 'go on', id: number): void {
    if (this.#requests.has(id)) this.#supervisor.child?.send({ type, request: id });
  }

  #receive(message: FromEngine): void {
    if (message.type === 'event') this.#requests.event(message.request, unpackEvent(message.event));
    else if (message.type === 'checked') this.#takeCheck(message.request)?.resolve(message.report);
    else if (message.type === 'failed' && message.request < 0) this.#takeCheck(message.request)?.reject(fromWire(message.error));
    else if (message.type === 'failed') this.#requests.fail(message.request, fromWire(message.error));
    else if (message.type === 'stats') this.#stats = message.stats;
    else if (message.type === 'progress') this.#report(message);
    else if (message.type === 'measured') this.#keepTuning(message);
  }

  /** Of the first start only: nobody waits for the others with a bar before his eyes. */
  #report({ part, done, total }: FromEngine & { type: 'progress' }): void {
    if (this.#info === undefined) this.#options.onProgress?.({ part, done, total });
  }

  /** Of the first start only: once an engine has served, nothing that its process says is written anywhere. */
  #keepTuning({ key, shapes }: FromEngine & { type: 'measured' }): void {
    if (this.#info === undefined && isStoredDevice({ kernels: key.kernels, shapes }))
      this.#tuningNotice = writeTuningFile(this.#options.tuningFile ?? tuningFile(), key, shapes);
  }

  #takeCheck(id: number): PromiseWithResolvers<ZeroReport> | undefined {
    const check = this.#checks.get(id);
    this.#checks.delete(id);
    return check;
  }

  #failChecks(error: InwardError): void {
    for (const { reject } of this.#checks.values()) reject(error);
    this.#checks.clear();
  }

  #keepCounts(): void {
    if (this.#stats !== undefined) this.#earlier = addStats(this.#earlier, this.#stats);
    this.#stats = undefined;
  }
}

/**
 * Owns one engine process from its start to its end: opened once, then served by messages, ended. Notices its exit, its own word
 * that the engine died, and silence where it has something to do. Where a model is in stages each has such a process, and the first has the others:
 * they are opened, lost and ended together. Refuses to start another one, and to pass on anything that comes from a process already lost.
 */
import type { ChildProcess } from 'node:child_process';
import type { Driver } from '../drivers.ts';
import { InwardError } from '../errors.ts';
import type { EngineInfo, EngineStats } from '../types.ts';
import { demandOwnGpus, openNodes } from './gpus.ts';
import { joinInfos } from './infos.ts';
import type { LaunchedEngine } from './launcher.ts';
import { type FromEngine, fromWire, type PlainOptions, type ToEngine } from './messages.ts';

export interface ChildListener {
  message(message: FromEngine): void;
  /** Called once, unless the process was ended from here. Its memory may not be free before `gone`. */
  lost(error: InwardError): void;
  /** Whether it should be heard of: while it has a request. */
  isAwaited(): boolean;
}

/** Longest silence, in ms, after which a process is ended: while it opens, and while it has requests. */
export interface SilenceLimits {
  readonly openingMs: number;
  readonly servingMs: number;
}

/** Longest wait for the process to end by itself, in ms. */
const closeDeadline = 5_000;
/** Looks into which a limit is cut: one look after a long pause of this process itself shows nothing. */
const looks = 4;

export class EngineChild {
  /** Resolves when the process has ended, and those of its stages. */
  readonly gone: Promise<void>;
  /** Those behind the first, whose process this is. */
  readonly #stages: readonly EngineChild[];
  readonly #process: ChildProcess;
  readonly #link: LaunchedEngine['link'];
  readonly #listener: ChildListener;
  readonly #limits: SilenceLimits;
  readonly #opening = Promise.withResolvers<EngineInfo>();
  /** Why it is of no more use. */
  #error: InwardError | undefined;
  #quietLooks = 0;
  #memory: EngineStats['memory'] = {};
  #watch: NodeJS.Timeout | undefined;

  constructor({ process, link, stages = [] }: LaunchedEngine, listener: ChildListener, limits: SilenceLimits) {
    this.#process = process;
    this.#link = link;
    this.#listener = listener;
    this.#limits = limits;
    const { promise, resolve } = Promise.withResolvers<void>();
    const ofStages: ChildListener = {
      message: (message) => message.type === 'measured' && listener.message(message),
      lost: ({ code }) => this.#lose(new InwardError('stage_lost', { reason: code })),
      isAwaited: () => listener.isAwaited(),
    };
    this.#stages = stages.map((launched) => new EngineChild(launched, ofStages, limits));
    this.gone = Promise.all([promise, ...this.#stages.map(({ gone }) => gone)]).then(() => undefined);
    // Whoever opens hears of it; a child that is lost while it serves has nobody who does.
    this.#opening.promise.catch(() => undefined);
    link.listen({ message: (message) => this.#receive(message), broken: () => process.kill('SIGKILL') });
    process
      .on('error', () => {
        this.#lose(new InwardError('engine_stopped', { code: -1 }));
        if (process.pid === undefined) resolve();
      })
      .on('exit', (code) => {
        this.#lose(new InwardError('engine_stopped', { code: code ?? -1 }));
        resolve();
      });
  }

  /** Bytes by owner, of the stages behind the first together. */
  get stageMemory(): EngineStats['memory'] {
    const owners = new Set(this.#stages.flatMap((stage) => Object.keys(stage.#memory)));
    return Object.fromEntries([...owners].map((owner) => [owner, this.#stages.reduce((sum, stage) => sum + (stage.#memory[owner] ?? 0), 0)]));
  }

  /** Fails with what the engine refuses, or with how its process was lost. */
  async open(options: PlainOptions, driver: Driver): Promise<EngineInfo> {
    const processes = [this, ...this.#stages];
    const count = processes.length;
    const infos = await Promise.all(
      processes.map((child, index) => child.#open({ type: 'open', options, driver, ...(count > 1 && { stage: { index, count } }) })),
    );
    const [first, ...others] = infos as [EngineInfo, ...EngineInfo[]];
    if (count === 1) return first;
    demandOwnGpus(processes.map((child) => ({ isSoftware: driver.name !== 'gpu', nodes: openNodes(child.#process.pid) })));
    return joinInfos([first, ...others], options.modelPath);
  }

  async #open(message: ToEngine & { readonly type: 'open' }): Promise<EngineInfo> {
    this.#watchSilence(this.#limits.openingMs, () => true);
    this.send(message);
    const info = await this.#opening.promise;
    // Both messages may have come before anybody could look.
    if (this.#error !== undefined) throw this.#error;
    return info;
  }

  send(message: ToEngine): void {
    // A dying process is noticed by its exit; a send that fails only comes earlier.
    this.#link.send(message);
  }

  /** Ends the process at once. */
  kill(): Promise<void> {
    this.#end(new InwardError('shutting_down'));
    this.#killAll();
    return this.gone;
  }

  /** Lets the process end by itself, for a while. */
  async close(): Promise<void> {
    this.#end(new InwardError('shutting_down'));
    this.send({ type: 'close' });
    for (const stage of this.#stages) stage.#end(new InwardError('shutting_down'));
    const timer = setTimeout(() => this.#killAll(), closeDeadline);
    await this.gone;
    clearTimeout(timer);
  }

  #receive(message: FromEngine): void {
    if (this.#error !== undefined) return;
    this.#quietLooks = 0;
    if (message.type === 'refused') this.#opening.reject(fromWire(message.error));
    else if (message.type === 'died') this.#lose(fromWire(message.error));
    else if (message.type === 'opened') {
      this.#watchSilence(this.#limits.servingMs, () => this.#listener.isAwaited());
      this.#memory = message.memory ?? {};
      this.#opening.resolve(message.info);
    } else this.#listener.message(message);
  }

  #watchSilence(limit: number, isAwaited: () => boolean): void {
    clearInterval(this.#watch);
    this.#quietLooks = 0;
    this.#watch = setInterval(() => {
      this.#quietLooks = isAwaited() ? this.#quietLooks + 1 : 0;
      if (this.#quietLooks >= looks) this.#lose(new InwardError('engine_stuck', { limit }));
    }, limit / looks);
    this.#watch.unref();
  }

  #lose(error: InwardError): void {
    if (this.#error !== undefined) return;
    this.#end(error);
    this.#killAll();
    this.#listener.lost(error);
  }

  #killAll(): void {
    this.#process.kill('SIGKILL');
    for (const stage of this.#stages) void stage.kill();
  }

  #end(error: InwardError): void {
    this.#error ??= error;
    clearInterval(this.#watch);
    this.#opening.reject(error);
  }
}

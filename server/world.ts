/**
 * Owns what the commands need from outside: the doors of the engine, the set-up, the terminal, the signals, folder and
 * environment, which nothing else of the server reads. One interface, so that tests give a world of their own. Everything heavy is imported when it is first used.
 */
import type { Readable } from 'node:stream';
import type { DeviceName, Engine, EngineOptions, Layer } from '../runtime/index.ts';
import type { TextModel, TextOptions } from '../runtime/text/index.ts';
import type { Inspection } from '../scripts/setup/index.ts';
import type { Surroundings } from './config.ts';
import type { Launched } from './leaks.ts';

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal. */
  readonly columns?: number;
}

export type Input = Readable & { readonly isTTY?: boolean };

export interface ChosenDevice {
  readonly name: DeviceName;
  readonly reason: string;
}

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGUSR1';

export interface World extends Surroundings, Launched {
  openEngine(options: EngineOptions): Promise<Engine>;
  openText(options: TextOptions): Promise<TextModel>;
  /** Makes the wanted device usable (drivers may have to be fetched first, unless `mayFetch` is false); says which it is and why. */
  ensureDevice(wanted: DeviceName | 'auto', mayFetch?: boolean): Promise<ChosenDevice>;
  /** Path of the default model, fetched when missing, unless `mayFetch` is false. */
  ensureDefaultModel(mayFetch?: boolean): Promise<string>;
  /** A look at this machine that changes nothing. */
  inspectMachine(): Promise<Inspection>;
  /** What the kernel holds around this process and those that it has started. */
  examineLayers(): Promise<readonly Layer[]>;
  /** Top of the file system that describes the host; left out, `/`. */
  readonly hostRoot?: string;
  readonly in: Input;
  readonly out: Output;
  readonly err: Output;
  readonly signals: {
    on(name: SignalName, listener: () => void): unknown;
    off(name: SignalName, listener: () => void): unknown;
  };
}

/** The world of this process. */
export function createProcessWorld(): World {
  return {
    openEngine: async (options) => (await import('../runtime/index.ts')).openEngine(options),
    openText: async (options) => (await import('../runtime/text/index.ts')).openText(options),
    ensureDevice: async (wanted, mayFetch) => (await import('../scripts/setup/index.ts')).ensureDevice(wanted, mayFetch),
    ensureDefaultModel: async (mayFetch) => (await import('../scripts/setup/index.ts')).ensureDefaultModel(mayFetch),
    inspectMachine: async () => (await import('../scripts/setup/index.ts')).inspectMachine(),
    examineLayers: async () => (await import('../runtime/index.ts')).examineLayers(),
    // Looking at it opens it, which would keep a server from a terminal that it does not need.
    get in() {
      return process.stdin;
    },
    out: process.stdout,
    err: process.stderr,
    signals: process,
    folder: process.cwd(),
    environment: process.env,
    nodeFlags: process.execArgv,
    get isInspected() {
      // Loaded by who asks: it takes 10 ms, which the other commands need not wait for.
      return process.getBuiltinModule('node:inspector').url() !== undefined;
    },
  };
}

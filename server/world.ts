/**
 * Owns what the commands need from outside: the doors of the engine, the set-up, the terminal, the signals. One
 * interface, so that tests give a world of their own. Everything heavy is imported when it is first used.
 */
import { text as readAll } from 'node:stream/consumers';
import type { DeviceName, Engine, EngineOptions } from '../runtime/index.ts';
import type { TextModel, TextOptions } from '../runtime/text/index.ts';

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export interface ChosenDevice {
  readonly name: DeviceName;
  readonly reason: string;
}

export type SignalName = 'SIGINT' | 'SIGTERM';

export interface World {
  openEngine(options: EngineOptions): Promise<Engine>;
  openText(options: TextOptions): Promise<TextModel>;
  /** Makes the wanted device usable (drivers may have to be unpacked first); says which it is and why. */
  ensureDevice(wanted: DeviceName | 'auto'): Promise<ChosenDevice>;
  /** Path of the default model, fetched when missing. */
  ensureDefaultModel(): Promise<string>;
  readInput(): Promise<string>;
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
    ensureDevice: async (wanted) => (await import('../scripts/setup/index.ts')).ensureDevice(wanted),
    ensureDefaultModel: async () => (await import('../scripts/setup/index.ts')).ensureDefaultModel(),
    readInput: () => readAll(process.stdin),
    out: process.stdout,
    err: process.stderr,
    signals: process,
  };
}

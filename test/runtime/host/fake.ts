/**
 * Owns what tests and their fake engine process agree on: the file that stands for a model, the tokens of a prompt, the prompts
 * that do harm. And how a test opens such an engine and gets at its processes.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorCode } from '../../../runtime/errors.ts';
import { openHostedEngine } from '../../../runtime/host/host.ts';
import { type EngineProgram, launchEngine } from '../../../runtime/host/launcher.ts';
import type { RestartPolicy } from '../../../runtime/host/supervisor.ts';
import type { Engine, EngineOptions, EngineRestart, GenerateRequest } from '../../../runtime/types.ts';
import type { FakeModel } from './fake-model.ts';
import { tokensOf } from './fake-model.ts';

/** A folder with a file that stands for a model. */
export class ModelFile implements Disposable {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'inward-fake-'));
  readonly path: string = join(this.#folder, 'model.json');

  constructor(model: Partial<FakeModel> = {}) {
    this.write(model);
  }

  write(model: Partial<FakeModel>): void {
    writeFileSync(this.path, JSON.stringify({ fingerprint: 'a', opening: 'good', ...model }));
  }

  remove(): void {
    rmSync(this.path);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What runs in place of the engine. */
export const program: EngineProgram = { file: new URL('./fake-process.ts', import.meta.url), reads: [import.meta.dirname] };

export interface FakeHost extends AsyncDisposable {
  readonly engine: Engine;
  /** In the order of their starts. */
  readonly processes: ChildProcess[];
  readonly told: EngineRestart[];
  /** Kills the process that was started last. */
  kill(): void;
}

/** An engine of two places and short pauses, whose processes are fakes. */
export async function openFake(model: ModelFile, options: Partial<EngineOptions> = {}, policy: Partial<RestartPolicy> = {}): Promise<FakeHost> {
  const processes: ChildProcess[] = [];
  const told: EngineRestart[] = [];
  const engine = await openHostedEngine(
    { modelPath: model.path, maxSequences: 2, onRestart: (restart) => told.push(restart), ...options },
    {
      launch: (plain, driver) => {
        const started = launchEngine(plain, driver, program);
        processes.push(started.process);
        return started;
      },
      firstDelayMs: 5,
      longestDelayMs: 2000,
      ...policy,
    },
  );
  return {
    engine,
    processes,
    told,
    kill: () => processes.at(-1)?.kill('SIGKILL'),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

/** What became of a request. */
export interface Outcome {
  readonly tokens: number[];
  /** How it ended: all of its tokens, or with this. */
  readonly code: ErrorCode | 'end';
}

export interface Started {
  readonly prompt: Uint32Array;
  readonly count: number;
  /** With its first token, or its end. */
  readonly begun: Promise<void>;
  readonly outcome: Promise<Outcome>;
  /** So far. */
  readonly tokens: number[];
}

export function start(engine: Engine, prompt: readonly number[], count: number, rest: Partial<GenerateRequest> = {}, signal?: AbortSignal): Started {
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const promptIds = Uint32Array.from(prompt);
  const tokens: number[] = [];
  const work = async (): Promise<Outcome> => {
    try {
      for await (const event of engine.generate({ promptIds, maxTokens: count, ...rest }, signal)) {
        if (event.type === 'token') tokens.push(event.id);
        resolve();
      }
      return { tokens, code: 'end' };
    } catch (error) {
      return { tokens, code: (error as { readonly code: ErrorCode }).code };
    } finally {
      resolve();
    }
  };
  return { prompt: Uint32Array.from(prompt), count, begun, outcome: work(), tokens };
}

/** All tokens of an undisturbed run. */
export function expected({ prompt, count }: Started): Outcome {
  return { tokens: tokensOf(prompt, count), code: 'end' };
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

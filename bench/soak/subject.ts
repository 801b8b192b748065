/**
 * Owns the engine under test, as `openEngine` makes it, with its process known, so that it can be looked at and killed. Refuses to change anything else
 * but how long a process has to serve until its loss is not one in a row.
 */
import type { ChildProcess } from 'node:child_process';
import { openHostedEngine } from '../../runtime/host/host.ts';
import { launchEngine } from '../../runtime/host/launcher.ts';
import type { RestartPolicy } from '../../runtime/host/supervisor.ts';
import type { DeviceName, Engine, EngineOptions, ZeroReport } from '../../runtime/index.ts';
import { collectGarbage } from '../../test/garbage.ts';
import { readResident } from '../memory.ts';
import { soakContext } from './known.ts';

export interface Subject extends AsyncDisposable {
  readonly engine: Engine;
  /** Of the process that was started last. */
  readonly process: ChildProcess;
}

export interface Resident {
  readonly engine: number;
  readonly parent: number;
}

/** Room for three of the longest requests: less than its eight sequences may come to need. */
const tightOptions: Partial<EngineOptions> = { contextLength: soakContext, kvTokens: 3 * soakContext };

export async function openSubject(model: string, device: DeviceName, options: Partial<EngineOptions> = tightOptions): Promise<Subject> {
  let child: ChildProcess | undefined;
  const launch: RestartPolicy['launch'] = (...args) => {
    const launched = launchEngine(...args);
    child = launched.process;
    return launched;
  };
  // Whoever kills it on purpose does so at once.
  const engine = await openHostedEngine({ modelPath: model, device, ...options }, { launch, healthyMs: 0 });
  return {
    engine,
    get process() {
      return child as ChildProcess;
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

/** Longest wait for an engine to come to rest, in ms. */
const restMs = 120_000;

/** Waits until nothing runs. Throws if that never comes. Gives what is left behind then, and the resident memory of both processes in bytes. */
export async function rest({ engine, process: child }: Subject): Promise<{ readonly residue: ZeroReport; readonly resident: Resident }> {
  const late = new Promise<never>((_, reject) => setTimeout(reject, restMs, new Error('The engine does not come to rest.')).unref());
  const residue = await Promise.race([engine.checkZeroed(), late]);
  // What is not used any more does not count as growth. Numbers come ten times a second, and what a collection has freed goes back to the system meanwhile.
  collectGarbage();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  collectGarbage();
  return { residue, resident: { engine: readResident(child.pid ?? 0), parent: readResident(process.pid) } };
}

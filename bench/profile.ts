/**
 * Owns the profile of a step: where its time goes, kernel by kernel. A process of its own opens the engine's parts and runs
 * steps in two ways in turn: as always, and with each dispatch in a submit of its own, which is what can be timed on every device.
 */
import { join } from 'node:path';
import { chooseDriver, driverEnvironment } from '../runtime/drivers.ts';
import type { DeviceName } from '../runtime/index.ts';
import { Child } from './child.ts';
import { alignColumns } from './report.ts';

export interface ProfileOptions {
  readonly model: string;
  readonly device: DeviceName;
  readonly promptTokens: number;
  /** Sequences of the batch. */
  readonly batch: number;
}

export interface KernelTime {
  readonly kernel: string;
  /** Dispatches of a step. */
  readonly count: number;
  /** Of all of them, in ms, less what as many empty submits take; median of the steps. */
  readonly ms: number;
}

export interface StepProfile {
  readonly step: string;
  /** The step as always, in ms; median. */
  readonly stepMs: number;
  /** What the host does between two steps, when the device waits for it: commit, schedule, upload, encode, submit; in ms, median. */
  readonly hostMs: number;
  /** An empty submit and the wait for it, in ms; median. */
  readonly emptyMs: number;
  /** Slowest first. */
  readonly kernels: readonly KernelTime[];
}

/** Throws PeerError when the process fails. */
export async function measureProfile(options: ProfileOptions): Promise<readonly StepProfile[]> {
  await using child = new Child(join(import.meta.dirname, 'profile-process.ts'), driverEnvironment(chooseDriver(options.device)));
  const { profiles } = await child.ask<{ readonly profiles: readonly StepProfile[] }>({ type: 'profile', ...options });
  return profiles;
}

export function formatProfile(profiles: readonly StepProfile[]): string[] {
  return profiles.flatMap(({ step, stepMs, hostMs, emptyMs, kernels }) => {
    const sum = kernels.reduce((total, { ms }) => total + ms, 0);
    const count = kernels.reduce((total, kernel) => total + kernel.count, 0);
    const rows = kernels.map(({ kernel, count: dispatches, ms }) => [kernel, String(dispatches), ms.toFixed(2), `${((100 * ms) / sum).toFixed(1)} %`]);
    const head = `${step}: ${stepMs.toFixed(1)} ms a step; its ${count} dispatches one by one ${sum.toFixed(1)} ms, less ${emptyMs.toFixed(3)} ms of an empty submit each`;
    const host = `the host takes ${hostMs.toFixed(2)} ms of a step (${((100 * hostMs) / stepMs).toFixed(1)} %) while the device waits`;
    return [head, `  ${host}`, ...alignColumns([['kernel', 'n', 'ms', 'share'], ...rows], true).map((line) => `  ${line}`), ''];
  });
}

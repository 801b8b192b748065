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
  readonly deterministic: boolean;
}

export interface KernelTime {
  readonly kernel: string;
  /** Dispatches of a step. */
  readonly count: number;
  /** Of all of them, in ms, less what as many empty submits take; median of the steps. */
  readonly ms: number;
}

/** What a step is made of, in this order. The device works during `encode the next` and `wait`. */
export const stepParts = ['schedule and fill', 'upload', 'encode', 'submit', 'encode the next', 'wait', 'read', 'commit', 'publish', 'zero'] as const;
export type StepPart = (typeof stepParts)[number];

export interface PartTime {
  readonly part: StepPart;
  /** Median. */
  readonly ms: number;
}

export interface StepProfile {
  readonly step: string;
  /** The step as always, in ms; median. */
  readonly stepMs: number;
  /** What the host does between two steps, when the device waits for it: all parts but two; in ms, median. */
  readonly hostMs: number;
  /** All that the host does in a step, what it does beside the device included: all parts but the wait; in ms, median. */
  readonly workMs: number;
  readonly parts: readonly PartTime[];
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
  return profiles.flatMap(({ step, stepMs, hostMs, workMs, parts, emptyMs, kernels }) => {
    const sum = kernels.reduce((total, { ms }) => total + ms, 0);
    const count = kernels.reduce((total, kernel) => total + kernel.count, 0);
    const rows = kernels.map(({ kernel, count: dispatches, ms }) => [kernel, String(dispatches), ms.toFixed(2), `${((100 * ms) / sum).toFixed(1)} %`]);
    const head = `${step}: ${stepMs.toFixed(1)} ms a step; its ${count} dispatches one by one ${sum.toFixed(1)} ms, less ${emptyMs.toFixed(3)} ms of an empty submit each`;
    const share = (ms: number): string => `${ms.toFixed(2)} ms of a step (${((100 * ms) / stepMs).toFixed(1)} %)`;
    const host = `the host takes ${share(hostMs)} while the device waits, ${share(workMs)} in all:`;
    const list = parts.map(({ part, ms }) => `${part} ${ms.toFixed(3)}`).join(', ');
    return [head, `  ${host}`, `  ${list}`, ...alignColumns([['kernel', 'n', 'ms', 'share'], ...rows], true).map((line) => `  ${line}`), ''];
  });
}

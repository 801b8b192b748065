/**
 * Owns one round: every engine in its turn, opened, warmed up, measured and closed before the next one starts, so
 * that none runs beside another.
 */
import { measureSpeed, type Speed, type Workload } from './arithmetic.ts';
import { readLoad } from './machine.ts';
import type { TreeMemory } from './memory.ts';
import { createPrompts, type Subject } from './subject.ts';

/** One engine in one round. */
export interface Sample {
  readonly device: string;
  readonly loadMs: number;
  /** First token of the first request after loading: kernels are compiled at their first use. */
  readonly coldFirstTokenMs: number;
  /** In the order of the workloads. */
  readonly speeds: readonly Speed[];
  readonly memory: TreeMemory;
  /** Load average before the engine was opened. */
  readonly load: number;
}

/** Tokens that a warm-up generates for one sequence: two steps of decoding. */
const warmUpTokens = 3;
/** Longest prompt of a warm-up: it has several runs of attention already, so a longer one meets no other kernel. */
const warmUpPrompt = 512;

/** Every shape of work once, so that no kernel is compiled while it is measured; then each measured once. */
export async function measure(subject: Subject, workloads: readonly Workload[], vocabularySize: number, load: number = readLoad()): Promise<Sample> {
  // No prompt twice: an engine that keeps prefixes would not compute it again.
  let seed = 0;
  const run = async (workload: Workload, newTokens: number): Promise<Speed> =>
    measureSpeed(workload, await subject.run(createPrompts(workload, vocabularySize, ++seed), newTokens));
  let coldFirstTokenMs: number | undefined;
  for (const workload of distinctShapes(workloads)) {
    // A batch changes its make-up from step to step and meets every variant only when it runs to its end.
    const { firstTokenMs } = await run(workload, workload.sequences > 1 ? workload.newTokens : warmUpTokens);
    coldFirstTokenMs ??= firstTokenMs;
  }
  const speeds: Speed[] = [];
  for (const workload of workloads) speeds.push(await run(workload, workload.newTokens));
  return { device: subject.device, loadMs: subject.loadMs, coldFirstTokenMs: coldFirstTokenMs ?? 0, speeds, memory: subject.readMemory(), load };
}

function distinctShapes(workloads: readonly Workload[]): Workload[] {
  const cut = workloads.map((workload) => ({ ...workload, promptTokens: Math.min(workload.promptTokens, warmUpPrompt) }));
  return [...new Map(cut.map((workload) => [`${workload.sequences} ${workload.promptTokens}`, workload])).values()];
}

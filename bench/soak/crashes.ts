/**
 * Owns the killing of an engine's process under load: it waits until the process has begun to answer, then ends it as the kernel would for want
 * of memory. Refuses to wait for ever.
 */
import { createRandom, drawInteger } from '../serve/random.ts';
import type { Subject } from './subject.ts';

/** Longest wait for another process that serves, in ms. */
const takeOverMs = 120_000;

/** Kills `count` times. False: no process took over in time, or none had anything to do. */
export async function killAgain(subject: Subject, count: number, seed: number, onKill: (done: number) => void): Promise<boolean> {
  const { engine } = subject;
  const random = createRandom(seed);
  for (let done = 1; done <= count; done++) {
    if (!(await isTrueIn(takeOverMs, () => engine.isReady && engine.stats().running > 0))) return false;
    await pause(drawInteger(random, 100, 1200));
    subject.process.kill('SIGKILL');
    if (!(await isTrueIn(takeOverMs, () => engine.stats().restarts === done))) return false;
    onKill(done);
  }
  return true;
}

async function isTrueIn(limitMs: number, isTrue: () => boolean): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!isTrue()) {
    if (performance.now() > end) return false;
    await pause(20);
  }
  return true;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Owns waiting for the device. Dawn resolves promises from a poll that reschedules itself with setImmediate and so
 * keeps a core busy; on a CPU device that core is the device. Here the thread sleeps between polls.
 */
const cell = new Int32Array(new SharedArrayBuffer(4));
/** Milliseconds between polls: short against a step, long against a poll. */
export const stepPause = 0.25;
/** For what takes many of them: each poll costs what the device could have. */
export const longPause = 2;
/** For what takes a fraction of that and is timed by the clock. */
export const shortPause = 0.02;

export async function waitFor<T>(promise: Promise<T>, pause: number = stepPause): Promise<T> {
  let isDone = false;
  const settled = promise.finally(() => {
    isDone = true;
  });
  settled.catch(() => undefined); // reported by the await below
  for (;;) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (isDone) return settled;
    Atomics.wait(cell, 0, 0, pause);
  }
}

/**
 * Owns the end of an engine whose agreement has ended: what is kept of prompts is zeroed on the device, which is read back to
 * prove it, and only then is the engine given up. Refuses to wait for ever: the end of its process takes the rest away.
 */
import type { Engine } from '../../runtime/index.ts';

/** Longest time for zeroing and reading back, in ms. */
const zeroMs = 30_000;

/** Resolves when the engine is closed; with false where it was not shown that nothing is left. */
export async function unloadEngine(engine: Engine): Promise<boolean> {
  try {
    engine.flushPrefixes();
    return await isZeroed(engine);
  } finally {
    await engine[Symbol.asyncDispose]();
  }
}

async function isZeroed(engine: Engine): Promise<boolean> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), zeroMs);
  try {
    // One that has failed has no device to look at.
    const report = await Promise.race([engine.checkZeroed().catch(() => undefined), late.promise]);
    if (report === undefined) return false;
    const { kv, state, activations, logits, staging, batch } = report;
    return kv + state + activations + logits + staging + batch === 0;
  } finally {
    clearTimeout(timer);
  }
}

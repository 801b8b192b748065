/**
 * The engine's process of a measured load: started by launchEngine as the server's, opens the engine as that does, and looks at its own memory at
 * every chunk. Refuses to serve. Started by bench/load/measure.ts.
 */
import type { Driver } from '../../runtime/drivers.ts';
import { createEngine } from '../../runtime/engine.ts';
import { toInwardError } from '../../runtime/errors.ts';
import { Link } from '../../runtime/link/link.ts';
import type { EngineOptions } from '../../runtime/types.ts';

export interface LoadQuestion {
  readonly options: EngineOptions;
  readonly driver: Driver;
  /** A checkpoint that is opened and closed before, so that what code and the compiler of kernels take is not counted. */
  readonly first?: string | undefined;
}

/** Sizes in bytes, times in ms. */
export interface LoadTimes {
  readonly weightsMs: number;
  /** Resident before the first byte of a weight: Node, Dawn, the driver. */
  readonly residentBefore: number;
  /** Highest resident size until the last weight was on the device. */
  readonly residentPeak: number;
  /** Highest use of V8's heap; of what lies outside of it and is held from there: at first, and the highest. */
  readonly heapPeak: number;
  readonly externalBefore: number;
  readonly externalPeak: number;
  /** What the weights take on the device, by the ledger. */
  readonly deviceSize: number;
}

export type LoadAnswer = ({ readonly type: 'loaded' } & LoadTimes) | { readonly type: 'refused'; readonly reason: string };

const parent = Link.toParent<LoadAnswer, LoadQuestion>();

async function load({ options, driver, first: small }: LoadQuestion): Promise<LoadAnswer> {
  if (small !== undefined) await (await createEngine({ ...options, modelPath: small }, {}, { driver }))[Symbol.asyncDispose]();
  let first: { readonly at: number; readonly resident: number; readonly external: number } | undefined;
  let [weightsMs, residentPeak, heapPeak, externalPeak] = [0, 0, 0, 0];
  const look = (): void => {
    const { rss, heapUsed, external } = process.memoryUsage();
    first ??= { at: performance.now(), resident: rss, external };
    residentPeak = Math.max(residentPeak, rss);
    heapPeak = Math.max(heapPeak, heapUsed);
    externalPeak = Math.max(externalPeak, external);
    weightsMs = performance.now() - first.at;
  };
  await using engine = await createEngine({ ...options, onProgress: ({ part }) => (part === 'weights' ? look() : undefined) }, {}, { driver });
  const before = { residentBefore: first?.resident ?? 0, externalBefore: first?.external ?? 0 };
  return { type: 'loaded', weightsMs, ...before, residentPeak, heapPeak, externalPeak, deviceSize: engine.info.weightBytes };
}

async function answer(question: LoadQuestion): Promise<void> {
  try {
    parent.send(await load(question));
  } catch (error) {
    parent.send({ type: 'refused', reason: toInwardError(error, 'opening the engine').message });
  }
}

parent.listen({ message: (question) => void answer(question), closed: () => process.exit(0) });

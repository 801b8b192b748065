/**
 * Owns how long work on the device takes: by timestamps that the device itself writes at both ends of a pass, where it has them, else by
 * the clock from submit to done, which also counts the way there and back. Submits hold so many runs that neither matters much.
 */
import { Bench } from 'tinybench';
import { shortPause, waitFor } from '../../runtime/waiting.ts';

export type TimedBy = 'timestamps' | 'clock';

/** Of one run, in ms; median and quickest. */
export interface RunTime {
  readonly ms: number;
  readonly quickestMs: number;
}

/** Runs of a submit take at least so long. Dawn rounds timestamps to 0.1 ms. */
const leastSubmitMs = 5;
/** In all; at least five submits. */
const leastMs = 250;

/** Runs of a submit at most. */
const mostCount = 4096;

export const timestamps: GPUFeatureName = 'timestamp-query';

export class Stopwatch {
  readonly timedBy: TimedBy;
  readonly #device: GPUDevice;
  readonly #queries: GPUQuerySet | undefined;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#queries = device.features.has(timestamps) ? device.createQuerySet({ type: 'timestamp', count: 2 }) : undefined;
    this.timedBy = this.#queries === undefined ? 'clock' : 'timestamps';
  }

  /** Once, until it is done. */
  async run(encode: (pass: GPUComputePassEncoder) => void): Promise<void> {
    await this.#submit(encode, 1);
  }

  /** `encode` puts one run into a pass. */
  time(encode: (pass: GPUComputePassEncoder) => void): Promise<RunTime> {
    return timeRuns((count) => this.#submit(encode, count));
  }

  /** In ms, of all `count` runs. */
  async #submit(encode: (pass: GPUComputePassEncoder) => void, count: number): Promise<number> {
    const device = this.#device;
    const queries = this.#queries;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass(
      queries === undefined ? {} : { timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } },
    );
    for (let i = 0; i < count; i++) encode(pass);
    pass.end();
    const started = performance.now();
    if (queries === undefined) {
      device.queue.submit([encoder.finish()]);
      await waitFor(device.queue.onSubmittedWorkDone(), shortPause);
      return performance.now() - started;
    }
    const [resolved, staging] = [GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST].map((usage) =>
      device.createBuffer({ size: 16, usage }),
    ) as [GPUBuffer, GPUBuffer];
    encoder.resolveQuerySet(queries, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
    device.queue.submit([encoder.finish()]);
    await waitFor(staging.mapAsync(GPUMapMode.READ));
    const [begin = 0n, end = 0n] = new BigUint64Array(staging.getMappedRange());
    resolved.destroy();
    staging.destroy();
    return Number(end - begin) / 1e6;
  }
}

/** Of runs that fill a submit; from so many that the roundness of timestamps does not matter. */
async function findCount(submit: (count: number) => Promise<number>): Promise<number> {
  let count = 1;
  let ms = await submit(count);
  for (; ms < 1 && count < mostCount; ms = await submit(count)) count *= 8;
  return Math.min(mostCount, Math.max(1, Math.ceil((count * leastSubmitMs) / Math.max(ms, 0.1))));
}

/** `submit` runs the work as often as it is told, waits, and gives the ms that all of it took. The first one is not counted. */
export async function timeRuns(submit: (count: number) => Promise<number>): Promise<RunTime> {
  await submit(1);
  const count = await findCount(submit);
  const bench = new Bench({ time: leastMs, iterations: 5, warmup: false });
  bench.add('submit', async () => ({ overriddenDuration: await submit(count) }));
  await bench.run();
  const result = bench.tasks[0]?.result;
  if (result === undefined || !('latency' in result)) throw new Error('nothing was timed');
  return { ms: result.latency.p50 / count, quickestMs: result.latency.min / count };
}

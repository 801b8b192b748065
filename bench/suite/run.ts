/** Owns one case on one device: made ready, run once and held against the reference in double precision, then timed. */
import { dispatch } from '../../kernels/pipeline.ts';
import type { OpenDevice } from '../../runtime/device.ts';
import { type Case, nameCase, type Work, workOf } from './cases.ts';
import { type Ceilings, measureCeilings } from './ceilings.ts';
import { setUp } from './setups/index.ts';
import { type RunTime, Stopwatch, type TimedBy } from './stopwatch.ts';
import { Workbench } from './workbench.ts';

export interface CaseResult extends RunTime, Work {
  readonly name: string;
  /** Labels of the kernels. */
  readonly kernels: readonly string[];
  /** Normalised mean squared error of a sample of the results. */
  readonly error: number;
}

export class Suite {
  readonly #bench: Workbench;
  readonly #stopwatch: Stopwatch;

  constructor(open: OpenDevice, isDeterministic = false) {
    this.#bench = new Workbench(open, isDeterministic);
    this.#stopwatch = new Stopwatch(open.device);
  }

  get timedBy(): TimedBy {
    return this.#stopwatch.timedBy;
  }

  async run(one: Case): Promise<CaseResult> {
    this.#bench.clear();
    const { operations, counts, check } = await setUp(this.#bench, one);
    const prepared = await this.#bench.prepare(operations);
    const kernels: string[] = [];
    const encode = (pass: GPUComputePassEncoder): void => {
      kernels.length = 0;
      for (const operation of prepared) kernels.push(dispatch(pass, operation, counts) ?? '');
    };
    await this.#stopwatch.run(encode);
    const error = await check();
    return { name: nameCase(one), ...(await this.#stopwatch.time(encode)), ...workOf(one), kernels: kernels.filter(Boolean), error };
  }

  measureCeilings(): Promise<Ceilings> {
    return measureCeilings(this.#bench, this.#stopwatch);
  }
}

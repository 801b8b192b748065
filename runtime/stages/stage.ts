/**
 * Owns a stage of a model that is not the first: runs what the stage before hands on, in order, and hands on what comes of it. Refuses to decide
 * anything: which steps there are is the first stage's business (staged-runner.ts).
 */
import { type InwardError, toInwardError } from '../errors.ts';
import type { FreeBlocks } from '../residue.ts';
import type { StepResults } from '../results.ts';
import type { Runner } from '../runner.ts';
import type { BlockId, ZeroReport } from '../types.ts';
import { addReports, type Ring, type RingMessage } from './ring.ts';

/** Of the layers in the middle, or of the last ones. */
export type StageRunner = { readonly isLast: false; readonly runner: Runner<Float32Array> } | { readonly isLast: true; readonly runner: Runner<StepResults> };

type StepMessage = RingMessage & { readonly type: 'step' };

export class Stage {
  /** Resolves when a step has failed; nothing more is run. */
  readonly failed: Promise<InwardError>;
  readonly #stage: StageRunner;
  readonly #ring: Ring;
  readonly #fail: (error: InwardError) => void;
  /** The next one comes in while one runs. */
  readonly #waiting: RingMessage[] = [];
  #isRunning = false;

  constructor(stage: StageRunner, ring: Ring, closed: () => void) {
    this.#stage = stage;
    this.#ring = ring;
    const { promise, resolve } = Promise.withResolvers<InwardError>();
    this.failed = promise;
    this.#fail = resolve;
    ring.listen({ message: (message) => this.#receive(message), closed });
  }

  #receive(message: RingMessage): void {
    this.#waiting.push(message);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
        if (message.type === 'step') await this.#step(message);
        else if (message.type === 'check') await this.#check(message);
      }
      this.#isRunning = false;
    } catch (error) {
      this.#fail(toInwardError(error, 'a stage'));
    }
  }

  async #step(message: StepMessage): Promise<void> {
    const { words, rows, masks } = message;
    const step = { ...message, seal: () => words };
    try {
      if (this.#stage.isLast) {
        const results = await this.#stage.runner.run(step, rows);
        this.#ring.send({ type: 'results', ...results.first(message.counts.logitRows) });
        results.zero();
      } else {
        const made = await this.#stage.runner.run(step, rows);
        this.#ring.send({ ...message, rows: made });
        made.fill(0);
      }
    } finally {
      rows.fill(0);
      words.fill(0);
      for (const mask of masks) mask.words.fill(0);
    }
  }

  async #check(message: RingMessage & { readonly type: 'check' }): Promise<void> {
    const free: FreeBlocks = { kv: Array.from(message.kv) as BlockId[], state: Array.from(message.state) as BlockId[] };
    const own: ZeroReport = await this.#stage.runner.readResidue(free, message.blockCount);
    this.#ring.send({ ...message, report: addReports(message.report, own) });
  }
}

/**
 * Owns what is loaded: text side and engine come when the gate opens and go when it closes, caches zeroed first. One at a
 * time, in order. Refuses to decide whether anything may be loaded.
 */
import { InwardError, toInwardError } from '../runtime/index.ts';
import type { Log } from './log.ts';
import type { ModelSource, Models } from './openai/plan.ts';
import { Refusal, SiteError } from './privacy/errors.ts';
import { unloadEngine } from './privacy/unload.ts';

export class ModelLoader implements ModelSource, AsyncDisposable {
  readonly #open: () => Promise<Models>;
  readonly #log: Log;
  readonly #failed = Promise.withResolvers<unknown>();
  #current: Models | undefined;
  #refusal: Refusal | undefined;
  #isWanted = false;
  #isEnded = false;
  #work: Promise<void> = Promise.resolve();

  /** `open` throws what the doors of engine and text throw. */
  constructor(open: () => Promise<Models>, log: Log) {
    this.#open = open;
    this.#log = log;
  }

  get current(): Models | undefined {
    return this.#current;
  }

  /** Why nothing is loaded although an agreement is in force. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** Resolves with the error when the loaded engine has ended by itself. */
  get failed(): Promise<unknown> {
    return this.#failed.promise;
  }

  /** Loads, or resolves when that was done before. Throws as `open` does. */
  load(): Promise<void> {
    this.#isWanted = true;
    return this.#then(async () => {
      if (this.#isEnded || !this.#isWanted || this.#current !== undefined) return;
      this.#refusal = undefined;
      const models = await this.#open();
      this.#current = models;
      this.#log({ event: 'model_loaded', model: models.engine.info.modelName });
      void models.engine.failed.then((error) => this.#current === models && this.#failed.resolve(error));
    });
  }

  /** For a gate that opens while the server runs: what goes wrong is told, and the server stays up for the administrator. */
  async tryLoad(): Promise<Error | undefined> {
    try {
      await this.load();
      return undefined;
    } catch (error) {
      this.#refusal = new Refusal(error instanceof SiteError ? 'manifest_mismatch' : 'model_failed');
      const told = error instanceof SiteError ? error : toInwardError(error, 'the loading of the model');
      this.#log({ event: 'model_load_failed', ...(told instanceof InwardError ? { code: told.code } : {}) });
      return told;
    }
  }

  unload(): Promise<void> {
    this.#isWanted = false;
    // Also where it is wanted again by then: what is loaded next is held against the machine anew.
    return this.#then(() => this.#close());
  }

  async #close(): Promise<void> {
    const models = this.#current;
    if (models === undefined) return;
    // First, so that no request finds what is being closed.
    this.#current = undefined;
    let isZeroed = false;
    try {
      // Closed whatever the engine does.
      await using _ = models.text;
      isZeroed = await unloadEngine(models.engine);
      if (!isZeroed) this.#log({ event: 'model_not_zeroed' });
    } catch (error) {
      this.#log({ event: 'model_unload_failed', code: toInwardError(error, 'the closing of the model').code });
    }
    this.#log({ event: 'model_unloaded', zeroed: isZeroed });
  }

  #then(work: () => Promise<void>): Promise<void> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => undefined);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    await this.#then(() => this.#close());
  }
}

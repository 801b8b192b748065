/**
 * Owns the server's life cycle: ready, draining, failed; and the jobs that run.
 * A job is cancelled when its client goes away before the answer is complete, or when the drain is cut short.
 */
import type { ServerResponse } from 'node:http';
import { InwardError } from '../runtime/index.ts';

export interface Life {
  readonly state: 'ready' | 'draining' | 'failed';
  /** Answers that are being made. */
  readonly running: number;
  /** Counts a job until its answer is closed; the signal says that nobody waits for it any more. */
  enter(response: ServerResponse): AbortSignal;
  /** The engine is gone; nothing can be answered from now on. */
  fail(): void;
  /** Takes no more requests; resolves when the running ones have ended or, after `timeoutMs`, have been cut. */
  drain(timeoutMs: number): Promise<void>;
  /** Cuts what runs, at once. */
  cut(): void;
}

/** Time that cut jobs get to tell their clients, in ms. */
const farewellMs = 1000;

export function createLife(): Life {
  const stop = new AbortController();
  let state: Life['state'] = 'ready';
  let running = 0;
  let onIdle = Promise.withResolvers<void>();

  const leave = (): void => {
    running--;
    if (running === 0) onIdle.resolve();
  };
  const whenIdle = (): Promise<void> => {
    onIdle = Promise.withResolvers<void>();
    if (running === 0) onIdle.resolve();
    return onIdle.promise;
  };
  const cut = (): void => stop.abort(new InwardError('shutting_down'));

  return {
    get state() {
      return state;
    },
    get running() {
      return running;
    },
    enter: (response) => {
      running++;
      const client = new AbortController();
      // Not request.signal: Fastify aborts that one as soon as a body has been read.
      response.once('close', () => {
        if (!response.writableFinished) client.abort(new InwardError('aborted'));
        leave();
      });
      return AbortSignal.any([client.signal, stop.signal]);
    },
    fail: () => {
      state = 'failed';
    },
    drain: async (timeoutMs) => {
      if (state === 'ready') state = 'draining';
      const idle = whenIdle();
      const timer = setTimeout(cut, timeoutMs);
      await Promise.race([idle, new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }))]);
      clearTimeout(timer);
      if (!stop.signal.aborted) return;
      await Promise.race([idle, new Promise((resolve) => setTimeout(resolve, farewellMs).unref())]);
    },
    cut,
  };
}

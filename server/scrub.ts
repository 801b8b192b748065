/**
 * Owns what the HTTP process does with its own memory once it has nothing to do: what Node has read requests into overwritten
 * (overwrite.ts), and a collection of everything that nobody needs (runtime/collect.ts). It stops everything for a moment, so while
 * requests are open it is done once a minute at most. What it is measured by: prove/memory.ts.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { collectGarbage } from '../runtime/index.ts';
import { overwriteReads } from './overwrite.ts';

/** After the last answer, in ms, so that a client that asks one thing after the other waits for nothing. */
const idleMs = 1000;
/** Where requests leave no such pause, in ms: a tenth of a second of it costs a six-hundredth of the time. */
const busyMs = 60_000;

export interface ScrubberOptions {
  /**
   * Its signal aborts when a request comes in the middle, unless it is overdue: from then on it may stop nothing, and rejects. Is told
   * how many parsers of Node's may have been used since the last one, and are free now.
   */
  readonly scrub?: (signal: AbortSignal, parserCount: number) => Promise<void>;
  /** After the last request, in ms. */
  readonly delayMs?: number;
  /** After the first request since the last scrub, in ms; from then on one is overdue. */
  readonly overdueMs?: number;
  /** Is told how long one took. */
  readonly onScrub?: (ms: number) => void;
}

export class Scrubber {
  readonly #options: Required<ScrubberOptions>;
  #openCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #overdueTimer: NodeJS.Timeout | undefined;
  #running: AbortController | undefined;
  /** Connections, each of which has a parser, and the most of them since the last scrub. */
  #connectionCount = 0;
  #peakCount = 0;

  constructor(options: ScrubberOptions = {}) {
    this.#options = { scrub: scrubProcess, delayMs: idleMs, overdueMs: busyMs, onScrub: () => undefined, ...options };
    // Buffers go back to malloc by the thread that asks for them again (runtime/collect.ts): what another one gave back, only that one gets.
    setFlagsFromString('--no-concurrent-array-buffer-sweeping');
  }

  /**
   * Watches a server: every request that may hold content is open until its answer has ended, and when a connection ends that
   * has carried anything else than requests which hold none, what its parser keeps is to be overwritten as well.
   */
  watch(server: Server, holdsNothing: (request: IncomingMessage) => boolean): void {
    const [harmless, others] = [new WeakSet<Socket>(), new WeakSet<Socket>()];
    server.on('request', (request, response) => {
      const isHarmless = holdsNothing(request);
      (isHarmless ? harmless : others).add(request.socket);
      if (!isHarmless) response.once('close', this.enter());
    });
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#peakCount = Math.max(this.#peakCount, ++this.#connectionCount);
      socket.once('close', () => {
        this.#connectionCount--;
        // What cannot be read as a request is none, and holds what it likes.
        if (others.has(socket) || (socket.bytesRead > 0 && !harmless.has(socket))) this.enter()();
      });
    });
  }

  /** A request that may hold content has come; what is given back says that it is over. */
  enter(): () => void {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#openCount++;
    if (this.#overdueTimer === undefined) this.#watch();
    return () => {
      if (--this.#openCount > 0) return;
      const running = new AbortController();
      this.#running = running;
      this.#timer = setTimeout(() => this.#start(running.signal), this.#options.delayMs).unref();
    };
  }

  /** From now on until one is overdue; without an open request there is nothing that it could miss. */
  #watch(): void {
    clearTimeout(this.#overdueTimer);
    const start = (): void => {
      this.#watch();
      this.#start(new AbortController().signal);
    };
    this.#overdueTimer = this.#openCount > 0 ? setTimeout(start, this.#options.overdueMs).unref() : undefined;
  }

  #start(signal: AbortSignal): void {
    const { scrub, onScrub } = this.#options;
    const begun = performance.now();
    // Free parsers are given out last in, first out: those that were used lie on top.
    const parserCount = this.#peakCount - this.#connectionCount;
    this.#peakCount = this.#connectionCount;
    scrub(signal, parserCount)
      .then(() => {
        this.#watch();
        onScrub(performance.now() - begun);
      })
      // A failure leaves things as they were without a scrub; the next one tries again.
      .catch(() => (this.#peakCount = Math.max(this.#peakCount, this.#connectionCount + parserCount)));
  }
}

/** Overwrites what was read, and collects. */
async function scrubProcess(signal: AbortSignal, parserCount: number): Promise<void> {
  await overwriteReads(parserCount, signal);
  signal.throwIfAborted();
  collectGarbage();
}

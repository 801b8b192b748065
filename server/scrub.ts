/**
 * Owns what the HTTP process does with its own memory once it has nothing to do: the one buffer that Node reads all requests into
 * overwritten, and a collection of everything that nobody needs (runtime/collect.ts). It stops everything for a moment, so while
 * requests are open it is done once a minute at most. What it is measured by: prove/memory.ts.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { collectGarbage } from '../runtime/index.ts';

/** After the last answer, in ms, so that a client that asks one thing after the other waits for nothing. */
const idleMs = 1000;
/** Where requests leave no such pause, in ms: a tenth of a second of it costs a six-hundredth of the time. */
const busyMs = 60_000;
/** Node reads 64 KiB at a time: several times that, so that one reading is full wherever the body begins. */
const fillSize = 4 * 2 ** 16;

export interface ScrubberOptions {
  /** Its signal aborts when a request comes in the middle, unless it is overdue: from then on it may stop nothing, and rejects. */
  readonly scrub?: (signal: AbortSignal) => Promise<void>;
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

  constructor(options: ScrubberOptions = {}) {
    this.#options = { scrub: scrubProcess, delayMs: idleMs, overdueMs: busyMs, onScrub: () => undefined, ...options };
    // Buffers go back to malloc by the thread that asks for them again (runtime/collect.ts): what another one gave back, only that one gets.
    setFlagsFromString('--no-concurrent-array-buffer-sweeping');
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
    scrub(signal)
      .then(() => {
        this.#watch();
        onScrub(performance.now() - begun);
      })
      // A failure leaves things as they were without a scrub; the next one tries again.
      .catch(() => undefined);
  }
}

/** Collects, and overwrites what was read last. */
async function scrubProcess(signal: AbortSignal): Promise<void> {
  await overwriteReadBuffer();
  signal.throwIfAborted();
  collectGarbage();
}

/** All HTTP servers of a process read into the same buffer: one of its own, in the abstract names of Linux, gets zeros. */
async function overwriteReadBuffer(): Promise<void> {
  if (process.platform !== 'linux') return;
  const path = `\0inward-${randomUUID()}`;
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end());
  });
  server.listen(path);
  await once(server, 'listening');
  try {
    const socket = connect(path);
    socket.write(`POST / HTTP/1.1\r\nhost: scrub\r\nconnection: close\r\ncontent-length: ${fillSize}\r\n\r\n`);
    socket.write(Buffer.alloc(fillSize));
    socket.resume();
    await once(socket, 'close');
  } finally {
    server.close();
  }
}

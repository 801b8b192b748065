/**
 * Owns what the HTTP process does with its own memory: of what Node reads requests with, nothing is kept for another connection; and once
 * there is nothing to do, the one buffer that all are read into is overwritten, and everything that nobody needs collected (runtime/collect.ts).
 * That stops everything for a moment, so while requests are open it is done once a minute at most. What it is measured by: prove/memory.ts.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { collectGarbage } from '../runtime/index.ts';
import { SiteError } from './privacy/errors.ts';

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
    keepNoParsers();
    // Else another thread gives buffers back, and with that has them overwritten, some time after a collection has returned.
    setFlagsFromString('--no-concurrent-array-buffer-sweeping');
  }

  /** Watches a server: every request that may hold content is open until its answer has ended; what is no request may hold anything. */
  watch(server: Server, holdsNothing: (request: IncomingMessage) => boolean): void {
    server.on('request', (request, response) => {
      if (!holdsNothing(request)) response.once('close', this.enter());
    });
    server.on('clientError', () => this.enter()());
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

/**
 * A parser of Node's has some KB of its own for a head that comes in pieces, and for the last path in any case (src/node_http_parser.cc), and
 * is used for one connection after the other. Now it goes when its connection does, and the C library overwrites it.
 */
function keepNoParsers(): void {
  const common = process.getBuiltinModule('_http_common') as { readonly parsers?: { max: number; readonly list: unknown[] } } | undefined;
  const parsers = common?.parsers;
  if (typeof parsers?.max !== 'number')
    throw new SiteError(
      `Node ${process.version} keeps what it reads requests with in a way that is not known here: use Node 24, which comes with the packages.`,
    );
  parsers.max = 0;
  parsers.list.length = 0;
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

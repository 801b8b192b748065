/**
 * Owns what the HTTP process does with its own memory once it has nothing to do: a collection of everything that nobody needs,
 * whose memory V8 zeroes or gives back, and the one buffer that Node reads all requests into overwritten. It stops everything for a
 * moment, so while requests are open it is done once a minute at most. What it is measured by: prove/memory.ts.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** After the last answer, in ms, so that a client that asks one thing after the other waits for nothing. */
const idleMs = 1000;
/** Where requests leave no such pause, in ms: a tenth of a second of it costs a six-hundredth of the time. */
const busyMs = 60_000;
/** Node reads 64 KiB at a time: several times that, so that one reading is full wherever the body begins. */
const fillSize = 4 * 2 ** 16;

type Collect = (options: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'regular' | 'last-resort' }) => void;

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
    // Buffers go back to malloc by the thread that asks for them again (overwriteFreed): what another one gave back, only that one gets.
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
  // The last text that a pattern has matched stays reachable until another one is.
  /^/.exec('');
  collectAll('regular');
  overwriteFreed();
  // Once more, until nothing is found: what only a cache holds goes too, and pages go back to the kernel.
  collectAll('last-resort');
}

/**
 * Sizes of blocks in bytes, and how many are asked for. glibc keeps small ones by their size, in steps of 16, seven each for every
 * thread (the GNU C library's malloc/malloc.c, "tcache"); all others are cut from what is free.
 */
const blocks: readonly (readonly [size: number, count: number])[] = [
  ...Array.from({ length: 64 }, (_, step) => [8 + 16 * (step + 1), 8] as const),
  [65_536, 2 ** 25 / 65_536],
  ...[16_384, 4096, 1024].map((size) => [size, 2 ** 22 / size] as const),
];

/**
 * What malloc has got back keeps what was in it, as what sockets were written from does. It gives such blocks away first, and those that
 * are asked for zeroed are zeroed then.
 */
function overwriteFreed(): void {
  // All are held until the last is there: none is to be made of another.
  blocks.map(([size, count]) => Array.from({ length: count }, () => new ArrayBuffer(size)));
}

function collectAll(flavor: 'regular' | 'last-resort'): void {
  findCollect()({ type: 'major', execution: 'sync', flavor });
}

let collect: Collect | undefined;

function findCollect(): Collect {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    // Of what such a collection leaves; without it free parts of pages keep what was there. Costs nothing at other times.
    setFlagsFromString('--zero-unused-memory');
    collect = runInNewContext('gc') as Collect;
  }
  return collect;
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

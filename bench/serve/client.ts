/**
 * Owns one request of the load bench over HTTP: sent, its stream read, every token's time taken. A failure is a result. Every request has a
 * connection of its own, as its client would be another. Refuses to try again.
 */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { cleanCode, StreamError, StreamReader } from './sse.ts';

/** Where to, and in which words. */
export interface Target {
  /** Without a path: `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly model: string;
  /** Sent as a bearer token where the server wants one. */
  readonly key?: string | undefined;
  /** Longest time for one request, in ms. */
  readonly timeoutMs: number;
  /** Sends `ignore_eos`, which OpenAI's API does not have; without it answers may be shorter than asked. */
  readonly ignoresEnd: boolean;
  /** Asks for log-probabilities, so that an event says how many tokens it has; without, an event counts as one token. */
  readonly countsTokens: boolean;
}

/** What to ask. */
export interface Question {
  readonly prompt: readonly number[];
  readonly newTokens: number;
  readonly seed: number;
}

/** Tokens that came together. */
export interface Arrival {
  /** On the clock of performance.now(). */
  readonly at: number;
  readonly count: number;
}

/** What became of it; times on the clock of performance.now(). */
export interface Answer {
  readonly sentAt: number;
  readonly endedAt: number;
  readonly arrivals: readonly Arrival[];
  /** As the server counts; else tokens that came. */
  readonly completionTokens: number;
  /** 0: no answer began. */
  readonly status: number;
  /** Undefined: complete. Words that the bench or a closed set of codes chose. */
  readonly failure?: string;
  readonly retryAfterSeconds?: number;
}

const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

/** The header field of a key, if there is one. */
export function authorize(key: string | undefined): { readonly authorization?: string } {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

export function ask(target: Target, question: Question): Promise<Answer> {
  const body = JSON.stringify(createBody(target, question));
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const sentAt = performance.now();
  const reading = new Reading(sentAt, resolve);
  const sent = request(new URL('/v1/completions', target.url), {
    method: 'POST',
    agent,
    headers: {
      ...{ 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), accept: 'text/event-stream' },
      ...authorize(target.key),
    },
  });
  const timer = setTimeout(() => reading.end('timeout'), target.timeoutMs);
  void promise.then(() => {
    clearTimeout(timer);
    sent.destroy();
  });
  watch(sent, reading);
  sent.end(body);
  return promise;
}

/** Drawn at temperature 1: a greedy answer to random ids soon repeats itself, and a repeated answer is no load that anybody has. */
function createBody({ model, ignoresEnd, countsTokens }: Target, { prompt, newTokens, seed }: Question): object {
  return {
    model,
    prompt,
    max_tokens: newTokens,
    temperature: 1,
    seed,
    stream: true,
    stream_options: { include_usage: true },
    ...(ignoresEnd ? { ignore_eos: true } : {}),
    ...(countsTokens ? { logprobs: 0 } : {}),
  };
}

function watch(sent: ClientRequest, reading: Reading): void {
  sent.on('error', (error: NodeJS.ErrnoException) => reading.end(`connection: ${cleanCode(error.code)}`));
  sent.on('response', (response: IncomingMessage) => {
    reading.status = response.statusCode ?? 0;
    const isStream = response.headers['content-type']?.startsWith('text/event-stream') === true;
    if (reading.status !== 200 || !isStream) {
      const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
      reading.end(reading.status === 200 ? 'no event stream' : `status ${reading.status}`, Number.isFinite(seconds) ? seconds : undefined);
      return;
    }
    response.on('data', (bytes: Buffer) => reading.push(bytes));
    // An `error` comes before `close` where the connection was cut.
    response.on('error', () => reading.end('cut off'));
    response.on('close', () => reading.end('cut off'));
  });
}

/** One answer as it comes in; only its first end counts. */
class Reading {
  status = 0;
  readonly #sentAt: number;
  readonly #resolve: (answer: Answer) => void;
  readonly #stream = new StreamReader();
  readonly #arrivals: Arrival[] = [];
  #counted: number | undefined;
  #isEnded = false;

  constructor(sentAt: number, resolve: (answer: Answer) => void) {
    this.#sentAt = sentAt;
    this.#resolve = resolve;
  }

  push(bytes: Uint8Array): void {
    const at = performance.now();
    try {
      for (const event of this.#stream.push(bytes)) {
        if (this.#isEnded) return;
        if (event.type === 'tokens' && event.count > 0) this.#arrivals.push({ at, count: event.count });
        else if (event.type === 'usage') this.#counted = event.completionTokens;
        else if (event.type === 'error') this.end(`error in the stream: ${event.code}`);
        else if (event.type === 'done') this.end();
      }
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.end(`malformed: ${error.message}`);
    }
  }

  /** Without a failure: complete. */
  end(failure?: string, retryAfterSeconds?: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const came = this.#arrivals.reduce((sum, { count }) => sum + count, 0);
    this.#resolve({
      sentAt: this.#sentAt,
      endedAt: performance.now(),
      arrivals: this.#arrivals,
      completionTokens: this.#counted ?? came,
      status: this.status,
      ...(failure === undefined ? {} : { failure }),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
}

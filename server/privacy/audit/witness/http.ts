/**
 * Owns the witness on another host, as the client of `add-checkpoint` (C2SP tlog-witness): a POST with a proof from the size that the
 * witness has. Refuses a destination that the manifest does not name, redirects, proxies, and answers that are long or slow. The
 * witness is known by its TLS certificate; its cosignature is not verified.
 */
import http from 'node:http';
import https from 'node:https';
import { type KeptCheckpoint, prove, type Witness, type WitnessCode, WitnessError, type Witnessed } from './contract.ts';
import { formatRequest } from './request.ts';

/** Longest time for one request, in ms. */
const standardTimeoutMs = 10_000;
/** Largest answer, in bytes: a few lines of signatures. */
const answerLimit = 16_384;
const cosignatures = /^(?:\u2014 [^\s+]{1,200} [A-Za-z0-9+/]+={0,2}\n)+$/;

export interface HttpWitnessOptions {
  readonly url: URL;
  /** Host and port as a manifest names them. */
  readonly destination: string;
  /** The destinations of the manifest that is in force. */
  readonly manifestOutbound: () => readonly string[];
  readonly timeoutMs?: number | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

export class HttpWitness implements Witness {
  readonly #options: HttpWitnessOptions;
  readonly #target: URL;
  readonly #agent: http.Agent;
  readonly #closing = new AbortController();
  /** What the witness is known to have; 0 asks for it. */
  #size = 0;

  constructor(options: HttpWitnessOptions) {
    this.#options = options;
    this.#target = new URL(`${options.url.href.replace(/\/+$/, '')}/add-checkpoint`);
    const keep = { keepAlive: true, maxSockets: 1 };
    this.#agent = options.url.protocol === 'https:' ? new https.Agent({ ...keep, rejectUnauthorized: true }) : new http.Agent(keep);
  }

  /** A witness has no way to give what it has. */
  lastSeen(): KeptCheckpoint | undefined {
    return undefined;
  }

  async keep(checkpoint: Witnessed): Promise<void> {
    let size = Math.min(this.#size, checkpoint.size);
    for (let attempt = 0; attempt < 2; attempt++) {
      const answer = await this.#ask(formatRequest(size, prove(checkpoint, size), checkpoint.note));
      const known = judge(answer, size, checkpoint.size);
      this.#size = known;
      if (answer.status === 200) return;
      size = known;
    }
    throw new WitnessError('protocol');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#agent.destroy();
  }

  #ask(body: string): Promise<Answer> {
    const { destination, manifestOutbound, timeoutMs = standardTimeoutMs } = this.#options;
    if (this.#closing.signal.aborted) throw new WitnessError('closed');
    if (!manifestOutbound().includes(destination)) {
      // An open connection must not outlive the permission.
      this.#agent.destroy();
      throw new WitnessError('not_permitted');
    }
    return post(this.#target, this.#agent, body, AbortSignal.timeout(timeoutMs), this.#closing.signal);
  }
}

/** The size that the witness has now. Throws WitnessError. */
function judge({ status, body }: Answer, asked: number, size: number): number {
  const codes: Readonly<Record<number, WitnessCode>> = { 403: 'key_refused', 404: 'unknown_log', 422: 'forked' };
  if (status === 200) {
    if (!cosignatures.test(body)) throw new WitnessError('protocol');
    return size;
  }
  if (status !== 409) throw new WitnessError(codes[status] ?? 'protocol');
  const known = Number(/^(0|[1-9]\d{0,15})\n$/.exec(body)?.[1]);
  // The specification asks for no body where sizes are the same and the roots are not.
  if (asked === size && (known === size || Number.isNaN(known))) throw new WitnessError('forked');
  if (!Number.isSafeInteger(known) || known === asked) throw new WitnessError('protocol');
  if (known > size) throw new WitnessError('rolled_back');
  return known;
}

/** Node's client follows no redirect, and an agent of our own knows no proxy. */
async function post(target: URL, agent: http.Agent, body: string, timeout: AbortSignal, closing: AbortSignal): Promise<Answer> {
  const { request } = target.protocol === 'https:' ? https : http;
  const signal = AbortSignal.any([timeout, closing]);
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) };
  try {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request(target, { method: 'POST', agent, signal, headers }).on('response', resolve).on('error', reject).end(body);
    });
    return { status: response.statusCode ?? 0, body: await readBounded(response) };
  } catch (error) {
    if (error instanceof WitnessError) throw error;
    throw new WitnessError(closing.aborted ? 'closed' : timeout.aborted ? 'timeout' : 'unreachable');
  }
}

async function readBounded(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early destroys the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerLimit) throw new WitnessError('protocol');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

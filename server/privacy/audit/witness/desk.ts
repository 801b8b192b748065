/**
 * Owns a small witness: the server of `add-checkpoint` (C2SP tlog-witness) over a file of checkpoints. Refuses logs that it was given no
 * key of, a first checkpoint that no given key has signed, a log that does not go on from what is kept, and bodies that are long or slow.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { checkContinuation } from './continuation.ts';
import { type KeptCheckpoint, WitnessError } from './contract.ts';
import type { Cosigner } from './cosigner.ts';
import { judgeSignature, type LogKey } from './logs.ts';
import type { NoteFile } from './notes.ts';
import { type AddRequest, parseRequest, requestLimit } from './request.ts';

/** Longest time for a request, and of a connection without one, in ms. */
const standardRequestMs = 10_000;
const idleMs = 120_000;
const connectionLimit = 64;

export interface DeskOptions {
  readonly notes: NoteFile;
  readonly keys: readonly LogKey[];
  readonly cosigner: Cosigner;
  /** Told of each checkpoint what became of it. */
  readonly onAnswer?: (answer: DeskAnswer, request: AddRequest) => void;
  /** ms of the epoch. */
  readonly now?: () => number;
  /** Longest time for a request, in ms. */
  readonly requestMs?: number;
}

export interface DeskAnswer {
  readonly status: number;
  readonly type?: 'text/x.tlog.size';
  readonly body?: string;
  /** What the request shows about the log, if anything. */
  readonly finding?: 'forked' | 'rolled_back';
}

/** A server that does not listen yet; with `tls` an https one. */
export function createWitnessServer(options: DeskOptions, tls?: SecureContextOptions): http.Server {
  const { requestMs = standardRequestMs } = options;
  const limits = { requestTimeout: requestMs, headersTimeout: requestMs, keepAliveTimeout: idleMs, connectionsCheckingInterval: 500 };
  const listener = (request: IncomingMessage, response: ServerResponse): void => void serve(request, response, options);
  const server = tls === undefined ? http.createServer(limits, listener) : https.createServer({ ...limits, ...tls, handshakeTimeout: requestMs }, listener);
  server.maxConnections = connectionLimit;
  return server;
}

async function serve(request: IncomingMessage, response: ServerResponse, options: DeskOptions): Promise<void> {
  try {
    const { status, type = 'text/plain; charset=utf-8', body = '' } = await answer(request, options);
    // What was not read is not waited for.
    const ending = request.complete ? {} : { connection: 'close' };
    response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...ending }).end(body);
  } catch {
    // The client went away in the middle of its request.
    response.destroy();
  }
}

async function answer(request: IncomingMessage, options: DeskOptions): Promise<DeskAnswer> {
  if (!/^(?:\/[\w.-]+)*\/add-checkpoint$/.test(request.url ?? '')) return { status: 404 };
  if (request.method !== 'POST') return { status: 405 };
  const body = await readBody(request);
  const added = body === undefined ? undefined : parseRequest(body);
  if (added === undefined) return { status: 400 };
  const result = await add(added, options);
  options.onAnswer?.(result, added);
  return result;
}

async function add(request: AddRequest, { notes, keys, cosigner, now = Date.now }: DeskOptions): Promise<DeskAnswer> {
  const { note, checkpoint } = request;
  const signature = judgeSignature(note, checkpoint.log, keys);
  if (signature === 'unknown') return { status: 404 };
  if (signature === 'false') return { status: 403 };
  try {
    const refusal = await notes.keep(note, (last) => {
      if (signature === 'new' && last === undefined) return { status: 403 };
      return judge(request, last);
    });
    return refusal ?? { status: 200, body: cosigner.cosign(note, now()) };
  } catch (error) {
    if (error instanceof WitnessError) return { status: 500 };
    throw error;
  }
}

/** In the order of the specification; undefined: it goes on. */
function judge({ oldSize, proof, checkpoint }: AddRequest, last: KeptCheckpoint | undefined): DeskAnswer | undefined {
  const known = last?.size ?? 0;
  const conflict = { status: 409, type: 'text/x.tlog.size', body: `${known}\n` } as const;
  if (oldSize !== known) return checkpoint.size < known ? { ...conflict, finding: 'rolled_back' } : conflict;
  if (last !== undefined && known === checkpoint.size && !last.root.equals(checkpoint.root)) return { ...conflict, finding: 'forked' };
  try {
    checkContinuation(last, checkpoint, proof);
    return undefined;
  } catch (error) {
    if (error instanceof WitnessError) return { status: 422, finding: 'forked' };
    throw error;
  }
}

/** Undefined where it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > requestLimit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

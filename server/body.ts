/**
 * Owns the way from a request body's bytes to a JSON value: bounded size, strict UTF-8, bounded depth, JSON.
 * Refuses other media types and encodings. Wipes the bytes as they came and as they were joined, so that no memory that is used
 * again keeps a prompt. (Fastify's own reading of bodies leaves the bytes as they came.)
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from './openai/errors.ts';

/** Levels of arrays and objects; those of a tool's schema are a dozen at most. */
const depthLimit = 32;
const json = 'application/json';

/** Makes JSON the only body that the app reads. */
export function addBodyParser(app: FastifyInstance, limit: number): void {
  app.removeAllContentTypeParsers();
  // Fastify keeps the types that it has seen, whatever clients wrote into them: it gets to see two.
  app.addHook('onRequest', async ({ headers }) => {
    if (headers['content-type'] !== undefined) headers['content-type'] = isJson(headers) ? json : 'application/octet-stream';
  });
  app.addContentTypeParser(json, async ({ headers }: FastifyRequest, payload: Readable) => {
    if (Number(headers['content-length']) > limit) throw new ApiError('body_too_large', { limit });
    const body = await readBytes(payload, limit);
    try {
      if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw new ApiError('media_type');
      return parseJson(body);
    } finally {
      body.fill(0);
    }
  });
}

function isJson({ 'content-type': type = '' }: IncomingHttpHeaders): boolean {
  const charset = /charset="?([^\s;"]+)/i.exec(type)?.[1] ?? 'utf-8';
  return /^\s*application\/json\s*(?:;|$)/i.test(type) && /^utf-?8$/i.test(charset);
}

/** All bytes in one piece, which is the reader's to wipe; throws ApiError. */
function readBytes(payload: Readable, limit: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  const wipe = (): void => {
    for (const chunk of chunks.splice(0)) chunk.fill(0);
  };
  const refuse = (error: ApiError): void => {
    wipe();
    reject(error);
  };
  payload.on('data', (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size > limit) refuse(new ApiError('body_too_large', { limit }));
  });
  payload.once('end', () => {
    resolve(Buffer.concat(chunks));
    wipe();
  });
  payload.once('error', () => refuse(new ApiError('bad_request')));
  return promise;
}

/** The JSON value in `bytes`; throws ApiError. */
function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw new ApiError('empty_body');
  checkDepth(bytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ApiError('invalid_utf8');
  }
  try {
    return JSON.parse(text);
  } catch {
    // V8's message quotes the text around the mistake: never passed on.
    throw new ApiError('invalid_json');
  }
}

/** Counts brackets outside strings, before any value is built from them. */
function checkDepth(bytes: Uint8Array): void {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === 0x22) inString = !inString;
    else if (inString) {
      if (byte === 0x5c) index++;
    } else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > depthLimit) throw new ApiError('too_deep', { limit: depthLimit });
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}

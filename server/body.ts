/**
 * Owns the way from a request body's bytes to a JSON value: strict UTF-8, bounded depth, JSON.
 * Refuses other media types and encodings. Wipes the bytes it was given, so that the pool they came from keeps no prompt.
 */
import type { FastifyInstance } from 'fastify';
import { ApiError } from './openai/errors.ts';

/** Levels of arrays and objects; the deepest valid request has 4. */
const depthLimit = 32;

/** Makes JSON the only body that the app reads. */
export function addBodyParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      const charset = /charset="?([^\s;"]+)/i.exec(request.headers['content-type'] ?? '')?.[1] ?? 'utf-8';
      const encoding = request.headers['content-encoding'] ?? 'identity';
      if (!/^utf-?8$/i.test(charset) || encoding !== 'identity') throw new ApiError('media_type');
      done(null, parseJson(body));
    } catch (error) {
      done(error instanceof ApiError ? error : new ApiError('invalid_json'), undefined);
    } finally {
      body.fill(0);
    }
  });
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

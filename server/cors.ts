/**
 * Owns which web pages may read answers: those of the origins in the setting, and no others. Without the setting nothing here runs, and browsers
 * let no page of another origin read anything. Refuses `*`, and cookies in any case: keys come in header fields.
 */
import type { FastifyInstance } from 'fastify';
import type { Settings } from './config.ts';

// biome-ignore format: a list
const requestFields = [
  'authorization', 'content-type', 'x-api-key', 'anthropic-version', 'anthropic-beta', 'anthropic-dangerous-direct-browser-access',
  'x-inward-purpose', 'x-inward-region', 'x-inward-deadline-ms', 'x-inward-correlation', 'x-inward-no-cache',
  // What OpenAI's and Anthropic's clients say of themselves.
  ...['arch', 'async', 'custom-poll-interval', 'helper', 'helper-method', 'lang', 'os', 'package-version', 'poll-helper', 'retry-count', 'runtime', 'runtime-version', 'timeout'].map((name) => `x-stainless-${name}`),
] as const;
// biome-ignore format: a list
const answerFields = [
  'x-request-id', 'request-id', 'retry-after', 'x-inward-mode', 'x-inward-region', 'x-inward-agreement', 'x-inward-manifest', 'x-inward-break-glass',
  ...['limit', 'remaining', 'reset'].flatMap((name) => [`x-ratelimit-${name}-tokens`, `anthropic-ratelimit-tokens-${name}`]),
] as const;
/** How long a browser may keep the answer to its question, in seconds. */
const keptSeconds = 600;

/** Before the hooks of access: a browser asks without a key what it may send. */
export function addCors(app: FastifyInstance, { corsOrigins }: Pick<Settings, 'corsOrigins'>): void {
  const origins = new Set(corsOrigins?.split(',') ?? []);
  if (origins.size === 0) return;
  app.addHook('onRequest', async ({ method, headers }, reply) => {
    const { origin } = headers;
    reply.header('vary', 'origin');
    if (origin === undefined || !origins.has(origin)) return;
    reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': answerFields.join(', ') });
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return;
    reply.headers({
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': requestFields.join(', '),
      'access-control-max-age': String(keptSeconds),
    });
    return reply.status(204).send();
  });
}

/**
 * Owns who may use which route: one table with a rule for every route, applied before a body is read. Refuses to build an
 * app with a route that is not in the table, so that none can be open by oversight.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toRoutePattern } from './log.ts';
import { correlationHeader } from './openai/headers.ts';
import type { ModelSource } from './openai/plan.ts';
import type { Caller, RouteRule } from './privacy/admission.ts';
import type { Told } from './privacy/audit/course.ts';
import type { Admission, Gate } from './privacy/gate.ts';
import { readPeer } from './privacy/peer.ts';
import type { RoutePattern } from './privacy/words.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on the routes that are open to everybody. */
    admission: Admission | null;
  }
}

/** `open`: whoever reaches the port; they say alive and ready, and what the API is, nothing of the site. What is no route is for holders of any key. */
const accessRules: Readonly<Record<RoutePattern, RouteRule | 'open'>> = {
  '/health': 'open',
  '/ready': 'open',
  '/openapi.json': 'open',
  '/docs': 'open',
  '/metrics': { scope: 'metrics', permission: 'metrics.read', isInference: false },
  '/inward/status': { permission: 'status.read', isInference: false },
  '/inward/review': { permission: 'review.read', isInference: false },
  '/v1/models': { scope: 'models', isInference: true, isDry: true },
  '/v1/models/:id': { scope: 'models', isInference: true, isDry: true },
  '/v1/chat/completions': { scope: 'chat', isInference: true },
  '/v1/completions': { scope: 'completions', isInference: true },
  '/v1/embeddings': { scope: 'completions', isInference: true },
  '/v1/messages': { scope: 'chat', isInference: true },
  '/v1/messages/count_tokens': { scope: 'chat', isInference: true },
  '/v1/chat/completions/render': { scope: 'chat', isInference: true },
  '/tokenize': { scope: ['chat', 'completions'], isInference: true },
  '/detokenize': { scope: ['chat', 'completions'], isInference: true },
  '/tokenizer_info': { scope: ['chat', 'completions'], isInference: true, isDry: true },
  '/v1/deidentify': { scope: ['chat', 'completions'], isInference: true },
  '/v1/responses': { scope: 'chat', isInference: true },
  '(unknown)': { isAnyone: true, isInference: false },
};

/** What the app needs of the gate. */
export type Doorkeeper = Pick<Gate, 'admit' | 'view' | 'agreement' | 'counts' | 'audit'>;

/** Throws while the app is built when a route has no rule. */
export function addAccess(app: FastifyInstance, gate: Doorkeeper, models: ModelSource): void {
  app.decorateRequest('admission', null);
  app.addHook('onRoute', ({ url }) => {
    if (toRoutePattern(url) === '(unknown)') throw new Error(`the route ${url} has no rule of access`);
  });
  app.addHook('onRequest', async (request, reply) => {
    const route = toRoutePattern(request.routeOptions.url);
    const rule = accessRules[route];
    if (rule === 'open') return;
    const admission = await gate.admit(rule, { ...readCaller(request), route, model: models.current?.engine.info.modelName });
    request.admission = admission;
    // The client may have left while it was decided.
    if (reply.raw.closed || reply.raw.destroyed) admission.end();
    else reply.raw.once('close', () => admission.end(describeTold(request, reply)));
    if (admission.granted) reply.header('x-inward-agreement', admission.granted.agreementId);
    if (admission.granted?.isBreakGlass) reply.header('x-inward-break-glass', 'used');
  });
}

/** A status that was never sent is none. */
function describeTold({ refusal }: FastifyRequest, { raw }: FastifyReply): Told {
  return { status: raw.headersSent ? raw.statusCode : undefined, refusal: refusal ?? undefined };
}

/** Header fields of every answer. `evaluation` is what a synthetic agreement is for; without any, nothing is served. */
export function describeDeployment({ view, agreement }: Doorkeeper): Readonly<Record<string, string>> {
  const mode = agreement === undefined ? 'closed' : agreement.agreement.kind === 'synthetic' ? 'evaluation; not-for-phi' : 'phi';
  return {
    'x-inward-mode': mode,
    'x-inward-region': view?.region ?? 'unknown',
    'x-inward-agreement': agreement?.agreement.id ?? 'none',
    'x-inward-manifest': view?.manifest?.hash ?? 'none',
  };
}

function readCaller({ headers, raw, id }: FastifyRequest): Caller {
  // Anthropic's clients say it there.
  const key = single(headers, 'x-api-key');
  const authorization = headers.authorization ?? (key === undefined ? undefined : `Bearer ${key}`);
  const [purpose, region] = [single(headers, 'x-inward-purpose'), single(headers, 'x-inward-region')];
  return { ...readPeer(raw.socket), authorization, purpose, region, request: id, correlation: single(headers, correlationHeader) };
}

/** Node joins fields that come twice with a comma, which then is no name of a purpose or region. */
function single(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join() : value;
}

/**
 * Owns the HTTP application: routes, headers of every answer, errors, the request log. Built without listening, so that
 * tests can inject. Refuses Fastify's own logger and error texts: both may quote a request.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify';
import { toInwardError } from '../runtime/index.ts';
import { addAccess, type Doorkeeper, describeDeployment } from './access.ts';
import { speaksAnthropic, toAnthropicEnvelope } from './anthropic/errors.ts';
import { countRoute, messagesDialect } from './anthropic/messages.ts';
import { addBodyParser } from './body.ts';
import type { Settings } from './config.ts';
import { addCors } from './cors.ts';
import { createLife, type Life } from './life.ts';
import { type Log, toRoutePattern } from './log.ts';
import { AnswerCounts } from './metrics/answered.ts';
import { addMetricsRoute } from './metrics.ts';
import { type AnswerContext, addAnswerRoute } from './openai/answers.ts';
import { chatDialect } from './openai/chat.ts';
import { completionsDialect } from './openai/completions.ts';
import { deidentifyRoute } from './openai/deidentify.ts';
import { addEmbeddingRoute, embeddingShape } from './openai/embeddings.ts';
import { ApiError, toApiError } from './openai/errors.ts';
import type { Usage } from './openai/frames.ts';
import { addModelRoutes } from './openai/models.ts';
import type { ModelSource } from './openai/plan.ts';
import { responsesDialect } from './openai/responses.ts';
import { addPlainRoute, addTextRoute } from './openai/text-route.ts';
import { addTokenizerRoute, detokenizeRoute, renderRoute, tokenizeRoute } from './openai/tokenize.ts';
import { addDocumentRoutes } from './openapi.ts';
import { toBucket } from './privacy/audit/events.ts';
import { Refusal, type RefusalCode } from './privacy/errors.ts';
import { readVersion } from './privacy/version.ts';
import { type RoutePattern, routePatterns } from './privacy/words.ts';
import type { Scrubber } from './scrub.ts';
import { Searcher } from './search/searcher.ts';
import { addSiteRoutes } from './site-routes.ts';
import type { Tls } from './tls.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Token counts for the log, once the answer has ended. */
    usage: Usage | null;
    /** Why it was not let in, or cut. */
    refusal: RefusalCode | null;
  }
}

export interface AppOptions {
  /** What is loaded, which changes with the agreement. */
  readonly models: ModelSource;
  readonly gate: Doorkeeper;
  readonly settings: Settings;
  readonly log?: Log;
  readonly life?: Life;
  readonly tls?: Tls | undefined;
  /** Told of every request that may hold content. */
  readonly scrubber?: Scrubber;
}

/** The application, ready to listen or to be injected. */
export function buildApp({ models, gate, settings, log: write = () => undefined, life = createLife(), tls, scrubber }: AppOptions): FastifyInstance {
  const answered = new AnswerCounts();
  const log = answered.watch(write);
  // Node swaps the two limits when the one for headers is the larger.
  const limits = { connectionsCheckingInterval: Math.min(settings.requestTimeoutMs, 5000), headersTimeout: Math.min(settings.requestTimeoutMs, 60_000) };
  const app = Fastify({
    logger: false,
    bodyLimit: settings.bodyLimit,
    requestTimeout: settings.requestTimeoutMs,
    http: limits,
    ...(tls && { https: { ...tls.options, ...limits } }),
    genReqId: () => randomUUID(),
    // By the time the app is closed every answer has been sent (life.ts); what remains is idle or half a request.
    forceCloseConnections: true,
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => {
      const { rawPacket: copy }: { readonly rawPacket?: unknown } = error;
      // Of what came, made by Node.
      if (Buffer.isBuffer(copy)) copy.fill(0);
      refuseConnection(toApiError(error, settings.bodyLimit), socket, { gate, log });
    },
    // Paths that the router cannot read; no hook runs for them.
    frameworkErrors: (error, request, reply) => {
      logWhenClosed(request, reply, log);
      sendError(toApiError(error, settings.bodyLimit), request, reply, { settings, gate });
    },
  });
  tls?.guard(app, log);
  app.decorateRequest('usage', null);
  app.decorateRequest('refusal', null);
  scrubber?.watch(app.server, holdsNothing);
  addBodyParser(app, settings.bodyLimit);
  addHooks(app, life, gate, log);
  addCors(app, settings);
  addAccess(app, gate, models);
  addErrors(app, { settings, gate }, log);
  addStateRoutes(app, life, models, gate);
  addMetricsRoute(app, { models, gate, life, answered });
  addModelRoutes(app, models);
  addTokenizerRoute(app, models);
  addSiteRoutes(app, gate, models);
  const searcher = new Searcher();
  app.addHook('onClose', () => searcher[Symbol.asyncDispose]());
  let groups = 0;
  const context: AnswerContext = {
    models,
    settings,
    life,
    searcher,
    nextGroup: () => ++groups,
    onEnd: (ending) => answered.choices[ending]++,
    onStreamError: (request, error) => logFailure(error, request, log),
  };
  for (const dialect of dialects) addAnswerRoute(app, context, dialect);
  for (const route of textRoutes) addTextRoute(app, context, route);
  addPlainRoute(app, context, deidentifyRoute);
  addEmbeddingRoute(app, context);
  const bodies = [
    ...dialects.map((dialect) => ({ ...dialect, canStream: true })),
    ...[...textRoutes, deidentifyRoute, embeddingShape].map((route) => ({ ...route, canStream: false })),
  ];
  addDocumentRoutes(app, bodies, readVersion());
  addMethodRefusals(app);
  return app;
}

const dialects = [chatDialect, completionsDialect, messagesDialect, responsesDialect];
const textRoutes = [countRoute, tokenizeRoute, detokenizeRoute, renderRoute];

/** Answered in every state: they say which it is. */
const stateRoutes: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics'] satisfies RoutePattern[]);

function addHooks(app: FastifyInstance, life: Life, gate: Doorkeeper, log: Log): void {
  app.addHook('onRequest', async (request, reply) => {
    setHeaders(request, reply, gate);
    logWhenClosed(request, reply, log);
    if (life.state === 'ready' || stateRoutes.has(toRoutePattern(request.routeOptions.url))) return;
    throw new ApiError(life.state === 'failed' ? 'engine_failed' : 'shutting_down');
  });
  // A stopping server ends its connections as it answers.
  app.addHook('onSend', async (_request, reply) => {
    if (life.state !== 'ready') reply.header('connection', 'close');
  });
}

/** Whoever asks for the state writes nothing of his own. */
function holdsNothing({ method, url }: IncomingMessage): boolean {
  return method === 'GET' && url !== undefined && stateRoutes.has(url);
}

function logWhenClosed(request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const start = performance.now();
  reply.raw.once('close', () =>
    log({
      event: 'request',
      requestId: request.id,
      route: toRoutePattern(request.routeOptions.url),
      status: reply.raw.statusCode,
      finished: reply.raw.writableFinished,
      durationMs: Math.round(performance.now() - start),
      ...(request.refusal ? { refusal: request.refusal } : {}),
      ...(request.admission?.holder.type === 'key' ? { keyId: request.admission.holder.key.id } : {}),
      ...(request.usage ? { promptTokens: toBucket(request.usage.promptTokens), completionTokens: toBucket(request.usage.completionTokens) } : {}),
    }),
  );
}

function setHeaders(request: FastifyRequest, reply: FastifyReply, gate: Doorkeeper): void {
  const { granted } = request.admission ?? {};
  reply.headers({
    ...describeDeployment(gate),
    ...(granted && { 'x-inward-agreement': granted.agreementId }),
    'cache-control': 'no-store',
    'x-request-id': request.id,
    // Where Anthropic's clients look for it.
    'request-id': request.id,
  });
}

type Answering = Pick<AppOptions, 'settings' | 'gate'>;

function addErrors(app: FastifyInstance, answering: Answering, log: Log): void {
  app.setNotFoundHandler((request, reply) => sendError(new ApiError('route_not_found'), request, reply, answering));
  app.setErrorHandler((error, request, reply) => {
    const answer = toApiError(error, answering.settings.bodyLimit);
    if (error instanceof Refusal) request.refusal = error.code;
    if (answer.status === 500) logFailure(error, request, log);
    sendError(answer, request, reply, answering);
  });
}

function sendError(error: ApiError, request: FastifyRequest, reply: FastifyReply, { settings, gate }: Answering): void {
  // Also for those that no hook saw; and the gate may have closed since.
  setHeaders(request, reply, gate);
  if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  if (error.isBusy) reply.header('retry-after', String(error.retryAfter(settings.retryAfterSeconds)));
  const envelope = speaksAnthropic(toRoutePattern(request.routeOptions.url)) ? toAnthropicEnvelope(error) : error.toEnvelope();
  reply.status(error.status).type('application/json; charset=utf-8').send(JSON.stringify(envelope));
}

function logFailure(error: unknown, request: FastifyRequest, log: Log): void {
  // A stream that was cut: the log of the request has it.
  if (error instanceof Refusal) {
    request.refusal = error.code;
    return;
  }
  const { code, kind } = toInwardError(error instanceof ApiError ? error.cause : error, 'server');
  if (kind === 'internal' || kind === 'setup') log({ event: 'failure', requestId: request.id, code });
}

/** What is not HTTP never becomes a request; the answer is written by hand. */
function refuseConnection(error: ApiError, socket: Socket, { gate, log }: { readonly gate: Doorkeeper; readonly log: Log }): void {
  log({ event: 'connection_refused', status: error.status });
  if (!socket.writable) return void socket.destroy();
  const body = JSON.stringify(error.toEnvelope());
  const head = [
    `HTTP/1.1 ${error.status} Refused`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    ...Object.entries(describeDeployment(gate)).map(([name, value]) => `${name}: ${value}`),
    'cache-control: no-store',
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function addStateRoutes(app: FastifyInstance, life: Life, models: ModelSource, gate: Doorkeeper): void {
  app.get('/health', () => ({ status: 'alive' }));
  app.get('/ready', (_request, reply) => {
    const status = life.state === 'ready' ? readState(models, gate) : life.state;
    return reply.status(status === 'ready' ? 200 : 503).send({ status });
  });
}

/** `audit_unavailable`: what happens cannot be recorded; `closed`: no agreement is in force. */
function readState({ current }: ModelSource, gate: Doorkeeper): 'ready' | 'audit_unavailable' | 'closed' | 'loading' | 'restarting' {
  if (gate.audit.fault !== undefined) return 'audit_unavailable';
  if (gate.agreement === undefined) return 'closed';
  if (current === undefined) return 'loading';
  return current.engine.isReady ? 'ready' : 'restarting';
}

/** 405 instead of 404 where the path exists. Refused before the body is read. */
function addMethodRefusals(app: FastifyInstance): void {
  const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];
  for (const url of routePatterns) {
    const allowed = methods.filter((method) => app.hasRoute({ url, method }));
    app.route({
      url,
      method: methods.filter((method) => !allowed.includes(method)),
      onRequest: async (_request, reply) => {
        reply.header('allow', allowed.join(', '));
        throw new ApiError('method_not_allowed', { allowed: allowed.join(', ') });
      },
      handler: () => undefined,
    });
  }
}

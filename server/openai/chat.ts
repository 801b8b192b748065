/**
 * Owns POST /v1/chat/completions: check, make the answer, present it as a stream or as one JSON object (the fold of
 * the same parts). Cancels the engine's work when nobody waits for the answer any more.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { InwardError } from '../../runtime/index.ts';
import type { Settings } from '../config.ts';
import type { Life } from '../life.ts';
import { complete, type Models, type Part } from './completion.ts';
import { ApiError, toApiError } from './errors.ts';
import { type AnswerHead, createAnswer, createChunk, createHead, createUsageChunk } from './frames.ts';
import { isServedModel } from './models.ts';
import { type ChatRequest, parseChatRequest } from './schema.ts';
import { openEventStream } from './sse.ts';

export interface ChatContext extends Models {
  readonly settings: Settings;
  readonly life: Life;
  /** Called with errors that are answered inside a stream, which Fastify's error handler never sees. */
  readonly onStreamError: (request: FastifyRequest, error: unknown) => void;
}

export function addChatRoute(app: FastifyInstance, context: ChatContext): void {
  const { life, engine, settings } = context;
  app.post('/v1/chat/completions', async (request, reply) => {
    const chat = parseChatRequest(request.body);
    if (!isServedModel(engine, chat.model)) throw new ApiError('model_not_found', { path: 'model', model: engine.info.modelName });
    const signal = life.enter(reply.raw);
    const head = createHead(engine.info.modelName);
    const parts = complete(context, chat, signal);
    try {
      if (!chat.stream) return await fold(parts, head, request);
      // The first part decides the status: a full queue or a long prompt must not become a 200.
      const first = await parts.next();
      await sendStream(context, { request, reply, chat, head, first, parts, signal });
      return reply;
    } catch (error) {
      throw toApiError(nameAbort(error, signal), settings.bodyLimit);
    }
  });
}

async function fold(parts: AsyncIterable<Part>, head: AnswerHead, request: FastifyRequest): Promise<object> {
  let content = '';
  for await (const part of parts) {
    if (part.type === 'text') content += part.text;
    else {
      request.usage = part;
      return createAnswer(head, content, part.reason, part);
    }
  }
  throw new InwardError('internal', { part: 'completion' });
}

interface StreamJob {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly chat: ChatRequest;
  readonly head: AnswerHead;
  readonly first: IteratorResult<Part, void>;
  readonly parts: AsyncGenerator<Part, void, undefined>;
  readonly signal: AbortSignal;
}

async function sendStream(context: ChatContext, job: StreamJob): Promise<void> {
  const { request, chat, head, parts, signal } = job;
  const stream = openEventStream(job.reply);
  try {
    await stream.send(createChunk(head, { role: 'assistant', content: '' }, null, chat.includeUsage), signal);
    for (let next = job.first; !next.done; next = await parts.next()) {
      const part = next.value;
      if (part.type === 'text') await stream.send(createChunk(head, { content: part.text }, null, chat.includeUsage), signal);
      else {
        request.usage = part;
        await stream.send(createChunk(head, {}, part.reason, chat.includeUsage), signal);
        if (chat.includeUsage) await stream.send(createUsageChunk(head, part), signal);
      }
    }
    await stream.send('[DONE]', signal);
  } catch (error) {
    const named = nameAbort(error, signal);
    context.onStreamError(request, named);
    // Not awaited for back-pressure: the frame is the last thing, and the signal may already be aborted.
    void stream.send(toApiError(named, context.settings.bodyLimit).toEnvelope(), new AbortController().signal).catch(() => undefined);
  } finally {
    stream.end();
    await parts.return();
  }
}

/** An abort is told by its reason (client gone, server stopping), whatever the thing that noticed it threw. */
function nameAbort(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted ? signal.reason : error;
}

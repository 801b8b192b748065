/**
 * Owns the routes that answer: check, plan, make the choices, present them as a stream or as one JSON object (the fold of
 * the same parts). Cancels the engine's work when nobody waits for the answer any more.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type FinishReason, InwardError } from '../../runtime/index.ts';
import type { Settings } from '../config.ts';
import type { Life } from '../life.ts';
import { joinPassages, type Passage } from './answer-text.ts';
import { makeChoice, type Part } from './choice.ts';
import type { Dialect } from './dialect.ts';
import { ApiError, toApiError } from './errors.ts';
import type { AnswerRequest } from './fields.ts';
import { type AnswerHead, createFrame, createHead } from './frames.ts';
import { type Merged, merge } from './merge.ts';
import { isServedModel } from './models.ts';
import { type Models, type Plan, planChoices } from './plan.ts';
import { type EventStream, openEventStream } from './sse.ts';

/** How a choice ended. `abort`: nobody waited for it any more, or another choice of the answer failed. */
export type Ending = FinishReason | 'abort' | 'error';

export interface AnswerContext extends Models {
  readonly settings: Settings;
  readonly life: Life;
  /** Called once for each choice that was begun; one that found no place in the queue was not. */
  readonly onEnd: (ending: Ending) => void;
  /** Called with errors that are answered inside a stream, which Fastify's error handler never sees. */
  readonly onStreamError: (request: FastifyRequest, error: unknown) => void;
}

interface Answer {
  readonly dialect: Dialect;
  readonly request: FastifyRequest;
  readonly asked: AnswerRequest;
  readonly head: AnswerHead;
  readonly plan: Plan;
  readonly parts: AsyncGenerator<Merged<Part>, void, undefined>;
  readonly signal: AbortSignal;
}

export function addAnswerRoute(app: FastifyInstance, context: AnswerContext, dialect: Dialect): void {
  const { life, engine, settings } = context;
  app.post(dialect.url, async (request, reply) => {
    const deadline = readDeadline(request);
    const asked = dialect.parse(request.body);
    if (!isServedModel(engine, asked.model)) throw new ApiError('model_not_found', { path: 'model', model: engine.info.modelName });
    const signal = life.enter(reply.raw);
    const explain = (error: unknown): ApiError => toApiError(nameAbort(error, signal), settings.bodyLimit, dialect.promptField);
    try {
      const plan = await planChoices(context, asked, deadline, signal);
      const open = (either: AbortSignal) => plan.choices.map((choice) => watchEnd(makeChoice(context, choice, either), either, context.onEnd));
      const parts = merge(open, engine.info.maxSequences * placesPerSequence, signal);
      const answer = { dialect, request, asked, head: createHead(dialect.idPrefix, engine.info.modelName), plan, parts, signal };
      if (!asked.stream) return await fold(answer);
      // The first part decides the status: a full queue must not become a 200.
      const first = await parts.next();
      await sendStream(answer, first, reply, (error) => {
        context.onStreamError(request, nameAbort(error, signal));
        return explain(error);
      });
      return reply;
    } catch (error) {
      throw explain(error);
    }
  });
}

async function* watchEnd(
  parts: AsyncGenerator<Part, void, undefined>,
  signal: AbortSignal,
  onEnd: AnswerContext['onEnd'],
): AsyncGenerator<Part, void, undefined> {
  let ending: Ending | undefined = 'abort';
  try {
    for await (const part of parts) {
      if (part.type === 'end') ending = part.reason;
      yield part;
    }
  } catch (error) {
    if (!signal.aborted) ending = error instanceof InwardError && error.code === 'queue_full' ? undefined : 'error';
    throw error;
  } finally {
    if (ending !== undefined) onEnd(ending);
  }
}

/** So that the engine always finds the next choice waiting, and a large request leaves places of its queue to others. */
const placesPerSequence = 2;

/** Longest time that a client may give a request, in ms. */
const longestDeadline = 3_600_000;

/** When the answer must be complete, on the clock of performance.now(). */
function readDeadline({ headers }: FastifyRequest): number | undefined {
  const path = 'x-inward-deadline-ms';
  const value = headers[path];
  if (value === undefined) return undefined;
  const time = typeof value === 'string' && /^\d{1,7}$/.test(value) ? Number(value) : 0;
  if (time < 1 || time > longestDeadline) throw new ApiError('invalid_value', { path, rule: `must be a whole number from 1 to ${longestDeadline}` });
  return performance.now() + time;
}

async function fold({ dialect, request, head, plan, parts }: Answer): Promise<object> {
  const passages: Passage[][] = plan.choices.map(() => []);
  const choices: object[] = [];
  let completionTokens = 0;
  for await (const { index, item } of parts) {
    if (item.type === 'text') passages[index]?.push(item);
    else {
      choices[index] = dialect.whole(index, joinPassages(passages[index] ?? []), item.reason);
      completionTokens += item.completionTokens;
    }
  }
  request.usage = { promptTokens: plan.promptTokens, completionTokens };
  return createFrame(head, dialect.objects.whole, choices, request.usage);
}

async function sendStream(
  answer: Answer,
  first: IteratorResult<Merged<Part>, void>,
  reply: FastifyReply,
  onError: (error: unknown) => ApiError,
): Promise<void> {
  const { parts } = answer;
  const stream = openEventStream(reply);
  try {
    await sendChunks(answer, first, stream);
  } catch (error) {
    // Not awaited for back-pressure: the frame is the last thing, and the signal may already be aborted.
    void stream.send(onError(error).toEnvelope(), new AbortController().signal).catch(() => undefined);
  } finally {
    stream.end();
    await parts.return();
  }
}

async function sendChunks(
  { dialect, request, asked, head, plan, parts, signal }: Answer,
  first: IteratorResult<Merged<Part>, void>,
  stream: EventStream,
): Promise<void> {
  // OpenAI sends `usage: null` in every chunk when usage was asked for.
  const send = (choice: object | undefined): Promise<void> | undefined =>
    choice && stream.send(createFrame(head, dialect.objects.chunk, [choice], asked.includeUsage ? null : undefined), signal);
  let completionTokens = 0;
  for (const index of plan.choices.keys()) await send(dialect.opening(index));
  for (let next = first; !next.done; next = await parts.next()) {
    const { index, item } = next.value;
    await send(item.type === 'text' ? dialect.delta(index, item) : dialect.closing(index, item.reason));
    if (item.type === 'end') completionTokens += item.completionTokens;
  }
  request.usage = { promptTokens: plan.promptTokens, completionTokens };
  if (asked.includeUsage) await stream.send(createFrame(head, dialect.objects.chunk, [], request.usage), signal);
  await stream.send('[DONE]', signal);
}

/** An abort is told by its reason (client gone, server stopping), whatever the thing that noticed it threw. */
function nameAbort(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted ? signal.reason : error;
}

/**
 * Owns the routes that answer: check, plan, make the choices, present them as a stream or as one JSON object (the fold of
 * the same parts). Cancels the engine's work when nobody waits for the answer any more.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type FinishReason, InwardError } from '../../runtime/index.ts';
import { speaksAnthropic } from '../anthropic/errors.ts';
import type { Settings } from '../config.ts';
import type { Life } from '../life.ts';
import { formatCounts } from '../privacy/deid/categories.ts';
import { Refusal } from '../privacy/errors.ts';
import type { Grant, Use } from '../privacy/gate.ts';
import type { Searcher } from '../search/searcher.ts';
import { type ChoiceEnd, makeChoice, type Part, pickChoices, type Spent } from './choice.ts';
import type { Dialect, Presentation, WholeChoice } from './dialect.ts';
import { type ApiError, toApiError } from './errors.ts';
import type { AnswerRequest } from './fields.ts';
import type { Usage } from './frames.ts';
import { readHeaders } from './headers.ts';
import { guardIdentifiers } from './identifiers.ts';
import { type Merged, merge } from './merge.ts';
import { demandServed } from './models.ts';
import { type Pace, padJson, waitForTick } from './pace.ts';
import { PartRuns } from './parts.ts';
import { blameGrammar, demandModels, type ModelSource, type Models, type Plan, type PlanContext, planChoices, wipeAfter, zero } from './plan.ts';
import { reserve } from './rate.ts';
import { type EventStream, type Events, openEventStream } from './sse.ts';

/** How a choice ended. `abort`: nobody waited for it any more, or another choice of the answer failed. */
export type Ending = FinishReason | 'abort' | 'error';

export interface AnswerContext extends Omit<PlanContext, keyof Models> {
  readonly models: ModelSource;
  readonly settings: Settings;
  readonly life: Life;
  /** Looks for identifiers in long texts. */
  readonly searcher: Searcher;
  /** Called once for each choice that was begun; one that found no place in the queue was not. */
  readonly onEnd: (ending: Ending) => void;
  /** Called with errors that are answered inside a stream, which Fastify's error handler never sees. */
  readonly onStreamError: (request: FastifyRequest, error: unknown) => void;
}

interface Answer {
  readonly dialect: Dialect;
  readonly request: FastifyRequest;
  readonly asked: AnswerRequest;
  readonly presentation: Presentation;
  readonly plan: Plan;
  readonly parts: AsyncGenerator<Merged<Part>, void, undefined>;
  readonly signal: AbortSignal;
  /** Undefined: what is there is sent at once, as it is. */
  readonly pace: Pace | undefined;
}

export function addAnswerRoute(app: FastifyInstance, context: AnswerContext, dialect: Dialect): void {
  const { life, settings } = context;
  app.post(dialect.url, async (request, reply) => {
    const { granted, signal: admitted } = demandAdmission(request);
    const pace = readPace(granted, settings);
    const models = demandModels(context.models);
    const { engine } = models;
    const terms = { ...readHeaders(request.headers), tenant: granted.tenant, priority: granted.priority };
    const { asked: parsed, present } = dialect.read(request.body, models.text);
    using _bytes = wipeAfter(parsed);
    demandServed(engine, parsed.model);
    granted.checkModel(engine.info.modelName);
    const signal = AbortSignal.any([life.enter(reply.raw), admitted]);
    using guarded = await guardIdentifiers(parsed, granted.deid, context.searcher, signal);
    const { asked, found } = guarded;
    if (found !== undefined) reply.header('x-inward-identifiers', formatCounts(found) || 'none');
    if (guarded.refusal !== undefined) {
      granted.settle({ promptTokens: 0, completionTokens: 0, ending: 'refused', found });
      throw guarded.refusal;
    }
    const explain = (error: unknown): ApiError => toApiError(blameGrammar(nameAbort(error, signal), asked), settings.bodyLimit, dialect.promptField);
    const spent: Spent = { hasBegun: false, completionTokens: 0, cachedTokens: 0 };
    const endings = new Set<Ending>();
    const onEnd = (ending: Ending): void => {
      endings.add(ending);
      context.onEnd(ending);
    };
    let plan: Plan | undefined;
    let failure: unknown;
    try {
      plan = await planChoices({ ...models, nextGroup: context.nextGroup }, asked, terms, signal);
      await reserve(granted, plan.tokenLimit, reply, speaksAnthropic(dialect.url));
      const { choices } = plan;
      const open = (either: AbortSignal) => choices.map((choice) => watchEnd(guarded.answer(makeChoice(models, choice, either, spent)), either, onEnd));
      const parts = merge(open, engine.info.maxSequences * placesPerSequence, signal);
      const presentation = present({ model: engine.info.modelName, promptTokens: plan.promptTokens, choiceCount: choices.length });
      const answer = { dialect, request, asked, presentation, plan, parts, signal, pace };
      if (!asked.stream) return await sendJson(await fold(answer), reply, pace, signal);
      // The first part decides the status: a full queue must not become a 200.
      const first = await parts.next();
      await sendStream(answer, first, reply, (error) => {
        failure = nameAbort(error, signal);
        context.onStreamError(request, failure);
        return explain(error);
      });
      return reply;
    } catch (error) {
      failure = nameAbort(error, signal);
      throw explain(error);
    } finally {
      const { hasBegun, completionTokens, cachedTokens } = spent;
      zero(plan?.prompts ?? []);
      plan?.grammar?.source.fill(0);
      granted.settle({ promptTokens: hasBegun && plan ? plan.promptTokens : 0, completionTokens, cachedTokens, found, ...describeEnd(endings, failure) });
    }
  });
}

/** How all choices together ended, for the audit trail. */
export function describeEnd(endings: ReadonlySet<Ending>, failure: unknown): Pick<Use, 'ending' | 'refusal' | 'error'> {
  if (failure instanceof Refusal) return { ending: endings.size > 0 ? 'cancelled' : 'refused', refusal: failure.code };
  const error = failure instanceof InwardError ? failure.code : undefined;
  if (error === 'aborted' || endings.has('abort')) return { ending: 'cancelled', error };
  if (failure !== undefined) return { ending: endings.size > 0 ? 'failed' : 'refused', error };
  const [only, ...others] = endings;
  return { ending: others.length > 0 ? 'mixed' : only === 'stop' || only === 'length' ? only : 'failed' };
}

/** By construction there is one here; without it nothing is answered. */
export function demandAdmission({ admission }: FastifyRequest): { readonly granted: Grant; readonly signal: AbortSignal } {
  if (admission?.granted === undefined) throw new InwardError('internal', { part: 'a route without admission' });
  return { granted: admission.granted, signal: admission.signal };
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

/** As the key wants its answers. */
export function readPace({ shape }: Grant, { streamCadenceMs: cadenceMs, streamGridBytes: gridSize }: Settings): Pace | undefined {
  return shape === 'paced' ? { cadenceMs, gridSize, start: performance.now() } : undefined;
}

/** What Fastify is to send; rejects when `signal` aborts before. */
export async function sendJson(whole: object, reply: FastifyReply, pace: Pace | undefined, signal: AbortSignal): Promise<unknown> {
  if (pace === undefined) return whole;
  await waitForTick(pace, signal);
  reply.type('application/json; charset=utf-8');
  return padJson(JSON.stringify(whole), pace.gridSize);
}

async function fold({ request, asked, presentation, plan, parts }: Answer): Promise<object> {
  const runs = plan.choices.map(() => new PartRuns());
  const ends: ChoiceEnd[] = [];
  for await (const { index, item } of parts) {
    if (item.type === 'end') ends[index] = item;
    else runs[index]?.add(item);
  }
  request.usage = countUsage(plan, asked, ends);
  const picked = pickChoices(ends, asked.candidateCount, asked.choiceCount);
  const choices = picked.map((place): WholeChoice => ({ parts: runs[place]?.takeAll() ?? [], end: ends[place] as ChoiceEnd }));
  return presentation.whole(choices, request.usage);
}

/** Everything that was made, also what is not in the answer. Of a prompt's choices only the first can have found something kept: the others share with it. */
function countUsage({ promptTokens }: Plan, { candidateCount, chat }: AnswerRequest, ends: readonly ChoiceEnd[]): Usage {
  let [cachedTokens, completionTokens, reasoningTokens] = [0, 0, 0];
  for (const [index, end] of ends.entries()) {
    completionTokens += end.completionTokens;
    reasoningTokens += end.reasoningTokens;
    if (index % candidateCount === 0) cachedTokens += end.cachedTokens;
  }
  return { promptTokens, cachedTokens, completionTokens, reasoningTokens: chat === undefined ? undefined : reasoningTokens };
}

async function sendStream(
  answer: Answer,
  first: IteratorResult<Merged<Part>, void>,
  reply: FastifyReply,
  onError: (error: unknown) => ApiError,
): Promise<void> {
  const { dialect, presentation, parts, pace } = answer;
  const stream = openEventStream(reply, pace, dialect.hasEventNames);
  try {
    await sendEvents(answer, first, stream);
  } catch (error) {
    const told = onError(error);
    // Not awaited for back-pressure: it is the last thing, and the signal may already be aborted.
    void stream.send(() => presentation.failure(told), new AbortController().signal).catch(() => undefined);
  } finally {
    stream.end();
    await parts.return();
  }
}

async function sendEvents(
  { request, asked, presentation, plan, parts, signal }: Answer,
  first: IteratorResult<Merged<Part>, void>,
  stream: EventStream,
): Promise<void> {
  const ends: ChoiceEnd[] = [];
  const waiting = plan.choices.map(() => new PartRuns());
  await stream.send(() => presentation.opening(), signal);
  for (let next = first; !next.done; next = await parts.next()) {
    const { index, item } = next.value;
    const runs = waiting[index];
    if (item.type === 'end') {
      ends[index] = item;
      await stream.send(() => presentation.closing(index, item), signal);
    } else if (runs?.add(item)) await stream.send(() => sendRun(presentation, index, runs), signal);
  }
  const usage = countUsage(plan, asked, ends);
  request.usage = usage;
  await stream.send(() => presentation.ending(usage), signal);
}

/** What has come of it by now. */
function sendRun(presentation: Presentation, index: number, runs: PartRuns): Events {
  const run = runs.take();
  return run === undefined ? [] : presentation.part(index, run);
}

/** An abort is told by its reason (client gone, server stopping), whatever the thing that noticed it threw. */
export function nameAbort(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted ? signal.reason : error;
}

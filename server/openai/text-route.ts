/**
 * Owns the routes that reach the text side alone (tokens of a text, text of tokens, tokens of a chat) or nothing (a text without identifiers). They hold
 * what patients said as much as those that answer do, so that they are admitted, recorded and wiped like them; the device computes nothing for them.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Engine } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import { speaksAnthropic } from '../anthropic/errors.ts';
import { type Counts, formatCounts } from '../privacy/deid/categories.ts';
import type { Grant } from '../privacy/gate.ts';
import type { RoutePattern } from '../privacy/words.ts';
import type { Searcher } from '../search/searcher.ts';
import { type AnswerContext, demandAdmission, describeEnd, nameAbort, readPace, sendJson } from './answers.ts';
import { type PromptField, toApiError } from './errors.ts';
import type { Prompt } from './fields.ts';
import { checkCorrelation } from './headers.ts';
import { demandServed } from './models.ts';
import { demandModels, encodePrompt, zero } from './plan.ts';
import { reserve } from './rate.ts';

/** What a route is, for the document of the API too. */
interface Shape {
  readonly url: RoutePattern;
  /** The field that errors about a prompt name. */
  readonly promptField: PromptField;
  /** What `read` checks a body by. */
  readonly body: z.ZodType;
}

/** What is known while it works. */
export interface PlainWork {
  /** Identifiers that were found, for the answer's header and the record. */
  note(found: Counts): void;
  readonly searcher: Searcher;
  readonly signal: AbortSignal;
}

export interface TextWork extends PlainWork {
  readonly text: TextModel;
  readonly engine: Engine;
  /** Ids that are zeroed when the answer has been sent. */
  encode(prompt: Prompt, addsSpecial?: boolean): Promise<Uint32Array>;
}

export interface TextRoute extends Shape {
  /** Checks a body; throws ApiError. `model`: left out, the one that is served. */
  read(body: unknown, text: TextModel): { readonly model?: string | null | undefined; answer(work: TextWork): Promise<object> };
}

/** A route that works while no model is loaded, too. */
export interface PlainRoute extends Shape {
  /** Checks a body; throws ApiError. */
  read(body: unknown): (work: PlainWork) => Promise<object>;
}

type Context = Pick<AnswerContext, 'models' | 'life' | 'settings' | 'searcher'>;
/** Ids that are zeroed when the answer has been sent. */
type Encoded = Uint32Array[];

export function addTextRoute(app: FastifyInstance, context: Context, route: TextRoute): void {
  addRoute(app, context, route, ({ body }, granted) => {
    const { engine, text } = demandModels(context.models);
    const { model, answer } = route.read(body, text);
    demandServed(engine, model ?? 'default');
    granted.checkModel(engine.info.modelName);
    return async (work, encoded) => {
      const encode = async (prompt: Prompt, addSpecial = true): Promise<Uint32Array> => {
        const ids = typeof prompt === 'string' ? await text.encode(prompt, { addSpecial }) : await encodePrompt(text, prompt);
        encoded.push(ids);
        work.signal.throwIfAborted();
        return ids;
      };
      return await answer({ ...work, text, engine, encode });
    };
  });
}

export function addPlainRoute(app: FastifyInstance, context: Context, route: PlainRoute): void {
  addRoute(app, context, route, ({ body }) => route.read(body));
}

/** `read` checks, what it gives works. */
function addRoute(
  app: FastifyInstance,
  { life, settings, searcher }: Context,
  { url, promptField }: Shape,
  read: (request: FastifyRequest, granted: Grant) => (work: PlainWork, encoded: Encoded) => Promise<object>,
): void {
  app.post(url, async (request, reply) => {
    const { granted, signal: admitted } = demandAdmission(request);
    const pace = readPace(granted, settings);
    checkCorrelation(request.headers);
    const answer = read(request, granted);
    const signal = AbortSignal.any([life.enter(reply.raw), admitted]);
    const encoded: Encoded = [];
    let found: Counts | undefined;
    const note = (counts: Counts): void => {
      found = counts;
      reply.header('x-inward-identifiers', formatCounts(counts) || 'none');
    };
    let failure: unknown;
    try {
      await reserve(granted, 0, reply, speaksAnthropic(url));
      return await sendJson(await answer({ note, searcher, signal }, encoded), reply, pace, signal);
    } catch (error) {
      failure = nameAbort(error, signal);
      throw toApiError(failure, settings.bodyLimit, promptField);
    } finally {
      zero(encoded);
      granted.settle({ promptTokens: 0, completionTokens: 0, found, ...describeEnd(new Set(failure === undefined ? (['stop'] as const) : []), failure) });
    }
  });
}

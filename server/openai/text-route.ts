/**
 * Owns the routes that reach the text side alone: tokens of a text, text of tokens, tokens of a chat. They hold what patients said as much as
 * those that answer do, so that they are admitted, recorded and wiped like them; the device computes nothing for them.
 */
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import type { Engine } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import { speaksAnthropic } from '../anthropic/errors.ts';
import { type Counts, formatCounts } from '../privacy/deid/categories.ts';
import type { RoutePattern } from '../privacy/words.ts';
import { type AnswerContext, demandAdmission, describeEnd, nameAbort, readPace, sendJson } from './answers.ts';
import { type PromptField, toApiError } from './errors.ts';
import type { Prompt } from './fields.ts';
import { checkCorrelation } from './headers.ts';
import { demandServed } from './models.ts';
import { demandModels, encodePrompt, zero } from './plan.ts';
import { reserve } from './rate.ts';

/** What is known while it works. */
export interface TextWork {
  readonly text: TextModel;
  readonly engine: Engine;
  /** Ids that are zeroed when the answer has been sent. */
  encode(prompt: Prompt, addsSpecial?: boolean): Promise<Uint32Array>;
  /** Identifiers that were found, for the answer's header and the record. */
  note(found: Counts): void;
}

export interface TextRoute {
  readonly url: RoutePattern;
  /** The field that errors about a prompt name. */
  readonly promptField: PromptField;
  /** What `read` checks a body by, for the document of the API. */
  readonly body: z.ZodType;
  /** Checks a body; throws ApiError. `model`: left out, the one that is served. */
  read(body: unknown, text: TextModel): { readonly model?: string | null | undefined; answer(work: TextWork): Promise<object> };
}

export function addTextRoute(app: FastifyInstance, { models, life, settings }: Pick<AnswerContext, 'models' | 'life' | 'settings'>, route: TextRoute): void {
  app.post(route.url, async (request, reply) => {
    const { granted, signal: admitted } = demandAdmission(request);
    const pace = readPace(granted, settings);
    const { engine, text } = demandModels(models);
    checkCorrelation(request.headers);
    const { model, answer } = route.read(request.body, text);
    demandServed(engine, model ?? 'default');
    granted.checkModel(engine.info.modelName);
    const signal = AbortSignal.any([life.enter(reply.raw), admitted]);
    const encoded: Uint32Array[] = [];
    const encode = async (prompt: Prompt, addSpecial = true): Promise<Uint32Array> => {
      const ids = typeof prompt === 'string' ? await text.encode(prompt, { addSpecial }) : await encodePrompt(text, prompt);
      encoded.push(ids);
      signal.throwIfAborted();
      return ids;
    };
    let found: Counts | undefined;
    const note = (counts: Counts): void => {
      found = counts;
      reply.header('x-inward-identifiers', formatCounts(counts) || 'none');
    };
    let failure: unknown;
    try {
      await reserve(granted, 0, reply, speaksAnthropic(route.url));
      return await sendJson(await answer({ text, engine, encode, note }), reply, pace, signal);
    } catch (error) {
      failure = nameAbort(error, signal);
      throw toApiError(failure, settings.bodyLimit, route.promptField);
    } finally {
      zero(encoded);
      granted.settle({ promptTokens: 0, completionTokens: 0, found, ...describeEnd(new Set(failure === undefined ? (['stop'] as const) : []), failure) });
    }
  });
}

/**
 * Owns POST /v1/embeddings, OpenAI's: texts or token ids to vectors of an encoder, as numbers or as their bytes in base64. Ids and vectors are
 * zeroed once the answer is made. Refuses what is too long, unless the client has it cut.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type Embedding, type EngineInfo, InwardError } from '../../runtime/index.ts';
import type { DeidMode, RoutePattern } from '../privacy/words.ts';
import { toBase64, toNumbers } from '../vectors.ts';
import { type AnswerContext, demandAdmission, describeEnd, type Ending, nameAbort, readPace, sendJson } from './answers.ts';
import { promptValue, readPrompts } from './completions.ts';
import { ApiError, toApiError } from './errors.ts';
import { readHeaders } from './headers.ts';
import { demandServed } from './models.ts';
import { demandModels, encodePrompt, measureRest, wipeAfter, zero } from './plan.ts';
import { reserve } from './rate.ts';
import { document, ignored, validate, wholeNumber } from './validate.ts';

/** Texts of one request: OpenAI's limit. */
const inputLimit = 2048;

const shape = {
  model: z.string().min(1),
  input: promptValue(inputLimit),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: wholeNumber(1, 2 ** 24).nullish(),
  truncate: z.boolean().nullish(),
  user: ignored,
};
const body = document(z.strictObject(shape), { json: { required: ['model', 'input'] } });

/** For the document of the API. */
export const embeddingShape: { readonly url: RoutePattern; readonly body: z.ZodType } = { url: '/v1/embeddings', body };

/** Vectors of a text tell much of it, and nothing could be put back. */
function refuseIdentifiers(mode: DeidMode): void {
  if (mode !== 'off' && mode !== 'report')
    throw new ApiError('invalid_value', { path: 'input', rule: `is not taken with a key whose mode for identifiers is ${mode}` });
}

interface Asked {
  readonly model: string;
  readonly inputs: readonly (string | Uint32Array)[];
  readonly isBase64: boolean;
  /** Numbers of a vector; undefined: all, as the model gives them. */
  readonly length: number | undefined;
  readonly truncates: boolean;
}

export function addEmbeddingRoute(app: FastifyInstance, { models, life, settings, onEnd }: AnswerContext): void {
  app.post('/v1/embeddings', async (request, reply) => {
    const { granted, signal: admitted } = demandAdmission(request);
    const pace = readPace(granted, settings);
    const { engine, text } = demandModels(models);
    const { deadline } = readHeaders(request.headers);
    const asked = read(request.body, engine.info);
    using _ids = wipeAfter({ prompts: asked.inputs });
    demandServed(engine, asked.model);
    granted.checkModel(engine.info.modelName);
    refuseIdentifiers(granted.deid);
    const signal = AbortSignal.any([life.enter(reply.raw), admitted]);
    const ids: Uint32Array[] = [];
    const endings = new Set<Ending>();
    let embeddings: Embedding[] = [];
    let failure: unknown;
    try {
      for (const input of asked.inputs) {
        ids.push(await encodePrompt(text, input));
        signal.throwIfAborted();
      }
      const length = ids.reduce((sum, one) => sum + one.length, 0);
      await reserve(granted, length, reply);
      const whose = { tenant: granted.tenant, priority: granted.priority, ...(deadline !== undefined && { deadlineMs: measureRest(deadline) }) };
      // What is cut anew gets its length below.
      const plain = asked.length === undefined ? {} : { normalizes: false };
      endings.add('error');
      embeddings = await engine.embed(ids, { truncates: asked.truncates, ...plain, ...whose }, signal);
      endings.clear();
      endings.add('stop');
      request.usage = { promptTokens: countTokens(embeddings), cachedTokens: 0, completionTokens: 0, reasoningTokens: undefined };
      return await sendJson(present(embeddings, asked, engine.info), reply, pace, signal);
    } catch (error) {
      failure = nameAbort(error, signal);
      // Nothing of it has run.
      if (failure instanceof InwardError && failure.code !== 'aborted' && (failure.kind === 'request' || failure.code === 'queue_full')) endings.clear();
      throw toApiError(failure, settings.bodyLimit, 'input');
    } finally {
      for (const ending of endings) onEnd(signal.aborted ? 'abort' : ending);
      zero(ids);
      for (const { values } of embeddings) values.fill(0);
      granted.settle({ promptTokens: countTokens(embeddings), completionTokens: 0, ...describeEnd(endings, failure) });
    }
  });
}

function read(value: unknown, { encoder, family }: EngineInfo): Asked {
  const { input, encoding_format: format, dimensions, ...asked } = validate(body, value, Object.keys(shape));
  // Before anything of it is looked at: no request of this route has an answer.
  if (encoder === undefined) throw toApiError(new InwardError('embeddings_unsupported', { family }), 0, 'input');
  if (dimensions != null && dimensions > encoder.length) throw new ApiError('invalid_value', { path: 'dimensions', rule: `must be at most ${encoder.length}` });
  return {
    model: asked.model,
    inputs: readPrompts(input, 'input', inputLimit),
    isBase64: format === 'base64',
    length: dimensions ?? undefined,
    truncates: asked.truncate ?? false,
  };
}

function countTokens(embeddings: readonly Embedding[]): number {
  return embeddings.reduce((sum, { tokens }) => sum + tokens, 0);
}

function present(embeddings: readonly Embedding[], { length, isBase64 }: Asked, { modelName: model }: EngineInfo): object {
  const tokens = countTokens(embeddings);
  const data = embeddings.map(({ values }, index) => {
    const cut = length === undefined ? values : shorten(values, length);
    return { object: 'embedding', index, embedding: isBase64 ? toBase64(cut) : toNumbers(cut) };
  });
  return { object: 'list', data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

/** The first numbers, which get length 1, as OpenAI does it. In place: they are zeroed with all. */
function shorten(values: Float32Array, length: number): Float32Array {
  const first = values.subarray(0, length);
  const size = Math.hypot(...first);
  if (size > 0) for (let i = 0; i < length; i++) first[i] = (first[i] ?? 0) / size;
  return first;
}

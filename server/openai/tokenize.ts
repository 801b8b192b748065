/**
 * Owns POST /tokenize, /detokenize and /v1/chat/completions/render and GET /tokenizer_info, as vLLM has them: ids of a text or chat, text of ids,
 * the ids that a chat completion would begin with, and which tokens begin and end a text. Refuses to compute anything beyond that.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { TokenId } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import { chatDialect } from './chat.ts';
import { readPrompt } from './completions.ts';
import { ApiError } from './errors.ts';
import type { Prompt } from './fields.ts';
import { nameToken } from './logprobs.ts';
import { openaiMessages, toTurn } from './messages.ts';
import { demandModels, type ModelSource } from './plan.ts';
import { readSwitches, templateSwitches } from './reasoning.ts';
import type { TextRoute } from './text-route.ts';
import { openaiTools, toTemplateTool } from './tools.ts';
import { document, unsupported, validate } from './validate.ts';

const shared = { model: z.string().min(1).nullish(), return_token_strs: z.boolean().nullish() };
const textShape = { ...shared, prompt: document(z.unknown(), { json: { type: 'string' } }), add_special_tokens: z.boolean().nullish() };
const chatShape = {
  ...shared,
  messages: openaiMessages,
  tools: openaiTools,
  chat_template_kwargs: templateSwitches,
  add_generation_prompt: z.boolean().nullish(),
  // Templates write their own.
  add_special_tokens: unsupported(false),
  continue_final_message: unsupported(false),
};
const chatBody = z.strictObject(chatShape);
const textBody = z.strictObject(textShape);

export const tokenizeRoute: TextRoute = {
  url: '/tokenize',
  promptField: 'prompt',
  body: z.union([chatBody, textBody]),
  read: (body, text) => {
    const { model, prompt, addsSpecial, hasNames } = readTokenize(body, text);
    return {
      model,
      answer: async ({ engine, encode }) => {
        const ids = await encode(prompt, addsSpecial);
        const tokens = Array.from(ids);
        return {
          count: tokens.length,
          max_model_len: engine.info.contextLength,
          tokens,
          token_strs: hasNames ? tokens.map((id) => nameToken(text, id as TokenId, '')) : null,
        };
      },
    };
  },
};

interface Tokenize {
  readonly model: string | null | undefined;
  readonly prompt: Prompt;
  readonly addsSpecial: boolean;
  readonly hasNames: boolean;
}

function readTokenize(body: unknown, { info }: TextModel): Tokenize {
  if (typeof body === 'object' && body !== null && 'messages' in body) {
    const { model, messages, tools, ...more } = validate(chatBody, body, Object.keys(chatShape));
    const options = {
      tools: (tools ?? []).map((tool) => toTemplateTool(tool.function)),
      variables: readSwitches(more.chat_template_kwargs, info, 'chat_template_kwargs'),
      addGenerationPrompt: more.add_generation_prompt ?? true,
    };
    return { model, prompt: { messages: messages.map(toTurn), options }, addsSpecial: true, hasNames: more.return_token_strs ?? false };
  }
  const { model, prompt, add_special_tokens: addsSpecial, return_token_strs: hasNames } = validate(textBody, body, Object.keys(textShape));
  if (typeof prompt !== 'string') throw new ApiError('invalid_value', { path: 'prompt', rule: 'must be a string, or "messages" be there' });
  return { model, prompt: readPrompt(prompt, 'prompt'), addsSpecial: addsSpecial ?? true, hasNames: hasNames ?? false };
}

/** GET /tokenizer_info, by which lm-evaluation-harness finds that it needs no tokenizer of its own. Nothing of a request is in it. */
export function addTokenizerRoute(app: FastifyInstance, models: ModelSource): void {
  app.get('/tokenizer_info', ({ admission }) => {
    const { engine, text } = demandModels(models);
    admission?.granted?.checkModel(engine.info.modelName);
    const { bosId, stopIds } = text.info;
    const name = (id: TokenId | undefined): string | null => (id === undefined ? null : nameToken(text, id, ''));
    return { bos_token: name(bosId), eos_token: name(stopIds[0]), pad_token: null, model_max_length: engine.info.contextLength };
  });
}

const idsShape = {
  model: z.string().min(1).nullish(),
  tokens: document(z.unknown(), { json: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 } } }),
};
const idsBody = z.strictObject(idsShape);

export const detokenizeRoute: TextRoute = {
  url: '/detokenize',
  promptField: 'prompt',
  body: idsBody,
  read: (body, text) => {
    const { model, tokens } = validate(idsBody, body, Object.keys(idsShape));
    if (!Array.isArray(tokens)) throw new ApiError('invalid_value', { path: 'tokens', rule: 'must be a list of token ids' });
    const ids = tokens.length === 0 ? new Uint32Array() : (readPrompt(tokens, 'tokens') as Uint32Array);
    const { vocabularySize } = text.info;
    if (ids.some((id) => id >= vocabularySize)) throw new ApiError('invalid_value', { path: 'tokens', rule: `must name token ids below ${vocabularySize}` });
    return {
      model,
      answer: async ({ encode }) => ({ prompt: spell(text, await encode(ids)) }),
    };
  },
};

/** Tokens without text by their names, so that nothing is lost. */
function spell(text: TextModel, ids: Uint32Array): string {
  const decoder = text.createDecoder();
  const pieces = Array.from(ids, (id) =>
    text.readPiece(id as TokenId).isText ? decoder.push(id as TokenId) : decoder.end() + nameToken(text, id as TokenId, ''),
  );
  return pieces.join('') + decoder.end();
}

export const renderRoute: TextRoute = {
  url: '/v1/chat/completions/render',
  promptField: 'messages',
  body: chatDialect.body,
  read: (body, text) => {
    const { asked } = chatDialect.read(body, text);
    // The prompt does not depend on it.
    asked.grammar?.source.fill(0);
    return {
      model: asked.model,
      answer: async ({ engine, encode }) => {
        const [prompt] = asked.prompts;
        return { model: engine.info.modelName, token_ids: prompt === undefined ? [] : Array.from(await encode(prompt)) };
      },
    };
  },
};

/** Owns POST /v1/messages/count_tokens: how many tokens a prompt of POST /v1/messages has. */
import type { TextRoute } from '../openai/text-route.ts';
import { readCounted } from './messages.ts';

export const countRoute: TextRoute = {
  url: '/v1/messages/count_tokens',
  promptField: 'messages',
  read: (body, { info }) => {
    const { model, prompt } = readCounted(body, info);
    return { model, answer: async ({ encode }) => ({ input_tokens: (await encode(prompt)).length }) };
  },
};

/**
 * The official OpenAI client against a running `npm start`: an answer as it comes, then the likeliest words to begin
 * one with. Usage: INWARD_API_KEY=... node examples/openai-client.mjs "question" [URL]
 */
import OpenAI from 'openai';

const [question = 'Why is the sky blue?', url = 'http://127.0.0.1:8080'] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.INWARD_API_KEY });
const asked = { model: 'default', messages: [{ role: 'user', content: question }] };

const stream = await client.chat.completions.create({ ...asked, max_completion_tokens: 128, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '');
  if (chunk.usage) console.error(`\n${chunk.usage.completion_tokens} tokens`);
}

const first = await client.chat.completions.create({ ...asked, max_completion_tokens: 1, logprobs: true, top_logprobs: 5 });
for (const { token, logprob } of first.choices[0]?.logprobs?.content?.[0]?.top_logprobs ?? []) {
  console.error(`${(100 * Math.exp(logprob)).toFixed(1).padStart(5)} % ${JSON.stringify(token)}`);
}

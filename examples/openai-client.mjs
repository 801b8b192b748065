/**
 * The official OpenAI client against a running `npm start`. Usage: node examples/openai-client.mjs "question" [URL]
 */
import OpenAI from 'openai';

const [question = 'Why is the sky blue?', url = 'http://127.0.0.1:8080'] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'not-needed-yet' });

const stream = await client.chat.completions.create({
  model: 'default',
  messages: [{ role: 'user', content: question }],
  max_completion_tokens: 128,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '');
  if (chunk.usage) console.error(`\n${chunk.usage.completion_tokens} tokens`);
}

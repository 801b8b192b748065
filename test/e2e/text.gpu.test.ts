/** The text process behind the real server: a template that does not end and a very long prompt fail alone, and nobody else waits. */
import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { createFolder } from '../gguf-file.ts';
import { readOracle } from '../oracle.ts';
import { type Server, serve } from './command.ts';

const folder = createFolder();
afterAll(folder.remove);

/** The tiny model with a template that counts to a hundred thousand for each message; of the same length, so that the file stays whole. */
function writeModel(): string {
  const bytes = readFileSync(readOracle('gguf_llama_q4_1').modelPath);
  const template = '{{ bos_token }}{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}';
  const start = bytes.indexOf(template);
  expect(start).toBeGreaterThan(0);
  bytes.write('{%for a in messages%}{%for i in range(99999)%}{%endfor%}{%endfor%}x'.padEnd(template.length), start);
  return folder.write(bytes);
}

interface Answer {
  readonly status: number;
  readonly body: { readonly error?: { readonly message: string } };
}

async function ask(server: Server, contents: readonly string[]): Promise<Answer> {
  const messages = contents.map((content) => ({ role: 'user', content }));
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.key}` },
    body: JSON.stringify({ model: 'default', messages, max_tokens: 1 }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

/** Asks for the state of the server until `work` is done; how often it answered, each time before it was asked anew. */
async function askHealthUntil(server: Server, work: Promise<unknown>): Promise<number> {
  let isDone = false;
  void work.finally(() => {
    isDone = true;
  });
  let count = 0;
  for (; !isDone; count++) {
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return count;
}

test('a template that does not end: one clear error, the state is told meanwhile, and the next chat is answered', async () => {
  await using server = await serve(writeModel(), '--context', '64', '--text-deadline-ms', '5000');
  expect((await ask(server, ['Hi'])).status).toBe(200);
  const endless = ask(server, Array(4000).fill('a'));
  expect(await askHealthUntil(server, endless)).toBeGreaterThan(20);
  const { status, body } = await endless;
  expect(status).toBe(400);
  expect(body.error?.message).toMatch(/^Turning the request into tokens took longer than 5000 ms and was stopped\./);
  expect((await ask(server, ['Hi'])).status).toBe(200);
});

test('a prompt of a million characters is refused for its length, and the state is told meanwhile', async () => {
  await using server = await serve(readOracle('gguf_llama_q4_1').modelPath, '--context', '64');
  const long = ask(server, ['The patient takes 20 mg. '.repeat(40_000)]);
  expect(await askHealthUntil(server, long)).toBeGreaterThan(10);
  const { status, body } = await long;
  expect(status).toBe(400);
  expect(body.error?.message).toMatch(/^The prompt has \d{6,} tokens and the context holds 64,/);
});

/** lm-evaluation-harness by examples/lm-eval: its likelihoods are those of the engine, its generations are the server's answers. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../scripts/node.mjs';
import { serve } from '../e2e/command.ts';
import { scoreToken } from '../fake-engine.ts';
import { readOracle } from '../oracle.ts';
import { listenAsAgent } from '../server/clients/agent.ts';
import { findLack, openEnvironment } from './environment.ts';
import { runAlone } from './program.ts';

const lack = await findLack();
const limitMs = 600_000;

interface Sample {
  readonly arguments: Readonly<Record<string, { readonly arg_0: string; readonly arg_1: unknown }>>;
  readonly resps: readonly (readonly [readonly [string, string] | string])[];
}

/** The samples of both tasks, as the harness keeps them. */
async function evaluate(url: string, key: string, more: readonly string[] = []): Promise<Readonly<Record<'choice' | 'words', readonly Sample[]>>> {
  const python = await openEnvironment('lm-eval');
  const folder = mkdtempSync(join(tmpdir(), 'inward-lm-eval-'));
  try {
    const args = [join(root, 'examples/lm-eval/run.sh'), url, '--output_path', folder, '--log_samples', ...more];
    const { code, output } = await runAlone('sh', args, { PYTHON: python, INWARD_API_KEY: key }, 180_000);
    expect(code, output).toBe(0);
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const files = entries.map(({ parentPath, name }) => join(parentPath, name));
    for (const kept of [output, ...files.map((file) => readFileSync(file, 'utf8'))]) expect(kept.includes(key)).toBe(false);
    const read = (task: string): Sample[] => {
      const file = files.find((name) => name.includes(`samples_inward_${task}`)) ?? '';
      const lines = readFileSync(file, 'utf8').trim().split('\n');
      return lines.map((line) => JSON.parse(line) as Sample);
    };
    return { choice: read('choice'), words: read('words') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('likelihoods of an engine whose logits are known', { timeout: limitMs }, async ({ skip }) => {
  skip(lack !== undefined, lack);
  const logits = (ids: readonly number[]): Float32Array =>
    Float32Array.from({ length: 300 }, (_, id) => ((id * 31 + (ids.at(-1) ?? 0) * 17 + ids.length) % 97) / 10);
  await using bench = await listenAsAgent('Hello.', { logits });
  const { choice, words } = await evaluate(bench.url, 'any-key-will-do');
  expect(choice).toHaveLength(8);
  for (const { arguments: asked, resps } of choice) {
    for (const [place, { arg_0: context, arg_1: answer }] of Object.values(asked).entries()) {
      // A token of this server is a byte.
      const ids = [...Buffer.from(context + String(answer))];
      const first = Buffer.byteLength(context);
      const sum = ids.slice(first).reduce((total, id, index) => total + scoreToken(logits(ids.slice(0, first + index)), id, 0).logprob, 0);
      const [[found = '', isGreedy]] = resps[place] as [readonly [string, string]];
      expect(Number(found)).toBeCloseTo(sum, 6);
      expect(isGreedy).toBe('False');
    }
  }
  expect(words.map(({ resps }) => resps[0]?.[0])).toEqual(Array.from({ length: 8 }, () => 'Hello.'));
});

test('a model runs in it, and generates what it answers when asked', { timeout: limitMs }, async ({ skip }) => {
  skip(lack !== undefined, lack);
  await using server = await serve(readOracle('gguf_llama_q4_1').modelPath, '--context', '512');
  const post = async <T>(path: string, body: object): Promise<T> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${server.key}` };
    return (await (await fetch(`${server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })).json()) as T;
  };
  const { choice, words } = await evaluate(server.url, server.key, ['--limit', '3']);
  for (const { resps } of choice) for (const [[found]] of resps as readonly (readonly [readonly [string, string]])[]) expect(Number(found)).toBeLessThan(0);
  for (const { arguments: asked, resps } of words) {
    const { arg_0: prompt } = Object.values(asked)[0] as { readonly arg_0: string };
    // The harness sends ids, without a token that begins the text.
    const { tokens } = await post<{ tokens: readonly number[] }>('/tokenize', { prompt, add_special_tokens: false });
    const { choices } = await post<{ choices: readonly { text: string }[] }>('/v1/completions', {
      ...{ model: 'default', prompt: tokens, max_tokens: 16, temperature: 0, stop: ['\n'] },
    });
    expect(resps[0]?.[0]).toBe(choices[0]?.text);
  }
});

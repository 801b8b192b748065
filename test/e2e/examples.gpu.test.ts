/** The examples, run as they are: what they print is what the command prints, and they end. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cacheFolder } from '../../runtime/drivers.ts';
import { root } from '../../scripts/node.mjs';
import { runCommand } from '../../scripts/setup/command.ts';
import { defaultModel } from '../../scripts/setup/model.ts';
import { startScript } from '../examples/script.ts';
import { readOracle } from '../oracle.ts';
import { finish, serve } from './command.ts';
import { createEvaluationSite } from './evaluation-site.ts';

async function embed(modelPath: string, question: string): Promise<string> {
  using site = await createEvaluationSite();
  return await runCommand(process.execPath, [join(root, 'examples/embed.ts'), modelPath, question], { env: { ...process.env, ...site.environment } });
}

test('examples/embed.ts streams what the command streams', async () => {
  const { modelPath } = readOracle('gguf_llama_q4_1');
  const question = 'The patient takes 20 mg';
  const settings = ['--device', 'auto', '--context', '1024', '--max-tokens', '128', '--temperature', '0'];
  const { code, out } = await finish(['run', question, '--model', modelPath, ...settings]);
  expect(code).toBe(0);
  expect(out.length).toBeGreaterThan(50);
  expect(await embed(modelPath, question)).toBe(out);
});

test('examples/embed.ts answers with a model that knows something', async ({ skip }) => {
  const smollm2 = join(cacheFolder(), 'models', defaultModel.file);
  skip(!existsSync(smollm2), 'its file is not in the cache: node scripts/setup.mjs fetches it');
  expect(await embed(smollm2, 'What is the capital of France?')).toContain('Paris');
});

test('the clinical recipes run against a model that knows nothing: their forms hold', async () => {
  await using server = await serve(readOracle('gguf_llama_q4_1').modelPath, '--context', '4096');
  const run = (recipe: string, ...more: readonly string[]) =>
    startScript(join(root, 'examples/clinical', `${recipe}.ts`), ['--url', server.url, ...more], server.key);
  const soap = await run('soap-note', '--max-tokens', '24');
  expect([soap.code, soap.out.length > 1, soap.err]).toEqual([0, true, '\nThe answer was cut: raise --max-tokens.\n']);
  const letter = await run('prior-authorization', '--max-tokens', '2000');
  expect([letter.code, letter.out]).toEqual([0, expect.stringMatching(/^Re: prior authorization \((?:standard|expedited)\) of .* \(ICD-10 [A-TV-Z]\d[\dAB]/s)]);
  const message = await run('patient-message', '--max-tokens', '24');
  expect(message.out).toMatch(/\nFlesch-Kincaid grade -?\d+\.\d; asked for at most 6\.\n$/);
  const summary = await run('fhir-summary', '--max-tokens', '24');
  expect([summary.code, summary.err]).toEqual([0, expect.stringMatching(/^replaced: .*NAME 4/)]);
});

/** The examples, run as they are: what they print is what the command prints, and they end. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cacheFolder } from '../../runtime/drivers.ts';
import { root } from '../../scripts/node.mjs';
import { runCommand } from '../../scripts/setup/command.ts';
import { defaultModel } from '../../scripts/setup/model.ts';
import { readOracle } from '../oracle.ts';
import { finish } from './command.ts';
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

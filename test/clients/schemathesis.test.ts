/** Schemathesis tries every route by the document of the API, with what fits it and with what does not: no 5xx, and answers that are as it says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serve } from '../e2e/command.ts';
import { readOracle } from '../oracle.ts';
import { findLack, openEnvironment } from './environment.ts';
import { runAlone } from './program.ts';

const lack = await findLack();
/** Cases of a route, beside those of the edges of every field. */
const caseCount = process.env['INWARD_FULL'] === '1' ? 200 : 25;
const limitMs = process.env['INWARD_FULL'] === '1' ? 3_600_000 : 900_000;

interface Document {
  readonly paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: Schema }> } }>>;
}
interface Schema {
  readonly properties?: Record<string, object>;
  readonly anyOf?: readonly Schema[];
}

/**
 * Leaves what can be right by itself: no schema says which model is served, nor that a choice of a tool names one of the request's, and most that is made
 * of the whole document would end there.
 */
function narrow({ paths }: Document): void {
  for (const [path, { post }] of Object.entries(paths)) {
    const schema = post?.requestBody?.content['application/json']?.schema ?? {};
    const choices = ['auto', 'none'].map((type) => (path.startsWith('/v1/messages') ? { type } : type));
    for (const { properties = {} } of [schema, ...(schema.anyOf ?? [])]) {
      const { model, tool_choice: choice } = properties;
      if (model !== undefined) properties['model'] = { enum: 'anyOf' in model ? ['default', null] : ['default'] };
      if (choice !== undefined) properties['tool_choice'] = { enum: [...choices, null] };
    }
  }
}

test('schemathesis', { timeout: limitMs }, async ({ skip }) => {
  skip(lack !== undefined, lack);
  const python = await openEnvironment('official');
  await using server = await serve(readOracle('gguf_llama_q4_1').modelPath, '--context', '256');
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
  narrow(document);
  const folder = mkdtempSync(join(tmpdir(), 'inward-schemathesis-'));
  try {
    const file = join(folder, 'openapi.json');
    writeFileSync(file, JSON.stringify(document));
    const here = import.meta.dirname;
    const args = ['-m', 'schemathesis.cli', '--config-file', join(here, 'schemathesis.toml'), 'run', file, '--url', server.url];
    const how = ['--phases', 'examples,coverage,fuzzing', '--max-examples', String(caseCount)];
    const checks = ['--checks', 'all', '--exclude-checks', 'positive_data_acceptance', '--seed', '12', '--no-shrink', '--no-color'];
    const kept = ['--generation-database', 'none', '--warnings', 'off', '--continue-on-failure', '--request-timeout', '60'];
    const variables = { INWARD_API_KEY: server.key, PYTHONPATH: here, SCHEMATHESIS_HOOKS: 'document_rules' };
    const { code, output } = await runAlone(python, [...args, ...how, ...checks, ...kept], variables, limitMs - 60_000);
    expect(code, output).toBe(0);
    // Every route was tried.
    expect(output).toContain(`Tested: ${Object.keys(document.paths).length}`);
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

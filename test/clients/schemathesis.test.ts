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

/** Every other name is 404 before anything is looked at, and no schema says which there are. */
function nameModel({ paths }: Document): void {
  const schemas = Object.values(paths).flatMap(({ post }) => post?.requestBody?.content['application/json']?.schema ?? []);
  for (const { properties } of schemas.flatMap((schema) => [schema, ...(schema.anyOf ?? [])])) {
    if (properties?.['model'] !== undefined) properties['model'] = { enum: 'anyOf' in properties['model'] ? ['default', null] : ['default'] };
  }
}

test('schemathesis', { timeout: limitMs }, async ({ skip }) => {
  skip(lack !== undefined, lack);
  const python = await openEnvironment('official');
  await using server = await serve(readOracle('gguf_llama_q4_1').modelPath, '--context', '256');
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
  nameModel(document);
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

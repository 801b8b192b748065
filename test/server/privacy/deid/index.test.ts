/** The door `inward/deid`: what a desktop program loads with it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('loads its own files and two modules of Node, and nothing of the server, the engine or a package', async () => {
  const folder = new URL('../../../../server/privacy/deid/', import.meta.url).href;
  const program = `
    const { registerHooks } = await import('node:module');
    const seen = [];
    registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) });
    const { deidentify } = await import('${folder}index.ts');
    const { text } = deidentify('seen by Dr. Okonkwo');
    console.log(JSON.stringify({ text, strangers: seen.filter((url) => !url.startsWith('${folder}')) }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  expect(JSON.parse(stdout)).toEqual({ text: 'seen by [NAME-1]', strangers: ['node:crypto', 'node:fs'] });
});

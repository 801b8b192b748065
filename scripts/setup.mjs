/**
 * Owns the first part of set-up, which must run on Node 20: is this machine one of ours, are the locked
 * packages installed.
 * Everything after it is TypeScript (scripts/setup/). Run directly, it does the whole set-up.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { continueUnderNode, fail, isRecent, packagedNode, root } from './node.mjs';
import { startProgress } from './progress.mjs';

/** What is wrong with this machine, as one sentence, or undefined. webgpu's binary needs glibc 2.34. */
export function machineProblem(platform = process.platform, glibc = glibcVersion()) {
  if (platform !== 'linux') return `Inward runs on Linux; this is ${platform}.`;
  if (!glibc) return 'Inward needs Linux with glibc 2.34 or newer; this system has another C library (musl?).';
  const [major, minor] = glibc.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 34) ? undefined : `Inward needs glibc 2.34 or newer; this system has ${glibc}.`;
}

function glibcVersion() {
  if (process.report) process.report.excludeNetwork = true; // looking up interfaces can take seconds
  return process.report?.getReport().header.glibcVersionRuntime;
}

/** Whether node_modules holds what package-lock.json names; packages for other platforms may be absent, and without `development` those for developers too. */
export function arePackagesCurrent(folder = root, { development = false } = {}) {
  const wanted = readPackages(join(folder, 'package-lock.json'));
  const there = readPackages(join(folder, 'node_modules', '.package-lock.json'));
  if (!wanted || !there) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional, dev, devOptional }]) => {
    if (path === '') return true;
    const found = there[path];
    if (!found) return optional || ((dev || devOptional) && !development);
    return found.version === version && found.integrity === integrity;
  });
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Installs the locked packages if they are not there. Throws an Error whose message is a sentence for the operator. */
export async function ensurePackages(options) {
  if (!existsSync(join(root, 'package-lock.json'))) return; // installed as a package: whoever installed it did this
  const problem = machineProblem();
  if (problem) throw new Error(problem);
  const isReady = () => arePackagesCurrent(root, options) && (packagedNode() || isRecent());
  if (isReady()) return;
  await withLock(`packages-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`, async () => {
    if (!arePackagesCurrent(root, options)) await installPackages();
    // npm may be set not to run install scripts, and the packaged Node is fetched by one: run it ourselves.
    if (!packagedNode() && !isRecent()) await runQuietly(process.execPath, ['installArchSpecificPackage.js'], join(root, 'node_modules', 'node'));
    if (!isReady()) throw new Error('The packages were installed, but the packaged Node is missing: use Node 24 or newer, or allow install scripts in npm.');
  });
}

async function installPackages() {
  const total = Object.keys(readPackages(join(root, 'package-lock.json')) ?? {}).length || 1;
  const progress = startProgress('Installing the locked npm packages');
  const timer = setInterval(() => progress.update((0.98 * countPackages()) / total), 500);
  try {
    await runQuietly('npm', ['ci', '--loglevel=error', '--no-progress', '--prefer-offline', '--fetch-retries=1', '--fetch-retry-mintimeout=1000'], root);
    progress.end('done');
  } catch (error) {
    progress.end('failed');
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function countPackages() {
  const list = (folder) => (existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith('.')) : []);
  const top = join(root, 'node_modules');
  return list(top).reduce((sum, name) => sum + (name.startsWith('@') ? list(join(top, name)).length : 1), 0);
}

/** Runs a command whose output matters only if it fails. */
function runQuietly(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-20_000)));
    child.on('error', () => reject(new Error(`The command ${command} is missing: install Node with npm.`)));
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(explainNpm(output)))));
  });
}

/** One sentence for what npm said. */
export function explainNpm(output) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|network/i.test(output))
    return 'The npm packages could not be fetched: the package registry cannot be reached. Connect this machine, or copy node_modules from a clone that is set up.';
  const last = output
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('npm error') && !/complete log/i.test(line))
    .slice(0, 3)
    .join('\n');
  return `npm could not install the packages:\n${last || output.trim().slice(-500)}`;
}

/** One holder per name on this machine; waits for another set-up that runs, takes over from one that died. */
async function withLock(name, work) {
  const { INWARD_CACHE, XDG_CACHE_HOME } = process.env; // the same folder as cacheFolder() of runtime/drivers.ts
  const folder = INWARD_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'inward');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.lock`);
  for (let waiting = false; ; waiting = true) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isAlive(readOwner(path))) rmSync(path, { force: true });
      else if (!waiting) process.stderr.write('Another set-up of this folder is running; waiting for it.\n');
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function readOwner(path) {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return 0;
  }
}

function isAlive(pid) {
  if (!pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensurePackages({ development: true }).catch(fail);
  await continueUnderNode([join(root, 'scripts', 'setup', 'run.ts')]);
}

/**
 * Owns the private lavapipe: Mesa's CPU driver from the distribution's own signed packages, unpacked into the
 * cache. apt runs with lists, archives and settings of its own there: no root, and the system stays as it is.
 * apt's solver starts from an empty system, so that the result does not lean on packages a user may remove later;
 * only the C and C++ run-time libraries stay the system's.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { privateDriverManifest } from '../../runtime/drivers.ts';
import { startProgress } from '../progress.mjs';
import { installAtomically } from './cache.ts';
import { isOffline, runCommand } from './command.ts';
import { type AptSource, aptTargetFormat, chooseAptSources, parseRelease } from './system.ts';

const packages = ['mesa-vulkan-drivers', 'libvulkan1'];
/** Never taken: what every program here runs on already (these), and data files (architecture `all`). */
const systemPackages = /^(libc6|libgcc-s1|libstdc\+\+6)$/;
const oldestMesa = 24;

/** Installs lavapipe as the folder `target`. Throws an Error whose message says why it cannot be had. */
export async function installLavapipe(target: string): Promise<void> {
  const release = parseRelease(existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '');
  if (!release.isDebianFamily || !release.codename) throw new Error('this is no Debian or Ubuntu system');
  const { codename } = release;
  await installAtomically(target, async (workFolder) => {
    const progress = startProgress('Fetching lavapipe (Mesa) from the distribution');
    try {
      const version = await fetchAndUnpack(workFolder, codename, (fraction) => progress.update(fraction));
      progress.end(`Mesa ${version}`);
    } catch (error) {
      progress.end('not possible');
      throw isOffline(error) ? new Error('the package mirror cannot be reached') : error;
    }
    return join(workFolder, 'driver');
  });
}

async function fetchAndUnpack(workFolder: string, codename: string, update: (fraction: number) => void): Promise<string> {
  const architecture = (await runCommand('dpkg', ['--print-architecture'])).trim();
  const sources = chooseAptSources(await runCommand('apt-get', ['indextargets', '--format', aptTargetFormat, 'Created-By: Packages']), codename);
  if (sources.length === 0) throw new Error(`apt has no source for ${codename}`);
  const apt = prepareApt(workFolder, sources, architecture);
  await apt('update', [], (fraction) => update(0.25 * fraction));
  const suite = sources.some((source) => source.suite.endsWith('-backports')) ? ['-t', `${codename}-backports`] : [];
  const install = ['--no-install-recommends', ...suite, ...packages];
  const chosen = parseSimulation(await apt('install', ['--simulate', ...install]));
  const version = chosen.find(({ name }) => name === 'mesa-vulkan-drivers')?.version ?? '0';
  if (Number.parseInt(version, 10) < oldestMesa) throw new Error(`the distribution has Mesa ${version}, and Dawn needs ${oldestMesa}`);
  await apt('install', ['--download-only', '--yes', ...install], (fraction) => update(0.25 + 0.55 * fraction));
  const wanted = chosen.filter(({ name, architecture: kind }) => kind !== 'all' && !systemPackages.test(name)).map(({ name }) => name);
  await unpack(workFolder, wanted, (fraction) => update(0.8 + 0.2 * fraction));
  writeManifest(join(workFolder, 'driver'), version);
  return version;
}

type Apt = (command: string, args: readonly string[], update?: (fraction: number) => void) => Promise<string>;

/** Writes apt's private settings and gives a function that runs it with them. */
function prepareApt(workFolder: string, sources: readonly AptSource[], architecture: string): Apt {
  for (const folder of ['lists/partial', 'archives/partial', 'driver']) mkdirSync(join(workFolder, folder), { recursive: true });
  const keyring = ['debian', 'ubuntu'].map((name) => `/usr/share/keyrings/${name}-archive-keyring.gpg`);
  const lines = sources.map(({ uri, suite, components }) => {
    const key = keyring.find((path) => /\/ubuntu/.test(uri) === /ubuntu/.test(path) && existsSync(path));
    return `deb [arch=${architecture}${key ? ` signed-by=${key}` : ''}] ${uri} ${suite} ${components.join(' ')}`;
  });
  writeFileSync(join(workFolder, 'sources.list'), `${lines.join('\n')}\n`);
  writeFileSync(join(workFolder, 'status'), '');
  writeFileSync(join(workFolder, 'apt.conf'), aptSettings(workFolder, architecture));
  return (command, args, update) => {
    const onStatus = (text: string): void => {
      const percent = /dlstatus:\d+:([\d.]+):/.exec(text)?.[1];
      if (percent) update?.(Number(percent) / 100);
    };
    return runCommand('apt-get', ['-c', join(workFolder, 'apt.conf'), ...(update ? ['-oAPT::Status-Fd=3'] : []), command, ...args], {
      ...(update && { onStatus }),
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });
  };
}

function aptSettings(folder: string, architecture: string): string {
  const cleared = [
    'APT::Architectures',
    'APT::Update::Pre-Invoke',
    'APT::Update::Post-Invoke',
    'APT::Update::Post-Invoke-Success',
    'DPkg::Post-Invoke',
    'DPkg::Pre-Install-Pkgs',
  ];
  const settings = {
    'APT::Architecture': architecture,
    'APT::Architectures::': architecture,
    'APT::Sandbox::User': 'root', // as root, apt would give the download to a user who may not enter the cache
    'APT::Update::Error-Mode': 'any', // else a mirror that cannot be reached is a mere warning
    'Acquire::Languages': 'none',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': '20',
    'Acquire::https::Timeout': '20',
    'Debug::NoLocking': '1',
    'Dir::Cache::archives': join(folder, 'archives'),
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::State::extended_states': join(folder, 'extended_states'),
  };
  const set = Object.entries(settings).map(([key, value]) => `${key} "${value}";`);
  return `${[...cleared.map((key) => `#clear ${key};`), ...set].join('\n')}\n`;
}

/** Lines `Inst NAME (VERSION ORIGIN [ARCHITECTURE])` of a simulated install. */
export function parseSimulation(output: string): { name: string; version: string; architecture: string }[] {
  return [...output.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) .*\[(\w+)\]\)/gm)].map(([, name = '', version = '', architecture = '']) => ({
    name,
    version,
    architecture,
  }));
}

async function unpack(workFolder: string, wanted: readonly string[], update: (fraction: number) => void): Promise<void> {
  const files = readdirSync(join(workFolder, 'archives')).filter((file) => wanted.includes(file.split('_')[0] ?? ''));
  if (files.length < wanted.length) throw new Error('apt did not fetch all packages');
  for (const [index, file] of files.entries()) {
    update(index / files.length);
    await runCommand('dpkg-deb', ['-x', join(workFolder, 'archives', file), join(workFolder, 'driver')]);
  }
}

/** The loader takes a library path relative to the ICD file, so the folder may be moved. */
function writeManifest(folder: string, version: string): void {
  const libraryDirs = ['usr/lib', 'lib'].flatMap((top) => {
    const triplets = existsSync(join(folder, top)) ? readdirSync(join(folder, top)).filter((name) => name.endsWith('-linux-gnu')) : [];
    return triplets.map((name) => join(top, name));
  });
  const driverDir = libraryDirs.find((dir) => existsSync(join(folder, dir, 'libvulkan_lvp.so')));
  if (!driverDir) throw new Error('the packages hold no lavapipe');
  for (const name of readdirSync(join(folder, driverDir))) if (/^libvulkan_(?!lvp).*\.so$/.test(name)) rmSync(join(folder, driverDir, name)); // drivers of GPUs
  writeFileSync(
    join(folder, 'icd.json'),
    JSON.stringify({ file_format_version: '1.0.0', ICD: { api_version: '1.3.0', library_path: `./${driverDir}/libvulkan_lvp.so` } }),
  );
  writeFileSync(join(folder, privateDriverManifest), JSON.stringify({ reason: `private Mesa ${version.split('-')[0]}`, icdFile: 'icd.json', libraryDirs }));
}

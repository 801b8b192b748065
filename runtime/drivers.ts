/**
 * Owns the answer to "which Vulkan drivers are on this machine now", in order of preference, and the
 * environment a process needs to load one. Looks at files only and takes a few milliseconds.
 * Refuses to install, to load or to judge a driver: set-up does that (scripts/setup), the device does that.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { InwardError } from './errors.ts';
import { type DeviceName, deviceNames } from './types.ts';

/** One way to reach a device. */
export interface Driver {
  readonly name: DeviceName;
  /** Why it is there and in this place of the order; for people. */
  readonly reason: string;
  /** Vulkan's description of the driver (the loader's term is ICD file). */
  readonly icdFile: string;
  /** Folders that must stand first in LD_LIBRARY_PATH when the process starts; may be empty. */
  readonly libraryDirs: readonly string[];
}

/** Where to look; tests give a folder of their own. */
export interface Machine {
  /** Top of the file system, `/` unless said otherwise. */
  readonly root?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Folder names of the private drivers inside `<cache>/devices`; a new recipe gets a new name. */
export const privateDriverFolders = { lavapipe: 'lavapipe-1', swiftshader: 'swiftshader-153.0.0' } as const;
/** Written into such a folder: what `Driver` needs, with paths relative to the folder. */
export const privateDriverManifest = 'driver.json';

/** Oldest Mesa that Dawn accepts. */
const oldestMesa = 24;
const icdFolders = ['/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/usr/share/vulkan/icd.d'];
const libraryFolders = [
  '/usr/local/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/lib/x86_64-linux-gnu',
  '/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/lib64',
  '/usr/lib',
];

/** Hardware drivers by the name of their library or ICD file, with the PCI vendor whose render node they need. */
const hardware: readonly { readonly pattern: RegExp; readonly vendor: string; readonly label: string; readonly node?: string }[] = [
  { pattern: /nvidia/i, vendor: '0x10de', label: 'NVIDIA', node: '/dev/nvidia0' },
  { pattern: /nouveau/i, vendor: '0x10de', label: 'NVIDIA (nouveau)' },
  { pattern: /radeon|amd/i, vendor: '0x1002', label: 'AMD' },
  { pattern: /intel/i, vendor: '0x8086', label: 'Intel' },
];

/** Where drivers, models and compiled code are kept: `$INWARD_CACHE`, else `$XDG_CACHE_HOME/inward`, else `~/.cache/inward`. */
export function cacheFolder(environment: Machine['environment'] = process.env): string {
  const own = environment['INWARD_CACHE'];
  if (own) return resolve(own);
  const shared = environment['XDG_CACHE_HOME'];
  return shared && isAbsolute(shared) ? join(shared, 'inward') : join(environment['HOME'] || homedir(), '.cache', 'inward');
}

/** The drivers that are here now, the best first; a device may appear twice (the system's and a private one). */
export function findDrivers(machine: Machine = {}): Driver[] {
  const environment = machine.environment ?? process.env;
  const found = [...installedDrivers(machine.root ?? '/', environment), ...privateDrivers(environment)];
  return found.sort((a, b) => deviceNames.indexOf(a.name) - deviceNames.indexOf(b.name));
}

/**
 * The driver to use for `wanted`: the best one for `auto`.
 * Throws `device_missing` with the devices that are here.
 */
export function chooseDriver(wanted: DeviceName | 'auto', drivers: readonly Driver[] = findDrivers()): Driver {
  const driver = wanted === 'auto' ? drivers[0] : drivers.find(({ name }) => name === wanted);
  if (!driver) throw new InwardError('device_missing', { wanted, available: [...new Set(drivers.map(({ name }) => name))].join(', ') || 'none' });
  return driver;
}

/** What must be set before a process starts so that Dawn loads this driver and no other. */
export function driverEnvironment(
  driver: Driver,
  environment: Machine['environment'] = process.env,
): { readonly VK_DRIVER_FILES: string; readonly MESA_SHADER_CACHE_DIR: string; readonly LD_LIBRARY_PATH?: string } {
  const inherited = (environment['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '' && !driver.libraryDirs.includes(folder));
  const folders = [...driver.libraryDirs, ...inherited];
  return {
    VK_DRIVER_FILES: driver.icdFile,
    // Mesa keeps compiled kernels (never data) on disk: in our folder, not in one of its own.
    MESA_SHADER_CACHE_DIR: join(cacheFolder(environment), 'kernels'),
    ...(folders.length > 0 && { LD_LIBRARY_PATH: folders.join(':') }),
  };
}

/** Whether a GPU and its driver are here, even if the Vulkan loader (libvulkan.so.1) is not. */
export function hasHardware({ root = '/', environment = process.env }: Machine = {}): boolean {
  return readIcds(root, environment).some((icd) => hardwareOf(root, icd) !== undefined);
}

/** The PCI vendor of a hardware driver, and whether its GPUs have nodes of NVIDIA's own. */
export function vendorOf({ icdFile }: Driver): { readonly vendor: string; readonly isNvidia: boolean } {
  const library = (readJson(icdFile) as { ICD?: { library_path?: unknown } } | undefined)?.ICD?.library_path;
  const kind = kindOf({ file: icdFile, library: typeof library === 'string' ? library : '' });
  return { vendor: kind?.vendor ?? '', isNvidia: kind?.node !== undefined };
}

interface Icd {
  readonly file: string;
  readonly library: string;
}

function installedDrivers(root: string, environment: NonNullable<Machine['environment']>): Driver[] {
  const loaderDirs = findLoader(root, environment);
  if (!loaderDirs) return [];
  return readIcds(root, environment).flatMap((icd): Driver[] => {
    const from = { icdFile: icd.file, libraryDirs: loaderDirs };
    const gpu = hardwareOf(root, icd);
    if (gpu) return [{ name: 'gpu', reason: `${gpu} GPU with its Vulkan driver`, ...from }];
    if (/swiftshader/i.test(icd.library)) return [{ name: 'swiftshader', reason: 'installed SwiftShader', ...from }];
    const mesa = /lvp/.test(basename(icd.library)) ? mesaVersion(root, icd, environment) : undefined;
    return mesa && Number.parseInt(mesa, 10) >= oldestMesa ? [{ name: 'lavapipe', reason: `installed Mesa ${mesa}`, ...from }] : [];
  });
}

/** The folders that the process needs to find libvulkan.so.1: none if the system has it, else a private driver's; undefined if it is nowhere. */
function findLoader(root: string, environment: NonNullable<Machine['environment']>): readonly string[] | undefined {
  const system = systemLibraryFolders(root, environment).some((folder) => isFile(join(folder, 'libvulkan.so.1')));
  return system ? [] : privateDrivers(environment)[0]?.libraryDirs;
}

function privateDrivers(environment: NonNullable<Machine['environment']>): Driver[] {
  return (['lavapipe', 'swiftshader'] as const).flatMap((name): Driver[] => {
    const folder = join(cacheFolder(environment), 'devices', privateDriverFolders[name]);
    const manifest = readJson(join(folder, privateDriverManifest)) as { reason?: unknown; icdFile?: unknown; libraryDirs?: unknown } | undefined;
    if (!manifest || typeof manifest.icdFile !== 'string' || !Array.isArray(manifest.libraryDirs)) return [];
    const icdFile = join(folder, manifest.icdFile);
    return isFile(icdFile)
      ? [{ name, reason: String(manifest.reason), icdFile, libraryDirs: manifest.libraryDirs.map((dir) => join(folder, String(dir))) }]
      : [];
  });
}

/** ICD files that the operator named in the environment, then those of the system's folders. */
function readIcds(root: string, environment: NonNullable<Machine['environment']>): Icd[] {
  const named = (environment['VK_DRIVER_FILES'] ?? environment['VK_ICD_FILENAMES'] ?? '').split(':').filter(isAbsolute);
  const listed = icdFolders.flatMap((folder) =>
    listFolder(join(root, folder))
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(root, folder, name)),
  );
  const privateRoot = join(cacheFolder(environment), 'devices');
  return [...new Set([...named, ...listed])].flatMap((file) => {
    if (!relative(privateRoot, file).startsWith('..')) return []; // already in the list of private drivers
    const library = (readJson(file) as { ICD?: { library_path?: unknown } } | undefined)?.ICD?.library_path;
    return typeof library === 'string' ? [{ file, library }] : [];
  });
}

/** The maker's name if this is the driver of a GPU that is in the machine: Mesa installs the drivers of GPUs that are not. */
function hardwareOf(root: string, icd: Icd): string | undefined {
  const kind = kindOf(icd);
  if (!kind) return undefined;
  if (kind.node && exists(join(root, kind.node))) return kind.label;
  const nodes = listFolder(join(root, '/dev/dri')).filter((name) => name.startsWith('renderD'));
  return nodes.some((name) => readText(join(root, '/sys/class/drm', name, 'device/vendor'))?.trim() === kind.vendor) ? kind.label : undefined;
}

function kindOf(icd: Icd): (typeof hardware)[number] | undefined {
  return hardware.find(({ pattern }) => pattern.test(basename(icd.library)) || pattern.test(basename(icd.file)));
}

/** Mesa writes its version into every driver as `Mesa 25.0.7`. */
function mesaVersion(root: string, icd: Icd, environment: NonNullable<Machine['environment']>): string | undefined {
  const folders = icd.library.includes('/') ? [''] : systemLibraryFolders(root, environment);
  for (const folder of folders) {
    const path = folder ? join(folder, icd.library) : isAbsolute(icd.library) ? join(root, icd.library) : join(dirname(icd.file), icd.library);
    const version = /Mesa (\d+\.\d+\.\d+)/.exec(readText(path) ?? '')?.[1];
    if (version) return version;
  }
  return undefined;
}

function systemLibraryFolders(root: string, environment: NonNullable<Machine['environment']>): string[] {
  return [...(environment['LD_LIBRARY_PATH'] ?? '').split(':').filter(isAbsolute), ...libraryFolders.map((folder) => join(root, folder))];
}

/** Bytes as text, one character each, so that a library can be searched too. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readText(path) ?? '') ?? undefined;
  } catch {
    return undefined;
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

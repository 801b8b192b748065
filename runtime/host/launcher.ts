/**
 * Owns how the engine process is started, in this one place: flags, environment, what it may read. It may write nothing but the
 * cache of compiled code, and gives that and all reading back before it serves (process.ts); it may start no process, thread or
 * inspector. Refuses to hand on the parent's environment as a whole, which may hold secrets and options of Node.
 *
 * Node's permission model binds JavaScript. The device's driver is native code: it reads what it finds, and the kernel lets it write
 * the nodes of GPUs and Mesa's compiled kernels in the cache folder; in an engine that keeps nothing no file at all.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Driver, driverEnvironment } from '../drivers.ts';
import { type Launched, launch, programBeside, type StdioPipe } from '../launch.ts';
import { linkedStdio } from '../link/link.ts';
import { tuningFile } from '../tuning/file.ts';
import { chooseGpus, findGpus } from './gpus.ts';
import type { FromEngine, PlainOptions, ToEngine } from './messages.ts';

/** What runs in the process, and what it reads beside what every engine does; tests have programs of their own. */
export interface EngineProgram {
  readonly file: URL;
  readonly reads: readonly string[];
}

const engineProgram: EngineProgram = { file: programBeside(import.meta.url, 'process'), reads: [] };
const stageProgram: EngineProgram = { file: programBeside(import.meta.url, 'stage'), reads: [] };

/** Of a process that is one of several stages. */
interface StagePipes {
  readonly pipes: readonly [before: StdioPipe, next: StdioPipe];
  /** Device nodes of its GPU, and of none besides; undefined: all that are here. */
  readonly nodes: readonly string[] | undefined;
}

/**
 * The engine's memory is on the device; V8 and malloc would keep tens of MB more for speed that it does not need.
 * --gc-global: garbage holds objects of Dawn, which are small to V8 and large to malloc; a full collection of so small a heap is cheap.
 */
const leanFlags = ['--optimize-for-size', '--gc-global', '--max-semi-space-size=1', '--single-threaded-gc', '--v8-pool-size=1'];
const leanEnvironment = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '131072' };

/** Mesa's and NVIDIA's caches of compiled kernels. */
const withoutDriverCaches = { MESA_SHADER_CACHE_DISABLE: 'true', __GL_SHADER_DISK_CACHE: '0' };

/** What Vulkan drivers and their loader, the C library and `cacheFolder` go by. */
const knownNames =
  /^(?:HOME|USER|PATH|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|DISPLAY|WAYLAND_DISPLAY|INWARD_CACHE|LD_LIBRARY_PATH|SYSTEMROOT|SYSTEMDRIVE|WINDIR|USERPROFILE|PROGRAMDATA|PROGRAMFILES|(?:LOCAL)?APPDATA|(?:XDG|VK|MESA|LP|GALLIUM|GALLIVM|DRI|DRM|RADV|AMD|AMDVLK|ANV|INTEL|NVK|NVIDIA|CUDA|HSA|__GL|__NV|__VK)_\w+)$/i;

/** What is asked for the memory that is free (device.ts). */
const memoryFiles = ['/proc/meminfo', '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory.current'];

export interface LaunchedEngine extends Launched<ToEngine, FromEngine> {
  /** The stages behind the first, whose process this is; in order. */
  readonly stages?: readonly LaunchedEngine[];
}

/**
 * The process of an engine, or those of all its stages: each has a pipe to the next, the last to the first, so that nothing of a request goes
 * through here. All are started in one turn, before anything that they say could be read here. Throws gpus_missing.
 */
export function launchStages(options: PlainOptions, driver: Driver): LaunchedEngine {
  const { stages: count = 1 } = options;
  if (count === 1) return launchEngine(options, driver);
  const nodes = driver.name === 'gpu' ? chooseGpus(findGpus(driver), count) : [];
  const first = launchEngine(options, driver, engineProgram, { pipes: ['pipe', 'pipe'], nodes: nodes[0] });
  const stages: LaunchedEngine[] = [];
  for (let index = 1; index < count; index++) {
    const before = endOf(stages.at(-1) ?? first, 1);
    const next = index === count - 1 ? endOf(first, 0) : 'pipe';
    stages.push(launchEngine(options, driver, stageProgram, { pipes: [before, next], nodes: nodes[index] }));
    for (const end of [before, next]) if (end instanceof Socket) end.destroy();
  }
  return { ...first, stages };
}

/** What this process has of a pipe of a stage, until another stage has it. Where nothing was started another pipe leads nowhere, and the end of the process is told. */
function endOf({ process: child }: LaunchedEngine, place: 0 | 1): StdioPipe {
  const found: unknown = child.stdio[linkedStdio.length + place];
  return found instanceof Socket ? found : 'pipe';
}

/** Starts a process that waits for the message `open` with these options; a program of other words has them as `Sent` and `Received`. */
export function launchEngine<Sent extends object = ToEngine, Received = FromEngine>(
  options: PlainOptions,
  driver: Driver,
  { file, reads }: EngineProgram = engineProgram,
  { pipes, nodes = deviceNodes() }: Partial<StagePipes> = {},
): Launched<Sent, Received> {
  const { modelPath, tune = 'off', tuningFile: path = tuningFile(), keepsNothing = false } = options;
  const known = driverEnvironment(driver);
  const caches = keepsNothing ? [] : [known.MESA_SHADER_CACHE_DIR];
  return launch({
    file,
    flags: [...leanFlags, '--disallow-code-generation-from-strings', '--allow-addons'],
    reads: [...sourceFolders(), ...memoryFiles, resolve(modelPath), ...(tune === 'off' ? [] : [resolve(path)]), ...reads],
    writes: [...nodes, ...caches],
    ...(pipes && { pipes }),
    keepsNothing,
    environment: { ...knownEnvironment(), ...known, ...leanEnvironment, ...(keepsNothing ? withoutDriverCaches : {}) },
  });
}

/** Our sources, as far as the engine consists of them, and the package that leads to the device; through links, as Node looks for it. */
function sourceFolders(): string[] {
  const own = ['../../runtime', '../../kernels', '../../models', '../../package.json'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const places = createRequire(import.meta.url).resolve.paths('webgpu') ?? [];
  const place = places.find((folder) => existsSync(join(folder, 'webgpu')));
  if (place === undefined) return own;
  const found = join(place, 'webgpu');
  const real = realpathSync(found);
  return [...own, ...(real === found ? [found] : [place, real])];
}

/** What drivers open for writing: the nodes of GPUs. The software devices write to none. */
function deviceNodes(): string[] {
  const names = existsSync('/dev') ? readdirSync('/dev') : [];
  return names.filter((name) => /^(?:dri|kfd|nvidia.*)$/.test(name)).map((name) => `/dev/${name}`);
}

function knownEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value !== undefined && knownNames.test(name) ? [[name, value]] : [])));
}

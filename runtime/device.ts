/**
 * Owns the GPU instance, the adapter and the device: brought up once, limits and features read once, loss reported.
 * Refuses to install drivers (set-up does) and to create buffers (memory.ts does).
 *
 * The Vulkan loader reads LD_LIBRARY_PATH when the process starts, so the engine process is started with
 * `driverEnvironment`; VK_DRIVER_FILES is read when Dawn creates its instance and is set here.
 */
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { create, globals } from 'webgpu';
import type { Place } from '../kernels/kernel.ts';
import type { MatrixUnit } from '../kernels/matrix_unit.ts';
import type { KernelFamily, TileFacts } from '../kernels/tiles.ts';
import { chooseDriver, type Driver } from './drivers.ts';
import { InwardError } from './errors.ts';
import type { AdapterFacts, DeviceName, Requirement } from './types.ts';

Object.assign(globalThis, globals);

export interface OpenDevice extends Disposable {
  readonly device: GPUDevice;
  readonly driver: Driver;
  /** Adapter and driver as the driver calls itself. */
  readonly adapter: string;
  /** Lanes of a subgroup, the same for every pipeline; without subgroups, of the workgroups that stand for them. */
  readonly subgroupSize: number;
  /** The device has several subgroup sizes, so pipelines must demand this one. */
  readonly pinsSubgroups: boolean;
  /** Which kernels it takes unless told otherwise: on a GPU those for GPUs. */
  readonly family: KernelFamily;
  /** The matrices that its units multiply, where it has such units; those of int8 besides. */
  readonly matrixUnit: MatrixUnit | undefined;
  readonly int8Unit: MatrixUnit | undefined;
  /** Largest storage binding, in bytes. */
  readonly bindingLimit: number;
  /** Invocations that a workgroup may have; on a CPU device, where one by one waits for the others, those of a subgroup. */
  readonly invocationLimit: number;
  /** Where weights and activations are read fastest: see Place. */
  readonly place: Place;
  /** Largest width and height of a texture. */
  readonly textureLimit: number;
  /** Bytes that buffers may take; Infinity where the device does not say. */
  readonly memoryLimit: number;
  /** Resolves when the device is lost by itself or reports an error that no scope caught. */
  readonly lost: Promise<InwardError>;
}

/** For tests and benches: what a device is taken for, other than it is, and what is wanted of it besides. */
export interface DevicePretence {
  /** Features that are wanted where the device has them. */
  readonly extras?: readonly GPUFeatureName[];
  /** As if it had no subgroups. */
  readonly withoutSubgroups?: boolean;
  /** Largest storage binding, in bytes; below the device's own. */
  readonly bindingLimit?: number;
  /** Bytes that buffers may take in all. */
  readonly memoryLimit?: number;
  readonly family?: KernelFamily;
  readonly matrixUnit?: MatrixUnit | undefined;
  readonly int8Unit?: MatrixUnit | undefined;
}

/** On the device of that name, or by a driver that somebody has chosen. Throws device_missing, device_unfit. */
export async function openDevice(wanted: DeviceName | 'auto' | Driver, pretence: DevicePretence = {}): Promise<OpenDevice> {
  const driver = typeof wanted === 'string' ? chooseDriver(wanted) : wanted;
  process.env['VK_DRIVER_FILES'] = driver.icdFile;
  return openAdapter(create(instanceOptions(driver.name)), driver, pretence);
}

/** What Dawn is created with. Toggles of GPUs alone: f16 on NVIDIA and subgroup matrices are there behind them. */
export function instanceOptions(driver: DeviceName): string[] {
  const toggles = 'enable-dawn-features=allow_unsafe_apis,use_vulkan_memory_model,vulkan_enable_f16_on_nvidia';
  return ['backend=vulkan', ...(driver === 'gpu' ? [toggles] : [])];
}

/** A device that validates and compiles but computes nothing: for tests on machines without any driver. It has subgroup matrices. */
export async function openNullDevice(pretence: DevicePretence = {}): Promise<OpenDevice> {
  const toggles = 'enable-dawn-features=allow_unsafe_apis';
  const driver: Driver = { name: 'swiftshader', reason: 'Dawn null backend', icdFile: '', libraryDirs: [] };
  return openAdapter(create(['backend=null', toggles]), driver, {
    family: 'narrow',
    matrixUnit: { m: 16, n: 16, k: 16, form: 'native', element: 'f16' },
    int8Unit: { m: 16, n: 16, k: 32, form: 'native', element: 'i8' },
    ...pretence,
  });
}

async function openAdapter(gpu: GPU, driver: Driver, pretence: DevicePretence): Promise<OpenDevice> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new InwardError('device_unfit', { feature: 'a Vulkan adapter', expected: driver.name, found: 'none' });
  const unmet = adapterRequirements(adapter).find(({ isMet }) => !isMet);
  if (unmet !== undefined) throw new InwardError('device_unfit', { feature: unmet.name, expected: unmet.needed, found: unmet.found });
  const { lanes, isPinned, isEmulated, family, matrixUnit, int8Unit } = chooseKernels(adapter, pretence);
  const { maxStorageBufferBindingSize, maxBufferSize, maxStorageBuffersPerShaderStage, maxTextureDimension2D } = adapter.limits;
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = adapter.limits;
  const device = await adapter.requestDevice({
    label: 'inward',
    requiredFeatures: [
      ...(isEmulated ? [] : (['subgroups'] as const)),
      ...(isPinned ? [sizeControl] : []),
      ...(matrixUnit?.element === 'f16' ? (['shader-f16'] as const) : []),
      ...([matrixUnit, int8Unit].some((unit) => unit?.form === 'native') ? [matrixFeature] : []),
      ...(pretence.extras ?? []).filter((feature) => adapter.features.has(feature)),
    ],
    requiredLimits: {
      ...{ maxStorageBufferBindingSize, maxBufferSize, maxStorageBuffersPerShaderStage, maxTextureDimension2D },
      ...{ maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX },
    },
  });
  return {
    device,
    driver,
    adapter: nameAdapter(adapter),
    subgroupSize: lanes,
    pinsSubgroups: isPinned,
    family,
    matrixUnit,
    int8Unit,
    bindingLimit: Math.min(pretence.bindingLimit ?? Number.POSITIVE_INFINITY, maxStorageBufferBindingSize),
    invocationLimit: isSoftware(adapter) ? lanes : Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX),
    place: family === 'narrow' && prefersTextures(adapter) ? 'texture' : 'buffer',
    textureLimit: maxTextureDimension2D,
    memoryLimit: pretence.memoryLimit ?? (driver.name === 'gpu' ? Number.POSITIVE_INFINITY : availableMemory()),
    lost: watch(device, gpu),
    [Symbol.dispose]: () => device.destroy(),
  };
}

/** Textures of a kernel at most: weights, input, its norm or what is added to, output. */
const texturesOfKernel = 4;

function prefersTextures({ info, limits }: GPUAdapter): boolean {
  return /llvmpipe/i.test(`${info.device} ${info.description}`) && limits.maxStorageTexturesPerShaderStage >= texturesOfKernel;
}

/** Dawn's extensions, not yet in the types. */
const sizeControl = 'subgroup-size-control' as GPUFeatureName;
const matrixFeature = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;

/** Lanes where there are no subgroups: workgroups as wide as what the device computes side by side. */
const emulatedLanes = { software: 8, hardware: 32 };

/**
 * Kernels are made for one subgroup size: the device's only one, else 32 or what is nearest, where it can be demanded. Without
 * subgroups, or with ones of less than four lanes or of no certain size, lanes exchange values through workgroup memory.
 */
function chooseSubgroups(adapter: GPUAdapter, isWithout = false): { lanes: number; isPinned: boolean; isEmulated: boolean } {
  const { subgroupMinSize: min = 0, subgroupMaxSize: max = 0 } = adapter.info;
  const lanes = Math.min(Math.max(32, min), max);
  const isCertain = min === max || adapter.features.has(sizeControl);
  if (isWithout || !adapter.features.has('subgroups') || lanes < 4 || !isCertain)
    return { lanes: emulatedLanes[isSoftware(adapter) ? 'software' : 'hardware'], isPinned: false, isEmulated: true };
  return { lanes, isPinned: min !== max, isEmulated: false };
}

interface KernelChoice extends TileFacts {
  readonly family: KernelFamily;
  readonly matrixUnit: MatrixUnit | undefined;
  readonly int8Unit: MatrixUnit | undefined;
  readonly isPinned: boolean;
  readonly isEmulated: boolean;
}

/** Narrow kernels for software devices, those for GPUs else; without subgroups the latter everywhere: they exchange values a few times each, narrow ones at every turn of a loop. */
function chooseKernels(adapter: GPUAdapter, pretence: DevicePretence = {}): KernelChoice {
  const subgroups = chooseSubgroups(adapter, pretence.withoutSubgroups);
  const found = isSoftware(adapter) ? {} : findMatrixUnits(adapter);
  const usable = (unit: MatrixUnit | undefined): MatrixUnit | undefined => (subgroups.isEmulated && unit?.form === 'native' ? undefined : unit);
  const matrixUnit = usable(pretence.matrixUnit ?? found.matrixUnit);
  const int8Unit = usable(pretence.int8Unit ?? found.int8Unit);
  const standard = isSoftware(adapter) && !subgroups.isEmulated ? 'narrow' : (matrixUnit ?? int8Unit) === undefined ? 'wide' : 'matrix';
  return { ...subgroups, family: pretence.family ?? standard, matrixUnit, int8Unit };
}

/** Units that multiply f16 and add in f32, and such that multiply int8 and add in i32, in tiles that kernels/matmul_matrix*.wgsl can cut their own into. */
function findMatrixUnits({ features, info }: GPUAdapter): Pick<TileFacts, 'matrixUnit' | 'int8Unit'> {
  const { subgroupMatrixConfigs = [] } = info as GPUAdapterInfo & { subgroupMatrixConfigs?: readonly MatrixConfig[] };
  const configs = features.has(matrixFeature) ? subgroupMatrixConfigs : [];
  const find = (element: 'f16' | 'i8', result: string, depths: readonly number[]): MatrixUnit | undefined => {
    const found = configs.find(({ componentType, resultComponentType, M, N, K }) => {
      const isEven = [M, N].every((side) => side === 8 || side === 16) && depths.includes(K);
      return componentType === element && resultComponentType === result && isEven;
    });
    return found && { m: found.M, n: found.N, k: found.K, form: 'native', element };
  };
  return { matrixUnit: features.has('shader-f16') ? find('f16', 'f32', [8, 16]) : undefined, int8Unit: find('i8', 'i32', [16, 32]) };
}

interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What the kernels rely on; everything else that a device may lack they get by without. WebGPU promises both limits. */
function adapterRequirements(adapter: GPUAdapter): Requirement[] {
  const { maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = adapter.limits;
  const atLeast = (name: string, needed: number, found: number): Requirement => ({ name, needed, found, isMet: found >= needed });
  return [
    atLeast('storage buffers of a kernel', 8, maxStorageBuffersPerShaderStage),
    // Rows of files are repacked from half of that (checkpoint/stage.ts); what may be larger is cut or refused when it is made.
    atLeast('bytes of a binding', 2 ** 24, maxStorageBufferBindingSize),
  ];
}

function nameAdapter({ info }: GPUAdapter): string {
  return [info.device, info.description].filter(Boolean).join(', ');
}

function isSoftware({ info: { architecture, device, description } }: GPUAdapter): boolean {
  return /llvmpipe|swiftshader/i.test(`${architecture} ${device} ${description}`);
}

/** What an adapter is and has, for set-up and `inward doctor`; no device is made of it. */
export function describeAdapter(adapter: GPUAdapter): AdapterFacts {
  const isSoft = isSoftware(adapter);
  const { lanes, family, matrixUnit, int8Unit } = chooseKernels(adapter);
  return {
    adapter: nameAdapter(adapter),
    isSoftware: isSoft,
    requirements: adapterRequirements(adapter),
    subgroupSize: lanes,
    family,
    ...(matrixUnit === undefined ? {} : { matrixUnit }),
    ...(int8Unit === undefined ? {} : { int8Unit }),
    hasF16: adapter.features.has('shader-f16'),
    bindingLimit: adapter.limits.maxStorageBufferBindingSize,
    bufferLimit: adapter.limits.maxBufferSize,
    ...(isSoft ? { memoryLimit: availableMemory() } : {}),
  };
}

/** Holds on to the instance: Dawn's device dies with it. */
function watch(device: GPUDevice, instance: GPU): Promise<InwardError> {
  const { promise, resolve } = Promise.withResolvers<InwardError>();
  device.lost.then((info) => {
    if (info.reason !== 'destroyed') resolve(new InwardError('device_lost', { reason: info.reason ?? 'unknown' }));
    return instance;
  });
  device.addEventListener('uncapturederror', (event) => {
    const kind = event.error instanceof GPUOutOfMemoryError ? 'out of memory' : 'validation error';
    resolve(new InwardError('device_lost', { reason: kind }));
  });
  return promise;
}

/** Bytes that the host, and so a software device, can take: what the machine has free, within the container's limit. */
export function availableMemory(): number {
  const available = Number(/MemAvailable:\s+(\d+) kB/.exec(readText('/proc/meminfo'))?.[1] ?? Number.NaN) * 1024;
  const free = Number.isFinite(available) ? available : freemem();
  const limit = Number(readText('/sys/fs/cgroup/memory.max'));
  const used = Number(readText('/sys/fs/cgroup/memory.current'));
  return limit > 0 && used > 0 ? Math.min(free, limit - used) : free;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

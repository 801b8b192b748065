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
import { chooseDriver, type Driver } from './drivers.ts';
import { InwardError } from './errors.ts';
import type { AdapterFacts, DeviceName, Requirement } from './types.ts';

Object.assign(globalThis, globals);

export interface OpenDevice extends Disposable {
  readonly device: GPUDevice;
  readonly driver: Driver;
  /** Adapter and driver as the driver calls itself. */
  readonly adapter: string;
  /** Lanes of a subgroup, the same for every pipeline. */
  readonly subgroupSize: number;
  /** The device has several subgroup sizes, so pipelines must demand this one. */
  readonly pinsSubgroups: boolean;
  /** Largest storage binding, in bytes. */
  readonly bindingLimit: number;
  /** Where weights and activations are read fastest: see Place. */
  readonly place: Place;
  /** Largest width and height of a texture. */
  readonly textureLimit: number;
  /** Bytes that buffers may take; Infinity where the device does not say. */
  readonly memoryLimit: number;
  /** Resolves when the device is lost by itself or reports an error that no scope caught. */
  readonly lost: Promise<InwardError>;
}

/** `extras`: features that are wanted where the device has them. Throws device_missing, device_unfit. */
export async function openDevice(wanted: DeviceName | 'auto', extras: readonly GPUFeatureName[] = []): Promise<OpenDevice> {
  const driver = chooseDriver(wanted);
  process.env['VK_DRIVER_FILES'] = driver.icdFile;
  return openAdapter(create(['backend=vulkan']), driver, extras);
}

/** A device that validates and compiles but computes nothing: for tests on machines without any driver. */
export async function openNullDevice(): Promise<OpenDevice> {
  return openAdapter(create(['backend=null']), { name: 'swiftshader', reason: 'Dawn null backend', icdFile: '', libraryDirs: [] });
}

async function openAdapter(gpu: GPU, driver: Driver, extras: readonly GPUFeatureName[] = []): Promise<OpenDevice> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new InwardError('device_unfit', { feature: 'a Vulkan adapter', expected: driver.name, found: 'none' });
  const unmet = adapterRequirements(adapter).find(({ isMet }) => !isMet);
  if (unmet !== undefined) throw new InwardError('device_unfit', { feature: unmet.name, expected: unmet.needed, found: unmet.found });
  const { lanes, isPinned } = chooseSubgroups(adapter);
  const { maxStorageBufferBindingSize, maxBufferSize, maxStorageBuffersPerShaderStage, maxTextureDimension2D } = adapter.limits;
  const device = await adapter.requestDevice({
    label: 'inward',
    requiredFeatures: ['subgroups', ...(isPinned ? [sizeControl] : []), ...extras.filter((feature) => adapter.features.has(feature))],
    requiredLimits: { maxStorageBufferBindingSize, maxBufferSize, maxStorageBuffersPerShaderStage, maxTextureDimension2D },
  });
  return {
    device,
    driver,
    adapter: nameAdapter(adapter),
    subgroupSize: lanes,
    pinsSubgroups: isPinned,
    bindingLimit: maxStorageBufferBindingSize,
    place: prefersTextures(adapter) ? 'texture' : 'buffer',
    textureLimit: maxTextureDimension2D,
    memoryLimit: driver.name === 'gpu' ? Number.POSITIVE_INFINITY : availableMemory(),
    lost: watch(device, gpu),
    [Symbol.dispose]: () => device.destroy(),
  };
}

/** Textures of a kernel at most: weights, input, its norm or what is added to, output. */
const texturesOfKernel = 4;

function prefersTextures({ info, limits }: GPUAdapter): boolean {
  return /llvmpipe/i.test(`${info.device} ${info.description}`) && limits.maxStorageTexturesPerShaderStage >= texturesOfKernel;
}

/** Dawn's extension, not yet in the types. */
const sizeControl = 'subgroup-size-control' as GPUFeatureName;

/** Kernels are made for one subgroup size: the device's only one, else 32 or what is nearest, where it can be demanded. */
function chooseSubgroups({ info: { subgroupMinSize: min = 0, subgroupMaxSize: max = 0 } }: GPUAdapter): { lanes: number; isPinned: boolean } {
  return { lanes: Math.min(Math.max(32, min), max), isPinned: min !== max };
}

/** What the kernels rely on. The two limits are what WebGPU promises at least; kernels are made to get by with them. */
function adapterRequirements(adapter: GPUAdapter): Requirement[] {
  const { subgroupMinSize: min = 0, subgroupMaxSize: max = 0 } = adapter.info;
  const { maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = adapter.limits;
  const hasSubgroups = adapter.features.has('subgroups');
  const isFixed = min === max || adapter.features.has(sizeControl);
  const atLeast = (name: string, needed: number, found: number): Requirement => ({ name, needed, found, isMet: found >= needed });
  return [
    { name: 'subgroups', needed: 'subgroup operations', found: hasSubgroups ? 'there' : 'none', isMet: hasSubgroups },
    atLeast('lanes of a subgroup', 4, chooseSubgroups(adapter).lanes),
    { name: 'a fixed subgroup size', needed: 'one size, or one that can be demanded', found: min === max ? `${max}` : `${min} to ${max}`, isMet: isFixed },
    atLeast('storage buffers of a kernel', 8, maxStorageBuffersPerShaderStage),
    atLeast('bytes of a binding', 2 ** 27, maxStorageBufferBindingSize),
  ];
}

function nameAdapter({ info }: GPUAdapter): string {
  return [info.device, info.description].filter(Boolean).join(', ');
}

/** What an adapter is and has, for set-up and `inward doctor`; no device is made of it. */
export function describeAdapter(adapter: GPUAdapter): AdapterFacts {
  const { architecture, device, description } = adapter.info;
  const isSoftware = /llvmpipe|swiftshader/i.test(`${architecture} ${device} ${description}`);
  return {
    adapter: nameAdapter(adapter),
    isSoftware,
    requirements: adapterRequirements(adapter),
    subgroupSize: chooseSubgroups(adapter).lanes,
    hasF16: adapter.features.has('shader-f16'),
    bindingLimit: adapter.limits.maxStorageBufferBindingSize,
    bufferLimit: adapter.limits.maxBufferSize,
    ...(isSoftware ? { memoryLimit: availableMemory() } : {}),
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

/** Bytes that a software device can take: what the machine has free, within the container's limit. */
function availableMemory(): number {
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

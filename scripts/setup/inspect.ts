/**
 * Owns the look at this machine that `inward doctor` reports on: system, drivers with what their adapters have, the
 * cache folder. Refuses to install, fetch or change anything.
 */
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { cacheFolder, findDrivers, hasHardware } from '../../runtime/drivers.ts';
import type { AdapterFacts, DeviceName } from '../../runtime/types.ts';
import { nodeMajor } from '../node.mjs';
import { machineProblem } from '../setup.mjs';
import { folderSize } from './command.ts';
import { defaultModel } from './model.ts';
import { probeDriver } from './probe.ts';

export interface CacheEntry {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** A driver that is here; without facts its adapter could not be opened. */
export interface InspectedDriver {
  readonly name: DeviceName;
  readonly reason: string;
  readonly file: string;
  readonly facts?: AdapterFacts;
}

export interface Inspection {
  readonly system: {
    readonly platform: string;
    readonly architecture: string;
    /** Why Inward cannot run on this system at all. */
    readonly problem?: string;
    readonly node: string;
    /** Oldest major version of Node that will do. */
    readonly nodeNeeded: number;
    readonly processor: string;
    /** Cores that this process may use. */
    readonly cores: number;
    /** Bytes; within the limits of the container, if there is one. */
    readonly memoryFree: number;
    readonly memoryTotal: number;
  };
  /** In the order in which `auto` tries them. */
  readonly drivers: readonly InspectedDriver[];
  /** The driver of a GPU is here, a Vulkan loader for it is not. */
  readonly lacksLoader: boolean;
  readonly cache: { readonly folder: string; readonly models: readonly CacheEntry[]; readonly devices: readonly CacheEntry[] };
  readonly defaultModel: { readonly path: string; readonly sha256: string; readonly size: number; readonly isThere: boolean };
}

/** What is here now. Each driver is opened in a process of its own, which takes up to a second. */
export async function inspectMachine(): Promise<Inspection> {
  const drivers: InspectedDriver[] = [];
  for (const driver of findDrivers()) {
    const facts = await probeDriver(driver);
    drivers.push({ name: driver.name, reason: driver.reason, file: driver.icdFile, ...(facts && { facts }) });
  }
  const folder = cacheFolder();
  const path = join(folder, 'models', defaultModel.file);
  return {
    system: inspectSystem(),
    drivers,
    lacksLoader: hasHardware() && !drivers.some(({ name }) => name === 'gpu'),
    cache: { folder, models: listEntries(join(folder, 'models')).filter(({ name }) => name.endsWith('.gguf')), devices: listEntries(join(folder, 'devices')) },
    // The hash is looked at when it is loaded.
    defaultModel: {
      path,
      sha256: defaultModel.sha256,
      size: defaultModel.size,
      isThere: statSync(path, { throwIfNoEntry: false })?.size === defaultModel.size,
    },
  };
}

function inspectSystem(): Inspection['system'] {
  const problem = machineProblem();
  const limit = process.constrainedMemory();
  return {
    platform: process.platform,
    architecture: process.arch,
    ...(problem && { problem }),
    node: process.versions.node,
    nodeNeeded: nodeMajor,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryFree: process.availableMemory(),
    memoryTotal: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
  };
}

/** Names and sizes in a folder; nothing if it is not there. */
function listEntries(folder: string): CacheEntry[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !/\.\d+\.tmp$/.test(name))
      .map((entry) => {
        const path = join(folder, entry.name);
        return { name: entry.name, size: entry.isDirectory() ? folderSize(path) : statSync(path).size };
      });
  } catch {
    return [];
  }
}

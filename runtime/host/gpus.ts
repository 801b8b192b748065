/**
 * Owns which GPUs are in the machine, and how each stage gets one of its own: its process may open the nodes of that one alone, and when it is open
 * it is looked at, which it has. Refuses two stages on one GPU. Looks at files only. Dawn chooses among adapters by name, and equal GPUs have equal names.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Driver, Machine } from '../drivers.ts';
import { vendorOf } from '../drivers.ts';
import { InwardError } from '../errors.ts';

/** Nodes that lead to this GPU and to no other, by their names in /dev. */
export interface Gpu {
  readonly nodes: readonly string[];
}

/** What the driver needs whichever GPU it is. */
const sharedNodes = /^(?:nvidiactl|nvidia-modeset|nvidia-uvm|nvidia-uvm-tools|nvidia-caps)$/;
/** What names a GPU among those that a process has open. */
const ownNode = /^\/dev\/(?:nvidia\d+|dri\/renderD\d+)$/;

/** The GPUs of the driver's maker, in the order of their nodes. */
export function findGpus(driver: Driver, { root = '/' }: Machine = {}): Gpu[] {
  const { vendor, isNvidia } = vendorOf(driver);
  const drawn = listDrawn(root).filter((gpu) => gpu.vendor === vendor);
  if (!isNvidia) return drawn.map(({ nodes }) => ({ nodes }));
  const minors = listFolder(join(root, 'dev')).filter((name) => /^nvidia\d+$/.test(name));
  const places = new Map(listFolder(join(root, 'proc/driver/nvidia/gpus')).map((place) => [minorOf(root, place), place]));
  return minors
    .sort((a, b) => numberOf(a) - numberOf(b))
    .map((name) => ({ nodes: [name, ...(drawn.find(({ place }) => place === places.get(numberOf(name)))?.nodes ?? [])] }));
}

/** The nodes that each of so many stages may open, as paths. Throws gpus_missing. */
export function chooseGpus(gpus: readonly Gpu[], count: number, { root = '/' }: Machine = {}): string[][] {
  if (gpus.length < count) throw new InwardError('gpus_missing', { wanted: count, found: gpus.length });
  const shared = listFolder(join(root, 'dev')).filter((name) => sharedNodes.test(name));
  return gpus.slice(0, count).map(({ nodes }) => [...shared, ...nodes].map((name) => join('/dev', name)));
}

/** A stage that is open. */
export interface StageDevice {
  readonly isSoftware: boolean;
  /** Of GPUs, that its process has open; undefined: it could not be looked at. */
  readonly nodes: readonly string[] | undefined;
}

/** Throws gpu_shared unless each stage on a GPU has a node that no other has. */
export function demandOwnGpus(stages: readonly StageDevice[]): void {
  const taken = new Set<string>();
  for (const [index, { isSoftware, nodes }] of stages.entries()) {
    if (isSoftware) continue;
    const again = nodes?.find((node) => taken.has(node));
    const found = nodes === undefined || nodes.length === 0 ? 'none' : again;
    if (found !== undefined) throw new InwardError('gpu_shared', { stage: index + 1, found });
    for (const node of nodes ?? []) taken.add(node);
  }
}

/** The nodes of GPUs that a process has open. */
export function openNodes(pid: number | undefined, root = '/'): string[] | undefined {
  const folder = join(root, 'proc', String(pid), 'fd');
  try {
    const links = readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(join(folder, name))];
      } catch {
        return []; // closed meanwhile
      }
    });
    return [...new Set(links.filter((link) => ownNode.test(link)))].sort();
  } catch {
    return undefined;
  }
}

/** GPUs with a node of the kernel's graphics part: its nodes, place on the bus and maker. */
function listDrawn(root: string): { readonly nodes: string[]; readonly place: string; readonly vendor: string }[] {
  const names = listFolder(join(root, 'dev/dri'));
  const deviceOf = (name: string): string => join(root, 'sys/class/drm', name, 'device');
  const found = names.map((name) => ({ name, place: placeOf(deviceOf(name)), vendor: readText(join(deviceOf(name), 'vendor')) }));
  return found
    .filter(({ name }) => name.startsWith('renderD'))
    .sort((a, b) => numberOf(a.name) - numberOf(b.name))
    .map(({ place, vendor }) => ({ place, vendor, nodes: found.filter((other) => other.place === place).map(({ name }) => `dri/${name}`) }));
}

function minorOf(root: string, place: string): number {
  return Number(/Device Minor:\s+(\d+)/.exec(readText(join(root, 'proc/driver/nvidia/gpus', place, 'information')))?.[1] ?? Number.NaN);
}

const numberOf = (name: string): number => Number(/\d+$/.exec(name)?.[0] ?? Number.NaN);

function placeOf(path: string): string {
  try {
    return basename(realpathSync(path));
  } catch {
    return '';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

/**
 * Owns the question who else is on a GPU: other processes that compute there or hold it open, counted. Refuses to keep
 * anything else about them: names and command lines may hold whatever their owners wrote. What it cannot tell apart counts as computing.
 */
import { SiteError } from '../errors.ts';
import { readNvidia } from './host.ts';
import { type DeviceIdentity, deviceForms } from './manifest.ts';
import { createTree, type Tree } from './tree.ts';

export interface Neighbours {
  /** Processes that compute or draw on the GPU, or may. */
  readonly compute: number;
  /** Processes that have it open and have not used it: a session manager, a monitor of its temperature. */
  readonly holders: number;
  /** Processes of other users, whose open files this one may not see. */
  readonly unseen: number;
}

export type SharedGpuPolicy = 'refuse' | 'record';

const processLimit = 2 ** 17;
const fileLimit = 2 ** 16;
const statLimit = 4096;
const infoLimit = 2 ** 16;
const mapsLimit = 2 ** 22;
/** Drivers whose fdinfo has a line for each engine that was used, and nvidia-drm, on whose nodes nothing can be computed. */
const tellingDrivers = ['amdgpu', 'i915', 'xe', 'nvidia-drm'];

/** Who is on these GPUs besides this process and its children. Software devices have none. Throws SiteError. */
export function countNeighbours(devices: readonly DeviceIdentity[], root = '/', self: number = process.pid): Neighbours {
  const gpus = devices.filter(({ address }) => deviceForms.address.test(address));
  if (gpus.length === 0) return { compute: 0, holders: 0, unseen: 0 };
  const tree = createTree(root);
  const names = tree.list('proc', processLimit);
  if (typeof names === 'string')
    throw new SiteError('The processes of this host cannot be read: expected them in /proc; mount it, for the check who shares the GPU.');
  const processes = names.filter((name) => /^[1-9]\d{0,9}$/.test(name)).map((name) => readProcess(tree, Number(name)));
  const own = findFamily(processes, self);
  const nodes = findNodes(tree, gpus);
  const compute = new Set(findKfdProcesses(tree, gpus).filter((pid) => !own.has(pid)));
  let holders = 0;
  let unseen = 0;
  for (const { pid, isThread } of processes) {
    if (isThread || own.has(pid) || compute.has(pid)) continue;
    const use = judgeProcess(tree, pid, nodes);
    if (use === 'compute') compute.add(pid);
    else if (use === 'holder') holders++;
    else if (use === 'unseen') unseen++;
  }
  return { compute: compute.size, holders, unseen };
}

/**
 * Why a server may not start beside these, or nothing. Those that cannot be seen refuse nothing: beside a server that is
 * not root there always are some.
 */
export function judgeNeighbours({ compute }: Neighbours, policy: SharedGpuPolicy): string | undefined {
  if (policy === 'record' || compute === 0) return undefined;
  const found = compute === 1 ? 'one uses it' : `${compute} use it`;
  return `The GPU is shared: expected no other process on it, found that ${found}; end what does, or have it recorded only (sharedGpu record).`;
}

interface Process {
  readonly pid: number;
  readonly parent?: number;
  /** Of the kernel; it has no files. */
  readonly isThread: boolean;
}

const kernelThread = 0x0020_0000;

function readProcess(tree: Tree, pid: number): Process {
  const text = tree.text(`proc/${pid}/stat`, statLimit) ?? '';
  // The name before it may hold blanks and brackets. Then: state, parent, group, session, terminal, its group, flags.
  const [, parent, , , , , flags] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (!/^\d{1,10}$/.test(parent ?? '') || !/^\d{1,10}$/.test(flags ?? '')) return { pid, isThread: false };
  return { pid, parent: Number(parent), isThread: (Number(flags) & kernelThread) !== 0 };
}

/** A process and all that came from it. */
function findFamily(processes: readonly Process[], self: number): ReadonlySet<number> {
  const family = new Set([self]);
  for (let size = 0; size < family.size; ) {
    size = family.size;
    for (const { pid, parent } of processes) if (parent !== undefined && family.has(parent)) family.add(pid);
  }
  return family;
}

/** Which nodes in /dev are of the GPUs in question. */
interface Nodes {
  readonly addresses: ReadonlySet<string>;
  /** Numbers of /dev/nvidiaN; undefined: one of them is not known, so each may be ours. */
  readonly minors: readonly (number | undefined)[];
}

function findNodes(tree: Tree, gpus: readonly DeviceIdentity[]): Nodes {
  const minors = gpus.filter(({ vendor }) => vendor === '10de').map(({ address }) => readNvidia(tree, address).minor);
  return { addresses: new Set(gpus.map(({ address }) => address)), minors };
}

type Use = 'compute' | 'holder' | 'unseen' | undefined;

function judgeProcess(tree: Tree, pid: number, nodes: Nodes): Use {
  const files = tree.list(`proc/${pid}/fd`, fileLimit);
  if (files === 'absent') return undefined;
  if (files === 'closed') return 'unseen';
  const links = files.map((file) => ({ file, link: tree.link(`proc/${pid}/fd/${file}`) ?? '' }));
  const uses = links.map(({ file, link }) => judgeRenderFile(tree, `proc/${pid}/fdinfo/${file}`, link, nodes));
  if (links.some(({ link }) => isOurNvidia(link, nodes))) {
    uses.push(links.some(({ link }) => link === '/dev/nvidia-uvm') || mapsNvidia(tree, pid) ? 'compute' : 'holder');
  }
  return uses.includes('compute') ? 'compute' : uses.find((use) => use !== undefined);
}

function isOurNvidia(link: string, { minors }: Nodes): boolean {
  const [, minor] = /^\/dev\/nvidia(\d{1,3})$/.exec(link) ?? [];
  return minor !== undefined && (minors.includes(Number(minor)) || minors.includes(undefined));
}

/** Work is handed to NVIDIA's GPUs through mapped memory of their nodes; who only asks for their state maps none. */
function mapsNvidia(tree: Tree, pid: number): boolean {
  const maps = tree.text(`proc/${pid}/maps`, mapsLimit);
  return maps === undefined || / \/dev\/nvidia/.test(maps);
}

/** By the kernel's common lines about clients of a GPU. */
function judgeRenderFile(tree: Tree, infoPath: string, link: string, nodes: Nodes): Use {
  const [, node] = /^\/dev\/dri\/((?:renderD|card)\d{1,4})$/.exec(link) ?? [];
  if (node === undefined) return undefined;
  const info = tree.text(infoPath, infoLimit) ?? '';
  const address = /^drm-pdev:\s*(\S+)$/m.exec(info)?.[1] ?? tree.target(`sys/class/drm/${node}/device`);
  if (address !== undefined && !nodes.addresses.has(address)) return undefined;
  const engines = [...info.matchAll(/^drm-(?:engine|cycles)-(?!capacity-)[\w-]+:\s*(\d+)/gm)];
  const isTelling = tellingDrivers.includes(/^drm-driver:\s*(\S+)$/m.exec(info)?.[1] ?? '');
  return isTelling && engines.every(([, used]) => Number(used) === 0) ? 'holder' : 'compute';
}

const kfdFolder = 'sys/class/kfd/kfd';

/** Processes that AMD's compute driver has memory or queues for on one of these GPUs. Theirs are ids of the whole system. */
function findKfdProcesses(tree: Tree, gpus: readonly DeviceIdentity[]): number[] {
  if (!gpus.some(({ vendor }) => vendor === '1002')) return [];
  const names = tree.list(`${kfdFolder}/proc`, processLimit);
  if (names === 'absent') return [];
  if (names === 'closed') throw new SiteError(`The processes on AMD's GPUs cannot be read: expected a folder in /${kfdFolder}/proc; let this user read it.`);
  const others = findOtherKfdIds(tree, gpus);
  return names.filter((name) => /^[1-9]\d{0,9}$/.test(name) && usesOurs(tree, `${kfdFolder}/proc/${name}`, others)).map(Number);
}

/** Ids that the compute driver has for GPUs that are not in question. */
function findOtherKfdIds(tree: Tree, gpus: readonly DeviceIdentity[]): ReadonlySet<string> {
  const folder = `${kfdFolder}/topology/nodes`;
  const nodes = tree.list(folder, processLimit);
  if (typeof nodes === 'string') return new Set();
  const ids = nodes.flatMap((node) => {
    const id = tree.text(`${folder}/${node}/gpu_id`, statLimit)?.trim();
    const address = readKfdAddress(tree.text(`${folder}/${node}/properties`, statLimit) ?? '');
    return id === undefined || address === undefined || gpus.some((gpu) => gpu.address === address) ? [] : [id];
  });
  return new Set(ids);
}

/** `location_id` is bus, device and function in 16 bits. */
function readKfdAddress(properties: string): string | undefined {
  const field = (name: string): number => Number(new RegExp(`^${name} (\\d{1,10})$`, 'm').exec(properties)?.[1] ?? Number.NaN);
  const [domain, location] = [field('domain'), field('location_id')];
  if (Number.isNaN(domain) || Number.isNaN(location)) return undefined;
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex((location >> 8) & 0xff, 2)}:${hex((location >> 3) & 0x1f, 2)}.${location & 7}`;
}

/** Unless all that the process has is known to be elsewhere. */
function usesOurs(tree: Tree, folder: string, others: ReadonlySet<string>): boolean {
  const names = tree.list(folder, fileLimit);
  const queues = tree.list(`${folder}/queues`, fileLimit);
  if (typeof names === 'string' || queues === 'closed') return names !== 'absent';
  const memory = names.flatMap((name) => {
    const [, id] = /^vram_(\d+)$/.exec(name) ?? [];
    return id === undefined || tree.text(`${folder}/${name}`, statLimit)?.trim() === '0' ? [] : [id];
  });
  const ids = [...memory, ...(queues === 'absent' ? [] : queues.map((queue) => tree.text(`${folder}/queues/${queue}/gpuid`, statLimit)?.trim() ?? ''))];
  return ids.length === 0 || ids.some((id) => !others.has(id));
}

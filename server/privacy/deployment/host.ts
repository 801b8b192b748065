/**
 * Owns the facts of this host that a manifest names: the machine, as a hash of its id, and its display and compute devices.
 * Reads small files of the kernel only. Refuses a system whose facts it does not know how to read.
 */
import { createHash } from 'node:crypto';
import { SiteError } from '../errors.ts';
import { forms } from '../words.ts';
import { type DeviceIdentity, deviceForms, deviceLimit } from './manifest.ts';
import { createTree, type Tree } from './tree.ts';

export interface HostFacts {
  /**
   * What a manifest may call this host, the strongest first: with the id of its firmware, which often only root may read, and
   * without. A manifest that was made without it stays good for a reader who may.
   */
  readonly hosts: readonly string[];
  /** What the strongest of them has; the id of a machine goes with every copy of its disk. */
  readonly knownBy: 'firmware' | 'machine-id';
  /** By address. */
  readonly devices: readonly DeviceIdentity[];
}

/** Bytes of a small file. */
const textLimit = 4096;
const pciFolder = 'sys/bus/pci/devices';
const pciLimit = 4096;
const vendors = { nvidia: '10de', amd: '1002' };

/** Throws SiteError. `root` is the top of the file system that describes the host. */
export function readHost(root = '/', platform: NodeJS.Platform = process.platform): HostFacts {
  if (platform !== 'linux') {
    throw new SiteError(`The facts of this host cannot be read on this system (${platform}): a server for PHI needs a deployment manifest, and so Linux.`);
  }
  const tree = createTree(root);
  return { ...readHostIds(tree), devices: readDevices(tree) };
}

function readHostIds(tree: Tree): Pick<HostFacts, 'hosts' | 'knownBy'> {
  const machine = ['etc/machine-id', 'var/lib/dbus/machine-id'].map((path) => readLine(tree, path)).find((line) => /^[0-9a-f]{32}$/.test(line ?? ''));
  const firmware = readLine(tree, 'sys/class/dmi/id/product_uuid')?.toLowerCase();
  const hasFirmware = forms.uuid.test(firmware ?? '');
  if (machine === undefined && !hasFirmware) {
    throw new SiteError(
      'This host cannot be told from others: expected its id in /etc/machine-id, found none; run systemd-machine-id-setup, or give the container the file of its host.',
    );
  }
  const hosts = [...(hasFirmware ? [hashHost(machine, firmware)] : []), ...(machine === undefined ? [] : [hashHost(machine)])];
  return { hosts, knownBy: hasFirmware ? 'firmware' : 'machine-id' };
}

function hashHost(machine = 'none', firmware = 'none'): string {
  return createHash('sha256').update(`inward.host.v1\nmachine ${machine}\nfirmware ${firmware}\n`).digest('hex');
}

/** Display controllers (class 03) and processing accelerators (class 12). */
function readDevices(tree: Tree): readonly DeviceIdentity[] {
  const names = tree.list(pciFolder, pciLimit);
  if (names === 'absent') return [];
  if (names === 'closed') throw unreadable(pciFolder, `a folder of at most ${pciLimit} devices`);
  const devices = names.filter((address) => isComputeDevice(tree, address)).map((address) => readDevice(tree, address));
  if (devices.length > deviceLimit) throw unreadable(pciFolder, `at most ${deviceLimit} display and compute devices`);
  return devices;
}

function isComputeDevice(tree: Tree, address: string): boolean {
  if (!deviceForms.address.test(address)) throw unreadable(pciFolder, 'devices named by their PCI address');
  return /^(?:03|12)/.test(readHexadecimal(tree, `${pciFolder}/${address}/class`, 6));
}

function readDevice(tree: Tree, address: string): DeviceIdentity {
  const folder = `${pciFolder}/${address}`;
  const [vendor, model] = [readHexadecimal(tree, `${folder}/vendor`, 4), readHexadecimal(tree, `${folder}/device`, 4)];
  const serial = vendor === vendors.nvidia ? readNvidia(tree, address).uuid : vendor === vendors.amd ? readUniqueId(tree, `${folder}/unique_id`) : undefined;
  return { address, vendor, model, ...(serial !== undefined && { serial }) };
}

/** What NVIDIA's driver tells about a GPU; nothing under another driver. Throws SiteError. */
export function readNvidia(tree: Tree, address: string): { readonly uuid?: string; readonly minor?: number } {
  const path = `proc/driver/nvidia/gpus/${address}/information`;
  const text = tree.text(path, textLimit);
  if (text === undefined) return {};
  const field = (name: string): string | undefined => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(text)?.[1];
  const [uuid, minor] = [field('GPU UUID'), field('Device Minor')];
  // Question marks stand there until the GPU has been used since the driver was loaded.
  const isUnknown = uuid === undefined || /^GPU-[?-]+$/.test(uuid);
  if (!isUnknown && !deviceForms.uuid.test(uuid)) throw unreadable(path, 'a UUID of a GPU');
  return { ...(!isUnknown && { uuid }), ...(/^\d{1,3}$/.test(minor ?? '') && { minor: Number(minor) }) };
}

/** Only some of AMD's GPUs have one. */
function readUniqueId(tree: Tree, path: string): string | undefined {
  const line = readLine(tree, path);
  if (line === undefined || /^0*$/.test(line)) return undefined;
  if (!deviceForms.uniqueId.test(line)) throw unreadable(path, 'a number of 16 hexadecimal digits');
  return line;
}

function readHexadecimal(tree: Tree, path: string, digits: number): string {
  const [, found] = /^0x([0-9a-f]+)$/.exec(readLine(tree, path) ?? '') ?? [];
  if (found?.length !== digits) throw unreadable(path, `a number of ${digits} hexadecimal digits`);
  return found;
}

function readLine(tree: Tree, path: string): string | undefined {
  return tree.text(path, textLimit)?.replace(/\n$/, '');
}

/** Only our own paths and the addresses of devices are in it. */
function unreadable(path: string, expected: string): SiteError {
  return new SiteError(`The devices of this host cannot be read: expected ${expected} in /${path}, found something else; let this user read it.`);
}

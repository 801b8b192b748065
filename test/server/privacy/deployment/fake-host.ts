/**
 * Owns a made-up host for tests: /sys, /proc and /etc in a temporary folder, in the forms that Linux 6 and the drivers give them.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const machineId = 'd4f5a0c9b1e84b6f9a3c2e7d80516f43';
export const productUuid = '4C4C4544-0042-3510-8051-B7C04F4E4B32';
export const gpuUuid = 'GPU-9f8a2c1d-3e4b-5a6c-7d8e-9f0a1b2c3d4e';

export interface FakePciDevice {
  readonly class: string;
  readonly vendor: string;
  readonly device: string;
  readonly uniqueId?: string;
}

export interface FakeFile {
  /** Where the link in /proc/PID/fd leads. */
  readonly link: string;
  readonly info?: string;
}

export interface FakeProcess {
  readonly parent?: number;
  readonly name?: string;
  readonly flags?: number;
  readonly files?: readonly FakeFile[];
  readonly maps?: string;
}

export const nvidiaGpu: FakePciDevice = { class: '0x030200', vendor: '0x10de', device: '0x2330' };
export const amdGpu: FakePciDevice = { class: '0x038000', vendor: '0x1002', device: '0x74a1', uniqueId: 'a1b2c3d4e5f60718' };
export const intelGpu: FakePciDevice = { class: '0x030000', vendor: '0x8086', device: '0x56c0' };
export const networkCard: FakePciDevice = { class: '0x020000', vendor: '0x8086', device: '0x1521' };

export class FakeHost implements Disposable {
  readonly root: string = mkdtempSync(join(tmpdir(), 'inward-host-'));

  constructor() {
    this.write('etc/machine-id', `${machineId}\n`);
    this.write('sys/class/dmi/id/product_uuid', `${productUuid}\n`);
    mkdirSync(join(this.root, 'sys/bus/pci/devices'), { recursive: true });
    this.write('proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), content);
  }

  link(path: string, target: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    symlinkSync(target, join(this.root, path));
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true });
  }

  replaceByFolder(path: string): void {
    this.remove(path);
    mkdirSync(join(this.root, path));
  }

  addPci(address: string, device: FakePciDevice): void {
    const folder = `sys/devices/pci0000:00/${address}`;
    this.write(`${folder}/class`, `${device.class}\n`);
    this.write(`${folder}/vendor`, `${device.vendor}\n`);
    this.write(`${folder}/device`, `${device.device}\n`);
    if (device.uniqueId !== undefined) this.write(`${folder}/unique_id`, `${device.uniqueId}\n`);
    this.link(`sys/bus/pci/devices/${address}`, `../../../devices/pci0000:00/${address}`);
  }

  /** The file that NVIDIA's driver keeps for a GPU. */
  addNvidia(address: string, minor: number, uuid: string = gpuUuid): void {
    const lines = [
      'Model: \t\t NVIDIA H100 80GB HBM3',
      'IRQ:   \t\t 178',
      `GPU UUID: \t ${uuid}`,
      'Video BIOS: \t 96.00.99.00.01',
      'Bus Type: \t PCIe',
      'DMA Size: \t 52 bits',
      'DMA Mask: \t 0xfffffffffffff',
      `Bus Location: \t ${address}`,
      `Device Minor: \t ${minor}`,
      'GPU Firmware: \t 570.86.15',
      'GPU Excluded:\t No',
    ];
    this.write(`proc/driver/nvidia/gpus/${address}/information`, `${lines.join('\n')}\n`);
  }

  /** A render node of a PCI device. */
  addNode(node: string, address: string): void {
    const folder = `sys/devices/pci0000:00/${address}/drm/${node}`;
    this.write(`${folder}/dev`, '226:128\n');
    this.link(`${folder}/device`, `../../../${address}`);
    this.link(`sys/class/drm/${node}`, `../../devices/pci0000:00/${address}/drm/${node}`);
  }

  addProcess(pid: number, { parent = 1, name = 'some program', flags = 0x0040_0100, files = [], maps }: FakeProcess = {}): void {
    this.write(`proc/${pid}/stat`, `${pid} (${name}) S ${parent} ${pid} ${pid} 0 -1 ${flags} 1201 0 3 0 12 4 0 0 20 0 1 0 5012 170160128 3312\n`);
    mkdirSync(join(this.root, `proc/${pid}/fd`), { recursive: true });
    this.link(`proc/${pid}/fd/0`, '/dev/null');
    this.write(`proc/${pid}/fdinfo/0`, 'pos:\t0\nflags:\t0100002\nmnt_id:\t26\nino:\t5\n');
    for (const [index, { link, info }] of files.entries()) {
      this.link(`proc/${pid}/fd/${index + 3}`, link);
      if (info !== undefined) this.write(`proc/${pid}/fdinfo/${index + 3}`, info);
    }
    if (maps !== undefined) this.write(`proc/${pid}/maps`, maps);
  }

  /** A GPU as AMD's compute driver lists it. `location`: bus, device and function in 16 bits. */
  addKfdNode(node: number, id: number, location: number): void {
    const folder = `sys/devices/virtual/kfd/kfd/topology/nodes/${node}`;
    this.write(`${folder}/gpu_id`, `${id}\n`);
    this.write(`${folder}/properties`, `cpu_cores_count 0\nsimd_count 304\nvendor_id 4098\ndevice_id 29857\nlocation_id ${location}\ndomain 0\n`);
    this.#linkKfd();
  }

  addKfdProcess(pid: number, memory: Readonly<Record<number, number>>, queues: readonly number[] = []): void {
    const folder = `sys/devices/virtual/kfd/kfd/proc/${pid}`;
    this.write(`${folder}/pasid`, '32770\n');
    for (const [id, size] of Object.entries(memory)) this.write(`${folder}/vram_${id}`, `${size}\n`);
    mkdirSync(join(this.root, folder, 'queues'), { recursive: true });
    for (const [index, id] of queues.entries()) this.write(`${folder}/queues/${index}/gpuid`, `${id}\n`);
    this.#linkKfd();
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #hasKfd = false;

  #linkKfd(): void {
    if (!this.#hasKfd) this.link('sys/class/kfd/kfd', '../../devices/virtual/kfd/kfd');
    this.#hasKfd = true;
  }
}

/** What the kernel tells about a client of a GPU; `lines` are those of its driver. */
export function fdinfo(driver: string, address: string, ...lines: readonly string[]): string {
  return [
    'pos:\t0',
    'flags:\t02100002',
    'mnt_id:\t26',
    'ino:\t521',
    `drm-driver:\t${driver}`,
    'drm-client-id:\t41',
    `drm-pdev:\t${address}`,
    ...lines,
    '',
  ].join('\n');
}

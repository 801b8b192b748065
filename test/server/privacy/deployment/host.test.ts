/** Facts of a host, read from made-up trees in the forms of Linux and its drivers. */
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readHost } from '../../../../server/privacy/deployment/host.ts';
import { countNeighbours } from '../../../../server/privacy/deployment/neighbours.ts';
import { SiteError } from '../../../../server/privacy/errors.ts';
import { amdGpu, FakeHost, fdinfo, gpuUuid, intelGpu, machineId, networkCard, nvidiaGpu, productUuid } from './fake-host.ts';

const hash = (machine: string, firmware: string): string =>
  createHash('sha256').update(`inward.host.v1\nmachine ${machine}\nfirmware ${firmware}\n`).digest('hex');
const read = (host: FakeHost): ReturnType<typeof readHost> => readHost(host.root, 'linux');

test('a host is named by a hash of its ids, with the one of the firmware and without', () => {
  using host = new FakeHost();
  const [strong, weak] = [hash(machineId, productUuid.toLowerCase()), hash(machineId, 'none')];
  expect(read(host).hosts).toEqual([strong, weak]);
  host.remove('sys/class/dmi');
  expect(read(host).hosts).toEqual([weak]);
  expect(JSON.stringify(read(host))).not.toContain(machineId);
});

test('the id may be where D-Bus keeps it, or in the firmware alone', () => {
  using host = new FakeHost();
  host.remove('sys/class/dmi');
  host.write('etc/machine-id', 'uninitialized\n');
  host.write('var/lib/dbus/machine-id', `${machineId}\n`);
  expect(read(host).hosts).toEqual([hash(machineId, 'none')]);
  host.remove('var');
  host.write('sys/class/dmi/id/product_uuid', `${productUuid}\n`);
  expect(read(host).hosts).toEqual([hash('none', productUuid.toLowerCase())]);
});

test.each([
  ['nothing there', (host: FakeHost) => host.remove('etc')],
  ['an empty file, as in images of containers', (host: FakeHost) => host.write('etc/machine-id', '')],
  ['another form', (host: FakeHost) => host.write('etc/machine-id', machineId.toUpperCase())],
  ['two lines', (host: FakeHost) => host.write('etc/machine-id', `${machineId}\n${machineId}\n`)],
  ['a folder', (host: FakeHost) => host.replaceByFolder('etc/machine-id')],
  ['a huge file', (host: FakeHost) => host.write('etc/machine-id', machineId.repeat(4096))],
])('without any id a host is refused: %s', (_, breakIt) => {
  using host = new FakeHost();
  host.write('sys/class/dmi/id/product_uuid', 'Not Settable\n');
  breakIt(host);
  expect(() => read(host)).toThrow(
    new SiteError(
      'This host cannot be told from others: expected its id in /etc/machine-id, found none; run systemd-machine-id-setup, or give the container the file of its host.',
    ),
  );
});

test('a link is followed within the tree and never out of it', () => {
  using host = new FakeHost();
  host.remove('sys/class/dmi');
  host.remove('etc/machine-id');
  host.write('persistent/machine-id', `${machineId}\n`);
  host.link('etc/machine-id', '../persistent/machine-id');
  expect(read(host).hosts).toEqual([hash(machineId, 'none')]);
  using other = new FakeHost();
  host.remove('etc/machine-id');
  host.link('etc/machine-id', join(other.root, 'etc/machine-id'));
  expect(() => read(host)).toThrow(SiteError);
});

test('other systems are refused', () => {
  using host = new FakeHost();
  for (const platform of ['darwin', 'win32'] as const) {
    expect(() => readHost(host.root, platform)).toThrow(`cannot be read on this system (${platform})`);
  }
});

test('a host without devices has none', () => {
  using host = new FakeHost();
  host.addPci('0000:00:1f.6', networkCard);
  expect(read(host).devices).toEqual([]);
  host.remove('sys/bus');
  expect(read(host).devices).toEqual([]);
});

test('display and compute devices of every maker, by address', () => {
  using host = new FakeHost();
  host.addPci('0000:c1:00.0', nvidiaGpu);
  host.addNvidia('0000:c1:00.0', 0);
  host.addPci('0000:03:00.0', amdGpu);
  host.addPci('0000:00:02.0', intelGpu);
  host.addPci('0000:00:1f.6', networkCard);
  host.addPci('10000:e1:00.0', { class: '0x120000', vendor: '0x1da3', device: '0x1020' });
  expect(read(host).devices).toEqual([
    { address: '0000:00:02.0', vendor: '8086', model: '56c0' },
    { address: '0000:03:00.0', vendor: '1002', model: '74a1', serial: 'a1b2c3d4e5f60718' },
    { address: '0000:c1:00.0', vendor: '10de', model: '2330', serial: gpuUuid },
    { address: '10000:e1:00.0', vendor: '1da3', model: '1020' },
  ]);
});

test('a serial that the driver does not give is left out', () => {
  using host = new FakeHost();
  host.addPci('0000:c1:00.0', nvidiaGpu);
  host.addPci('0000:03:00.0', { ...amdGpu, uniqueId: '0000000000000000' });
  const bare = [
    { address: '0000:03:00.0', vendor: '1002', model: '74a1' },
    { address: '0000:c1:00.0', vendor: '10de', model: '2330' },
  ];
  expect(read(host).devices).toEqual(bare);
  host.addNvidia('0000:c1:00.0', 0, 'GPU-????????-????-????-????-????????????');
  expect(read(host).devices).toEqual(bare);
});

test.each([
  ['sys/bus/pci/devices/0000:c1:00.0/class', '0x03020\n'],
  ['sys/bus/pci/devices/0000:c1:00.0/vendor', '0x10DE\n'],
  ['sys/bus/pci/devices/0000:c1:00.0/device', '2330\n'],
  ['proc/driver/nvidia/gpus/0000:c1:00.0/information', 'GPU UUID: \t something free\n'],
  ['sys/bus/pci/devices/0000:03:00.0/unique_id', 'a1b2\n'],
])('another form than the system has is refused: %s', (path, text) => {
  using host = new FakeHost();
  host.addPci('0000:c1:00.0', nvidiaGpu);
  host.addPci('0000:03:00.0', amdGpu);
  host.write(path, text);
  expect(() => read(host)).toThrow(`in /${path}, found something else`);
});

test('more devices than a manifest has room for are refused', () => {
  using host = new FakeHost();
  for (let bus = 0; bus <= 64; bus++) host.addPci(`0000:${bus.toString(16).padStart(2, '0')}:00.0`, intelGpu);
  expect(() => read(host)).toThrow('expected at most 64 display and compute devices');
});

/** A host with everything that is read. */
function createFullHost(): FakeHost {
  const host = new FakeHost();
  host.addPci('0000:c1:00.0', nvidiaGpu);
  host.addNvidia('0000:c1:00.0', 0);
  host.addPci('0000:03:00.0', amdGpu);
  host.addNode('renderD128', '0000:03:00.0');
  host.addKfdNode(1, 4711, 0x0300);
  host.addKfdProcess(77, { 4711: 4096 }, [4711]);
  host.addProcess(77, { files: [{ link: '/dev/dri/renderD128', info: fdinfo('amdgpu', '0000:03:00.0', 'drm-engine-compute:\t99 ns') }] });
  host.addProcess(78, { files: [{ link: '/dev/nvidia0' }], maps: '7f0000000000-7f0000001000 rw-s 00000000 00:05 712 /dev/nvidia0\n' });
  return host;
}

const filesOfFullHost = [
  'etc/machine-id',
  'sys/class/dmi/id/product_uuid',
  'sys/bus/pci/devices',
  'sys/bus/pci/devices/0000:c1:00.0',
  ...['class', 'vendor', 'device', 'unique_id'].map((name) => `sys/bus/pci/devices/0000:03:00.0/${name}`),
  'proc',
  'proc/driver/nvidia/gpus/0000:c1:00.0/information',
  'proc/77',
  'proc/77/stat',
  'proc/77/fd',
  'proc/77/fdinfo/3',
  'proc/78/fd/3',
  'proc/78/maps',
  'sys/class/drm/renderD128/device',
  'sys/class/kfd/kfd/proc',
  'sys/class/kfd/kfd/proc/77/vram_4711',
  'sys/class/kfd/kfd/proc/77/queues',
  'sys/class/kfd/kfd/proc/77/queues/0/gpuid',
  'sys/class/kfd/kfd/topology/nodes/1/gpu_id',
  'sys/class/kfd/kfd/topology/nodes/1/properties',
];

const damage = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => (host: FakeHost, path: string) => host.write(path, bytes)),
  fc.constant((host: FakeHost, path: string) => host.write(path, Buffer.alloc(300_000, '7'))),
  fc.constant((host: FakeHost, path: string) => mkdirSync(join(host.root, path))),
  fc.constant((host: FakeHost, path: string) => host.link(path, '../../../../../../../../..')),
  fc.constant((host: FakeHost, path: string) => host.link(path, 'kept')),
  fc.constant(() => undefined),
);

test('whatever stands in place of a file, there are facts or one sentence', () => {
  using host = createFullHost();
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(fc.constantFrom(...filesOfFullHost), damage, (path, put) => {
      const kept = join(host.root, 'kept');
      renameSync(join(host.root, path), kept);
      put(host, path);
      try {
        outcomes.add(judge(host));
      } finally {
        rmSync(join(host.root, path), { recursive: true, force: true });
        renameSync(kept, join(host.root, path));
      }
    }),
    { numRuns: 400, seed: 7 },
  );
  // Neither all refused nor all let through, and restored at the end.
  expect([...outcomes].sort()).toEqual(['facts', 'sentence']);
  expect(judge(host)).toBe('facts');
});

/** Any other error than a SiteError goes on. */
function judge(host: FakeHost): string {
  try {
    const { hosts, devices } = read(host);
    for (const id of hosts) expect(id).toMatch(/^[0-9a-f]{64}$/);
    const { compute, holders, unseen } = countNeighbours(devices, host.root, 4242);
    expect(compute + holders + unseen).toBeLessThanOrEqual(2);
    return 'facts';
  } catch (error) {
    if (error instanceof SiteError) return 'sentence';
    throw error;
  }
}

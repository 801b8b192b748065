/** Who else is on a GPU, counted on made-up trees in the forms of Linux and its drivers. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DeviceIdentity } from '../../../../server/privacy/deployment/manifest.ts';
import { countNeighbours, judgeNeighbours, type Neighbours } from '../../../../server/privacy/deployment/neighbours.ts';
import { amdGpu, FakeHost, type FakeProcess, fdinfo, intelGpu, nvidiaGpu } from './fake-host.ts';

const self = 500;
const amd: DeviceIdentity = { address: '0000:03:00.0', vendor: '1002', model: '74a1' };
const nvidia: DeviceIdentity = { address: '0000:c1:00.0', vendor: '10de', model: '2330' };
const intel: DeviceIdentity = { address: '0000:00:02.0', vendor: '8086', model: '56c0' };
const nobody: Neighbours = { compute: 0, holders: 0, unseen: 0 };

function createHost(): FakeHost {
  const host = new FakeHost();
  host.addPci(amd.address, amdGpu);
  host.addNode('renderD128', amd.address);
  host.addPci(nvidia.address, nvidiaGpu);
  host.addNvidia(nvidia.address, 0);
  host.addPci(intel.address, intelGpu);
  host.addNode('renderD129', intel.address);
  host.addNode('card1', intel.address);
  host.addProcess(1, { parent: 0, name: 'systemd' });
  host.addProcess(2, { parent: 0, name: 'kthreadd', flags: 2_129_984 });
  host.addProcess(self);
  return host;
}

function count(device: DeviceIdentity, process?: FakeProcess): Neighbours {
  using host = createHost();
  if (process !== undefined) host.addProcess(900, process);
  return countNeighbours([device], host.root, self);
}

const open = (link: string, info?: string): FakeProcess => ({ files: [{ link, ...(info !== undefined && { info }) }] });

test('nobody', () => {
  for (const device of [amd, nvidia, intel]) expect(count(device)).toEqual(nobody);
});

const busy = { ...nobody, compute: 1 };
const idle = { ...nobody, holders: 1 };
const amdNode = '/dev/dri/renderD128';
const intelNode = '/dev/dri/renderD129';

test.each<readonly [what: string, device: DeviceIdentity, process: FakeProcess, expected: Neighbours]>([
  ['amdgpu, which tells used engines only', amd, open(amdNode, fdinfo('amdgpu', amd.address, 'drm-engine-compute:\t3434919 ns')), busy],
  ['amdgpu, graphics alone', amd, open(amdNode, fdinfo('amdgpu', amd.address, 'drm-engine-gfx:\t56369242 ns')), busy],
  ['amdgpu, opened and not used', amd, open(amdNode, fdinfo('amdgpu', amd.address, 'drm-memory-vram:\t0 KiB')), idle],
  ['i915, an engine at work', intel, open(intelNode, fdinfo('i915', intel.address, 'drm-engine-render:\t0 ns', 'drm-engine-compute:\t25 ns')), busy],
  ['i915, all engines idle', intel, open(intelNode, fdinfo('i915', intel.address, 'drm-engine-render:\t0 ns', 'drm-engine-capacity-video:\t2')), idle],
  ['xe, which counts cycles', intel, open(intelNode, fdinfo('xe', intel.address, 'drm-cycles-ccs:\t28257900', 'drm-total-cycles-ccs:\t7655183225')), busy],
  ['xe, idle', intel, open(intelNode, fdinfo('xe', intel.address, 'drm-cycles-ccs:\t0', 'drm-total-cycles-ccs:\t7655183225')), idle],
  ['the node of a display', intel, open('/dev/dri/card1', fdinfo('i915', intel.address, 'drm-engine-render:\t9 ns')), busy],
  ['a driver that tells nothing about engines', intel, open(intelNode, fdinfo('nouveau', intel.address)), busy],
  ['nothing told at all', amd, open(amdNode), busy],
  ['an old driver that does not tell its device', amd, open(amdNode, 'pos:\t0\npdev:\t0000:03:00.0\n'), busy],
  ['another device by what the kernel tells', amd, open(amdNode, fdinfo('i915', intel.address, 'drm-engine-compute:\t9 ns')), nobody],
  ['another device by its node', amd, open(intelNode), nobody],
  ['a node that is nowhere', amd, open('/dev/dri/renderD140'), busy],
  ['nvidia, with the memory of CUDA', nvidia, { files: [{ link: '/dev/nvidiactl' }, { link: '/dev/nvidia0' }, { link: '/dev/nvidia-uvm' }], maps: '' }, busy],
  ['nvidia, mapped', nvidia, { ...open('/dev/nvidia0'), maps: '7f00-7f01 rw-s 00000000 00:05 712                 /dev/nvidia0\n' }, busy],
  [
    'nvidia, a monitor',
    nvidia,
    { files: [{ link: '/dev/nvidiactl' }, { link: '/dev/nvidia0' }], maps: '55d0-55d1 r-xp 00000000 08:02 99   /usr/bin/monitor\n' },
    idle,
  ],
  ['nvidia, maps that may not be read', nvidia, open('/dev/nvidia0'), busy],
  ['nvidia, another GPU', nvidia, { ...open('/dev/nvidia1'), maps: '7f00-7f01 rw-s 00000000 00:05 713 /dev/nvidia1\n' }, nobody],
  ['nvidia, no GPU at all', nvidia, { ...open('/dev/nvidiactl'), maps: '' }, nobody],
  ['a thread of the kernel', amd, { ...open(amdNode), flags: 69_238_880, parent: 2 }, nobody],
  ['a name with brackets and blanks', amd, { ...open(amdNode), name: 'a) S 2 2 2 0 -1 69238880 (b' }, busy],
  ['our child', amd, { ...open(amdNode), parent: self }, nobody],
])('%s', (_, device, process, expected) => {
  expect(count(device, process)).toEqual(expected);
});

test('a process counts once, with what it does most', () => {
  const files = [
    { link: amdNode, info: fdinfo('amdgpu', amd.address) },
    { link: amdNode, info: fdinfo('amdgpu', amd.address, 'drm-engine-compute:\t1 ns') },
    { link: amdNode, info: fdinfo('amdgpu', amd.address, 'drm-engine-compute:\t1 ns') },
  ];
  expect(count(amd, { files })).toEqual(busy);
});

test('children of children are our own, whichever number they have', () => {
  using host = createHost();
  host.addProcess(40, { ...open(amdNode), parent: 30 });
  host.addProcess(10, { ...open(amdNode), parent: 40 });
  host.addProcess(30, { ...open(amdNode), parent: self });
  host.addProcess(20, { ...open(amdNode), parent: 1 });
  expect(countNeighbours([amd], host.root, self)).toEqual(busy);
});

test('files that may not be seen', () => {
  using host = createHost();
  host.addProcess(900);
  host.remove('proc/900/fd');
  host.write('proc/900/fd', '');
  expect(countNeighbours([amd], host.root, self)).toEqual({ ...nobody, unseen: 1 });
  host.remove('proc/900/stat');
  expect(countNeighbours([amd], host.root, self)).toEqual({ ...nobody, unseen: 1 });
});

test('a process that ends meanwhile', () => {
  using host = createHost();
  mkdirSync(join(host.root, 'proc/900'));
  expect(countNeighbours([amd], host.root, self)).toEqual(nobody);
});

test('a GPU of NVIDIA whose number is not known is any of them', () => {
  using host = createHost();
  host.remove('proc/driver');
  host.addProcess(900, open('/dev/nvidia3'));
  expect(countNeighbours([nvidia], host.root, self)).toEqual(busy);
});

test("processes of AMD's compute driver", () => {
  using host = createHost();
  host.addKfdNode(0, 0, 0);
  host.addKfdNode(1, 4711, 0x0300);
  host.addKfdNode(2, 4712, 0x0400);
  const expectCompute = (compute: number): void => expect(countNeighbours([amd], host.root, self)).toEqual({ ...nobody, compute });
  host.addKfdProcess(910, { 4711: 0, 4712: 8192 }, [4712]);
  expectCompute(0);
  host.addKfdProcess(911, { 4711: 4096, 4712: 0 });
  expectCompute(1);
  host.addKfdProcess(912, { 4711: 0, 4712: 8192 }, [4711]);
  expectCompute(2);
  // Has opened the driver and nothing else yet.
  host.addKfdProcess(913, { 4711: 0, 4712: 0 });
  expectCompute(3);
  host.addKfdProcess(914, { 4713: 4096 });
  expectCompute(4);
  host.addKfdProcess(self, { 4711: 4096 });
  expectCompute(4);
  // The same process by its files.
  host.addProcess(911, open(amdNode));
  expectCompute(4);
  expect(countNeighbours([intel], host.root, self)).toEqual(nobody);
});

test('a GPU of AMD whose number is not known is any of them', () => {
  using host = createHost();
  host.addKfdNode(1, 4711, 0x0300);
  host.addKfdProcess(910, { 4712: 8192 }, [4712]);
  expect(countNeighbours([amd], host.root, self)).toEqual(busy);
});

test('a device of software has nobody to share with', () => {
  using host = createHost();
  host.remove('proc');
  expect(countNeighbours([{ address: 'software', vendor: '0000', model: 'lavapipe' }], host.root, self)).toEqual(nobody);
  expect(() => countNeighbours([amd], host.root, self)).toThrow('expected them in /proc');
});

test('this machine can be read', (context) => {
  if (process.platform !== 'linux') context.skip('only Linux has /proc');
  const { compute, holders, unseen } = countNeighbours([{ address: 'ffff:ff:1f.7', vendor: '8086', model: 'ffff' }]);
  expect([compute, holders]).toEqual([0, 0]);
  expect(unseen).toBeGreaterThanOrEqual(0);
});

test('others are refused or recorded', () => {
  expect(judgeNeighbours(nobody, 'refuse')).toBeUndefined();
  expect(judgeNeighbours({ compute: 0, holders: 3, unseen: 200 }, 'refuse')).toBeUndefined();
  expect(judgeNeighbours({ compute: 1, holders: 0, unseen: 0 }, 'refuse')).toContain('found that one uses it;');
  expect(judgeNeighbours({ compute: 2, holders: 0, unseen: 0 }, 'refuse')).toContain('found that 2 use it;');
  expect(judgeNeighbours({ compute: 2, holders: 0, unseen: 0 }, 'record')).toBeUndefined();
});

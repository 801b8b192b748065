/** Which GPU each stage gets: nodes of its own and those that all need, from a machine that is only files; and no two stages on one. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Driver } from '../../../runtime/drivers.ts';
import { chooseGpus, demandOwnGpus, findGpus, openNodes } from '../../../runtime/host/gpus.ts';

interface Card {
  readonly place: string;
  readonly vendor: string;
  readonly drawn: readonly string[];
  /** NVIDIA's number of it. */
  readonly minor?: number;
}

/** A machine with these cards, and the driver of one maker. */
function createMachine(cards: readonly Card[], library: string): { root: string; driver: Driver } {
  const root = mkdtempSync(join(tmpdir(), 'inward-gpus-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const { place, vendor, drawn, minor } of cards) {
    write(`sys/devices/${place}/vendor`, `${vendor}\n`);
    for (const name of drawn) {
      write(`dev/dri/${name}`, '');
      mkdirSync(join(root, 'sys/class/drm', name), { recursive: true });
      symlinkSync(`../../../devices/${place}`, join(root, 'sys/class/drm', name, 'device'));
    }
    if (minor === undefined) continue;
    write(`dev/nvidia${minor}`, '');
    write(`proc/driver/nvidia/gpus/${place}/information`, `Model: \t\t Some Name\nDevice Minor: \t ${minor}\n`);
  }
  if (cards.some(({ minor }) => minor !== undefined)) for (const name of ['nvidiactl', 'nvidia-uvm']) write(`dev/${name}`, '');
  write('icd.json', JSON.stringify({ ICD: { library_path: library } }));
  return { root, driver: { name: 'gpu', reason: '', icdFile: join(root, 'icd.json'), libraryDirs: [] } };
}

// As eight of them are in one server: the numbers of the nodes need not follow the bus, and a small one of another maker drives the screen.
const nvidia: readonly Card[] = [
  { place: '0000:00:02.0', vendor: '0x8086', drawn: ['card0', 'renderD128'] },
  { place: '0000:65:00.0', vendor: '0x10de', drawn: ['card1', 'renderD129'], minor: 1 },
  { place: '0000:17:00.0', vendor: '0x10de', drawn: ['card2', 'renderD130'], minor: 0 },
  { place: '0000:b3:00.0', vendor: '0x10de', drawn: ['card3', 'renderD131'], minor: 10 },
];

test('NVIDIA: each stage may open the nodes of one GPU, found by its place on the bus, and those of all', () => {
  const { root, driver } = createMachine(nvidia, 'libGLX_nvidia.so.0');
  const gpus = findGpus(driver, { root });
  expect(gpus).toEqual([
    { nodes: ['nvidia0', 'dri/card2', 'dri/renderD130'] },
    { nodes: ['nvidia1', 'dri/card1', 'dri/renderD129'] },
    { nodes: ['nvidia10', 'dri/card3', 'dri/renderD131'] },
  ]);
  expect(chooseGpus(gpus, 2, { root })).toEqual([
    ['/dev/nvidia-uvm', '/dev/nvidiactl', '/dev/nvidia0', '/dev/dri/card2', '/dev/dri/renderD130'],
    ['/dev/nvidia-uvm', '/dev/nvidiactl', '/dev/nvidia1', '/dev/dri/card1', '/dev/dri/renderD129'],
  ]);
});

test('in a container without /proc/driver the nodes of NVIDIA alone are known', () => {
  const { root, driver } = createMachine(nvidia, 'libGLX_nvidia.so.0');
  for (const folder of ['proc', 'dev/dri', 'sys']) rmSync(join(root, folder), { recursive: true });
  expect(findGpus(driver, { root }).map(({ nodes }) => nodes)).toEqual([['nvidia0'], ['nvidia1'], ['nvidia10']]);
});

test('others: the render node and the card of one place; GPUs of other makers are none', () => {
  const cards: readonly Card[] = [
    { place: '0000:03:00.0', vendor: '0x1002', drawn: ['card1', 'renderD129'] },
    { place: '0000:04:00.0', vendor: '0x1002', drawn: ['card0', 'renderD128'] },
    { place: '0000:00:02.0', vendor: '0x8086', drawn: ['card2', 'renderD130'] },
  ];
  const { root, driver } = createMachine(cards, '/usr/lib/libvulkan_radeon.so');
  expect(chooseGpus(findGpus(driver, { root }), 2, { root })).toEqual([
    ['/dev/dri/card0', '/dev/dri/renderD128'],
    ['/dev/dri/card1', '/dev/dri/renderD129'],
  ]);
  expect(() => chooseGpus(findGpus(driver, { root }), 3, { root })).toThrow('3 stages need a GPU each, and this machine has 2.');
});

const gpu = (...nodes: string[]) => ({ isSoftware: false, nodes });
const software = { isSoftware: true, nodes: [] };

test('two stages on one GPU are refused, as is one that cannot be told; software devices may be as many as there are stages', () => {
  expect(() => demandOwnGpus([gpu('/dev/nvidia0', '/dev/dri/renderD128'), gpu('/dev/nvidia1')])).not.toThrow();
  expect(() => demandOwnGpus([software, software, software])).not.toThrow();
  expect(() => demandOwnGpus([gpu('/dev/nvidia0'), gpu('/dev/nvidia1'), gpu('/dev/nvidia1')])).toThrow(
    'Stage 3 has no GPU of its own: expected a device node that no other stage has open, found /dev/nvidia1.',
  );
  expect(() => demandOwnGpus([gpu('/dev/nvidia0', '/dev/nvidia1'), gpu('/dev/nvidia1')])).toThrow('Stage 2 has no GPU of its own');
  expect(() => demandOwnGpus([gpu('/dev/nvidia0'), gpu()])).toThrow(
    'Stage 2 has no GPU of its own: expected a device node that no other stage has open, found none.',
  );
  expect(() => demandOwnGpus([{ isSoftware: false, nodes: undefined }])).toThrow('Stage 1');
});

test('what a process has open is read from the kernel', () => {
  const root = mkdtempSync(join(tmpdir(), 'inward-fds-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'proc/7/fd'), { recursive: true });
  const targets = ['/dev/null', '/dev/nvidiactl', '/dev/nvidia1', '/dev/nvidia1', '/dev/dri/renderD129', 'socket:[5]'];
  for (const [fd, target] of targets.entries()) symlinkSync(target, join(root, 'proc/7/fd', String(fd)));
  expect(openNodes(7, root)).toEqual(['/dev/dri/renderD129', '/dev/nvidia1']);
  expect(openNodes(8, root)).toBeUndefined();
  // This process has no GPU open.
  expect(openNodes(process.pid)).toEqual([]);
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheFolder, chooseDriver, driverEnvironment, findDrivers, hasHardware, type Machine, privateDriverFolders } from '../../runtime/drivers.ts';
import { InwardError } from '../../runtime/errors.ts';

let root = '';
let machine: Machine = {};
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'inward-drivers-'));
  machine = { root, environment: { INWARD_CACHE: join(root, 'cache') } };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
const icd = (library: string): string => JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: library, api_version: '1.3.0' } });
const putLoader = (): void => put('/usr/lib/x86_64-linux-gnu/libvulkan.so.1');
const putPrivate = (name: 'lavapipe' | 'swiftshader'): void => {
  put(`/cache/devices/${privateDriverFolders[name]}/icd.json`, icd('./lib.so'));
  put(`/cache/devices/${privateDriverFolders[name]}/driver.json`, JSON.stringify({ reason: `private ${name}`, icdFile: 'icd.json', libraryDirs: ['lib'] }));
};
const names = (): string[] => findDrivers(machine).map(({ name }) => name);

test('an empty machine has no driver, and that is an error that says so', () => {
  expect(findDrivers(machine)).toEqual([]);
  expect(() => chooseDriver('auto', [])).toThrow(/none/);
});

test('a GPU needs the ICD file of its maker, its device node and a loader', () => {
  put('/usr/share/vulkan/icd.d/nvidia_icd.json', icd('libGLX_nvidia.so.0'));
  expect(hasHardware(machine)).toBe(false);
  put('/dev/nvidia0');
  expect(hasHardware(machine)).toBe(true);
  expect(names()).toEqual([]);
  putLoader();
  expect(findDrivers(machine)).toMatchObject([{ name: 'gpu', libraryDirs: [], icdFile: join(root, '/usr/share/vulkan/icd.d/nvidia_icd.json') }]);
});

test('the drivers that Mesa installs for GPUs of other makers do not count', () => {
  putLoader();
  put('/usr/share/vulkan/icd.d/radeon_icd.json', icd('libvulkan_radeon.so'));
  put('/usr/share/vulkan/icd.d/intel_icd.json', icd('libvulkan_intel.so'));
  put('/dev/dri/renderD128');
  put('/sys/class/drm/renderD128/device/vendor', '0x1af4\n'); // a virtual machine's display
  expect(names()).toEqual([]);
  put('/sys/class/drm/renderD128/device/vendor', '0x8086\n');
  expect(findDrivers(machine).map(({ reason }) => reason)).toEqual(['Intel GPU with its Vulkan driver']);
});

test('a private driver lends its loader to a GPU whose system has none', () => {
  put('/etc/vulkan/icd.d/nvidia_icd.json', icd('libGLX_nvidia.so.0'));
  put('/dev/nvidia0');
  putPrivate('swiftshader');
  expect(names()).toEqual(['gpu', 'swiftshader']);
  expect(chooseDriver('auto', findDrivers(machine)).libraryDirs).toEqual([join(root, 'cache/devices', privateDriverFolders.swiftshader, 'lib')]);
});

for (const [version, expected] of [
  ['25.0.7', ['lavapipe']],
  ['24.0.0', ['lavapipe']],
  ['22.3.6', []],
] as const) {
  test(`an installed Mesa ${version} gives ${expected.length} lavapipe`, () => {
    putLoader();
    put('/usr/share/vulkan/icd.d/lvp_icd.json', icd('libvulkan_lvp.so'));
    put('/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so', `\0\0binary\0Mesa ${version}-1~deb (LLVM 15.0.6)\0`);
    expect(names()).toEqual(expected);
  });
}

test('order: GPU, installed lavapipe, private lavapipe, SwiftShader', () => {
  putPrivate('swiftshader');
  putPrivate('lavapipe');
  putLoader();
  put('/usr/share/vulkan/icd.d/lvp_icd.json', icd('/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so'));
  put('/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so', 'Mesa 25.2.1');
  put('/usr/share/vulkan/icd.d/nvidia_icd.json', icd('libGLX_nvidia.so.0'));
  put('/dev/nvidia0');
  expect(findDrivers(machine).map(({ reason }) => reason)).toEqual([
    'NVIDIA GPU with its Vulkan driver',
    'installed Mesa 25.2.1',
    'private lavapipe',
    'private swiftshader',
  ]);
});

test('a driver that the operator named in VK_DRIVER_FILES is found; a private one named there is not listed twice', () => {
  putLoader();
  putPrivate('lavapipe');
  put('/srv/own/lvp.json', icd('./libvulkan_lvp.so'));
  put('/srv/own/libvulkan_lvp.so', 'Mesa 26.0.1');
  const privateIcd = join(root, 'cache/devices', privateDriverFolders.lavapipe, 'icd.json');
  machine = { root, environment: { ...machine.environment, VK_DRIVER_FILES: `${join(root, 'srv/own/lvp.json')}:${privateIcd}` } };
  expect(findDrivers(machine).map(({ reason }) => reason)).toEqual(['installed Mesa 26.0.1', 'private lavapipe']);
});

test('broken ICD files and manifests are passed over', () => {
  putLoader();
  for (const [index, content] of ['', '{', 'null', '[]', '{"ICD":null}', '{"ICD":{"library_path":7}}', icd('')].entries())
    put(`/etc/vulkan/icd.d/${index}.json`, content);
  for (const content of ['', 'null', '{"icdFile":1,"libraryDirs":[]}', '{"icdFile":"gone.json","libraryDirs":["lib"]}', '{"icdFile":"icd.json"}']) {
    put(`/cache/devices/${privateDriverFolders.lavapipe}/driver.json`, content);
    expect(findDrivers(machine)).toEqual([]);
  }
});

test('asking for a device that is not there lists those that are', () => {
  putPrivate('swiftshader');
  putPrivate('lavapipe');
  const drivers = findDrivers(machine);
  expect(chooseDriver('swiftshader', drivers).reason).toBe('private swiftshader');
  let error: unknown;
  try {
    chooseDriver('gpu', drivers);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(InwardError);
  expect((error as InwardError).code).toBe('device_missing');
  expect((error as InwardError).fields).toEqual({ wanted: 'gpu', available: 'lavapipe, swiftshader' });
});

test('the environment puts the driver first, keeps the rest and adds nothing twice', () => {
  const driver = { name: 'lavapipe', reason: '', icdFile: '/c/icd.json', libraryDirs: ['/c/lib', '/c/usr/lib'] } as const;
  expect(driverEnvironment(driver, { INWARD_CACHE: '/c', LD_LIBRARY_PATH: '/own:/c/lib:' })).toEqual({
    VK_DRIVER_FILES: '/c/icd.json',
    MESA_SHADER_CACHE_DIR: '/c/kernels',
    LD_LIBRARY_PATH: '/c/lib:/c/usr/lib:/own',
  });
  expect(driverEnvironment({ ...driver, libraryDirs: [] }, { INWARD_CACHE: '/c' })).toEqual({
    VK_DRIVER_FILES: '/c/icd.json',
    MESA_SHADER_CACHE_DIR: '/c/kernels',
  });
});

test('the cache folder: INWARD_CACHE, else XDG_CACHE_HOME if absolute, else the home folder', () => {
  expect(cacheFolder({ INWARD_CACHE: '/a', XDG_CACHE_HOME: '/b', HOME: '/h' })).toBe('/a');
  expect(cacheFolder({ XDG_CACHE_HOME: '/b', HOME: '/h' })).toBe('/b/inward');
  expect(cacheFolder({ XDG_CACHE_HOME: 'relative', HOME: '/h' })).toBe('/h/.cache/inward');
});

test('looking on this machine takes less than 100 ms', () => {
  const times = [1, 2, 3].map(() => {
    const started = performance.now();
    findDrivers();
    return performance.now() - started;
  });
  expect(Math.min(...times)).toBeLessThan(100);
});

/**
 * Owns the choice of a device that works: takes what is there in the order of preference, installs a private
 * software driver where nothing better is, and proves each by loading it before it is taken.
 */
import { join } from 'node:path';
import { cacheFolder, type Driver, findDrivers, hasHardware, privateDriverFolders } from '../../runtime/drivers.ts';
import { InwardError } from '../../runtime/errors.ts';
import { type DeviceName, deviceNames } from '../../runtime/types.ts';
import { installLavapipe } from './lavapipe.ts';
import { probeDriver } from './probe.ts';
import { installSwiftshader } from './swiftshader.ts';

const installers = { lavapipe: installLavapipe, swiftshader: installSwiftshader };

/**
 * The driver for `wanted`, working; its reason says why it and not a better one.
 * Throws `device_missing` with the devices that are here, or `no_device` if none works.
 */
export async function ensureDevice(wanted: DeviceName | 'auto' = 'auto'): Promise<Driver> {
  const refused: string[] = [];
  for (const name of wanted === 'auto' ? deviceNames : [wanted]) {
    const found = await findWorking(name).catch((error: unknown) => (error instanceof Error ? error.message : 'failed'));
    if (typeof found !== 'string') return { ...found, reason: [found.reason, ...refused].join('; ') };
    refused.push(`${name}: ${found}`);
  }
  if (wanted === 'auto') throw new InwardError('no_device', { reasons: refused.join('; ') });
  const names = [...new Set(findDrivers().map(({ name }) => name))].filter((name) => name !== wanted);
  const available = `${names.join(', ') || 'none'} (${refused.join('; ')})`;
  throw new InwardError('device_missing', { wanted, available });
}

/** A driver of this device that gives an adapter; installs the private one if need be. A string says why there is none. */
async function findWorking(name: DeviceName): Promise<Driver | string> {
  const installed = findDrivers().filter((driver) => driver.name === name);
  for (const driver of installed) if (await probeDriver(driver)) return driver;
  if (name === 'gpu') return installed.length > 0 ? 'its driver gives no adapter' : await findGpuWithPrivateLoader();
  const target = join(cacheFolder(), 'devices', privateDriverFolders[name]);
  await installers[name](target);
  const added = findDrivers().find((driver) => driver.icdFile.startsWith(target));
  if (added && (await probeDriver(added))) return added;
  return 'it is installed but gives no adapter';
}

/** Containers often have the driver of the GPU but no Vulkan loader: the private drivers bring one. */
async function findGpuWithPrivateLoader(): Promise<Driver | string> {
  if (!hasHardware()) return 'none with a Vulkan driver';
  await ensureDevice('lavapipe').catch(() => ensureDevice('swiftshader'));
  for (const driver of findDrivers().filter(({ name }) => name === 'gpu')) if (await probeDriver(driver)) return driver;
  return 'its driver gives no adapter';
}

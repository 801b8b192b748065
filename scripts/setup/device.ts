/**
 * Owns the choice of a device that works: takes what is there in the order of preference, installs a private
 * software driver where nothing better is, and proves each by loading it before it is taken.
 */
import { join } from 'node:path';
import { cacheFolder, type Driver, findDrivers, hasHardware, privateDriverFolders } from '../../runtime/drivers.ts';
import { InwardError } from '../../runtime/errors.ts';
import { type DeviceName, deviceNames } from '../../runtime/types.ts';
import { installUnlessJustFailed } from './cache.ts';
import { installLavapipe } from './lavapipe.ts';
import { probeDriver } from './probe.ts';
import { installSwiftshader } from './swiftshader.ts';

const installers = { lavapipe: installLavapipe, swiftshader: installSwiftshader };

/**
 * The driver for `wanted`, working; its reason says why it and not a better one. `mayFetch`: whether one that is missing is installed.
 * Throws `device_missing` with the devices that are here, or `no_device` if none works.
 */
export async function ensureDevice(wanted: DeviceName | 'auto' = 'auto', mayFetch = true): Promise<Driver> {
  const refused: string[] = [];
  for (const name of wanted === 'auto' ? deviceNames : [wanted]) {
    const found = await findWorking(name, { isAskedFor: wanted !== 'auto', mayFetch }).catch((error: unknown) =>
      error instanceof Error ? error.message : 'failed',
    );
    if (typeof found !== 'string') return { ...found, reason: [found.reason, ...refused].join('; ') };
    refused.push(`${name}: ${found}`);
  }
  if (wanted === 'auto') throw new InwardError('no_device', { reasons: refused.join('; ') });
  const names = [...new Set(findDrivers().map(({ name }) => name))].filter((name) => name !== wanted);
  const available = `${names.join(', ') || 'none'} (${refused.join('; ')})`;
  throw new InwardError('device_missing', { wanted, available });
}

interface Search {
  readonly isAskedFor: boolean;
  readonly mayFetch: boolean;
}

/** A driver of this device that works; installs the private one if need be. A string says why there is none. */
async function findWorking(name: DeviceName, { isAskedFor, mayFetch }: Search): Promise<Driver | string> {
  let refusal: string | undefined;
  for (const driver of findDrivers().filter((driver) => driver.name === name)) {
    refusal = await refuseDriver(driver);
    if (refusal === undefined) return driver;
  }
  if (name === 'gpu') return refusal ?? (await findGpuWithPrivateLoader(mayFetch));
  if (!mayFetch) return refusal ?? 'it is not here, and for PHI nothing is fetched';
  const target = join(cacheFolder(), 'devices', privateDriverFolders[name]);
  // Without lavapipe there is still SwiftShader, so not every start waits for a mirror that was not there before.
  if (name === 'lavapipe' && !isAskedFor) await installUnlessJustFailed(target, installLavapipe);
  else await installers[name](target);
  const added = findDrivers().find((driver) => driver.icdFile.startsWith(target));
  if (added && (await refuseDriver(added)) === undefined) return added;
  return 'it is installed but gives no adapter';
}

/** Why a driver cannot be used, or undefined if it can. */
async function refuseDriver(driver: Driver): Promise<string | undefined> {
  const facts = await probeDriver(driver);
  if (facts === undefined) return 'its driver gives no adapter';
  const unmet = facts.requirements.find(({ isMet }) => !isMet);
  return unmet && `it lacks ${unmet.name} (needed ${unmet.needed}, found ${unmet.found})`;
}

/** Containers often have the driver of the GPU but no Vulkan loader: the private drivers bring one. */
async function findGpuWithPrivateLoader(mayFetch: boolean): Promise<Driver | string> {
  if (!hasHardware()) return 'none with a Vulkan driver';
  const lavapipe = await findWorking('lavapipe', { isAskedFor: false, mayFetch }).catch(() => 'not to be had');
  if (typeof lavapipe === 'string') await ensureDevice('swiftshader', mayFetch);
  for (const driver of findDrivers().filter(({ name }) => name === 'gpu')) if ((await refuseDriver(driver)) === undefined) return driver;
  return 'its driver gives no adapter';
}

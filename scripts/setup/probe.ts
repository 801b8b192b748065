/**
 * Owns the question "does this driver really give Dawn an adapter?", asked in a process of its own, because a
 * driver is found through that process's environment and a broken one may take its process down.
 * Run as a script it opens the adapter of its environment and prints what it is and has as JSON.
 */
import { fileURLToPath } from 'node:url';
import { type Driver, driverEnvironment } from '../../runtime/drivers.ts';
import type { AdapterFacts } from '../../runtime/types.ts';
import { runCommand } from './command.ts';

/** What the driver's adapter is and has, or undefined if the driver does not work. */
export async function probeDriver(driver: Driver): Promise<AdapterFacts | undefined> {
  try {
    const output = await runCommand(process.execPath, [fileURLToPath(import.meta.url), driver.name], {
      env: { ...process.env, ...driverEnvironment(driver) },
    });
    const facts = JSON.parse(output) as AdapterFacts;
    return driver.name === 'gpu' && facts.isSoftware ? undefined : facts;
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [{ create }, { describeAdapter, instanceOptions }] = await Promise.all([import('webgpu'), import('../../runtime/device.ts')]);
  const gpu = create(instanceOptions(process.argv[2] === 'gpu' ? 'gpu' : 'lavapipe'));
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) process.exit(1);
  process.stdout.write(JSON.stringify(describeAdapter(adapter)), () => process.exit(0));
}

/**
 * Owns the question "does this driver really give Dawn an adapter?", asked in a process of its own, because a
 * driver is found through that process's environment and a broken one may take its process down.
 * Run as a script it opens the adapter of its environment and prints its name as JSON.
 */
import { fileURLToPath } from 'node:url';
import { type Driver, driverEnvironment } from '../../runtime/drivers.ts';
import { runCommand } from './command.ts';

/** The adapter's description, or undefined if the driver does not work. */
export async function probeDriver(driver: Driver): Promise<string | undefined> {
  try {
    const output = await runCommand(process.execPath, [fileURLToPath(import.meta.url)], { env: { ...process.env, ...driverEnvironment(driver) } });
    const { description, isSoftware } = JSON.parse(output) as { description: string; isSoftware: boolean };
    return driver.name === 'gpu' && isSoftware ? undefined : description;
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { create } = await import('webgpu');
  const gpu = create(['backend=vulkan']);
  const adapter = await gpu.requestAdapter();
  if (!adapter) process.exit(1);
  const { vendor, architecture, device, description } = adapter.info;
  const isSoftware = /llvmpipe|swiftshader/i.test(`${architecture} ${device} ${description}`);
  process.stdout.write(JSON.stringify({ description: `${vendor} ${device || architecture} ${description}`.trim(), isSoftware }), () => process.exit(0));
}

import { expect, test } from 'vitest';
import { create } from 'webgpu';
import { findDrivers } from '../../runtime/drivers.ts';

// Whoever tests kernels on both software devices relies on this: library paths are set when the process starts,
// the driver is chosen by VK_DRIVER_FILES right before create().
const keep: GPU[] = [];
for (const [name, marks] of [
  ['lavapipe', /llvmpipe/],
  ['swiftshader', /swiftshader/i],
  ['lavapipe', /llvmpipe/],
] as const) {
  test(`${name} opens in a process that has opened another device`, async (context) => {
    const driver = findDrivers().find((candidate) => candidate.name === name);
    if (!driver) return context.skip(`${name} is not on this machine`);
    process.env['VK_DRIVER_FILES'] = driver.icdFile;
    const gpu = create(['backend=vulkan']);
    keep.push(gpu);
    const adapter = await gpu.requestAdapter();
    expect(`${adapter?.info.device} ${adapter?.info.description} ${adapter?.info.architecture}`).toMatch(marks);
  });
}

/** What an adapter must have, on adapters that tests make up: no driver is needed, but loading Dawn is. */
import { expect, test } from 'vitest';
import { describeAdapter, openNullDevice } from '../../runtime/device.ts';

interface Made {
  readonly features?: readonly string[];
  readonly sizes?: readonly [number, number];
  readonly limits?: object;
  readonly description?: string;
}

function makeAdapter({ features = ['subgroups'], sizes = [8, 8], limits = {}, description = 'a driver' }: Made): GPUAdapter {
  return {
    features: new Set(features),
    limits: { maxStorageBuffersPerShaderStage: 8, maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 28, ...limits },
    info: { vendor: 'v', architecture: 'a', device: 'd', description, subgroupMinSize: sizes[0], subgroupMaxSize: sizes[1] },
  } as unknown as GPUAdapter;
}

// biome-ignore format: a table
test.each<[string, Made, readonly string[], number]>([
  ['the least that will do', {}, [], 8],
  ['no subgroups: lanes through workgroup memory', { features: [], sizes: [0, 0] }, [], 32],
  ['no subgroups on a CPU device', { features: [], description: 'llvmpipe' }, [], 8],
  ['subgroups of two lanes are none', { sizes: [2, 2] }, [], 32],
  ['several sizes that cannot be demanded are none', { sizes: [8, 16] }, [], 32],
  ['several sizes that can be demanded: 32 of 16 to 64', { sizes: [16, 64], features: ['subgroups', 'subgroup-size-control'] }, [], 32],
  ['one size above 32', { sizes: [64, 64] }, [], 64],
  ['bindings of 16 MiB', { limits: { maxStorageBufferBindingSize: 2 ** 24 } }, [], 8],
  ['smaller bindings', { limits: { maxStorageBufferBindingSize: 2 ** 23 } }, ['bytes of a binding'], 8],
  ['few buffers', { limits: { maxStorageBuffersPerShaderStage: 4 } }, ['storage buffers of a kernel'], 8],
])('%s', (_, made, unmet, lanes) => {
  const facts = describeAdapter(makeAdapter(made));
  expect(facts.requirements.filter(({ isMet }) => !isMet).map(({ name }) => name)).toEqual(unmet);
  expect(facts.subgroupSize).toBe(lanes);
});

test('memory is told of software devices alone, f16 where it is', () => {
  expect(describeAdapter(makeAdapter({}))).toMatchObject({ adapter: 'd, a driver', isSoftware: false, hasF16: false, bufferLimit: 2 ** 28 });
  expect(describeAdapter(makeAdapter({}))).not.toHaveProperty('memoryLimit');
  const software = describeAdapter(makeAdapter({ description: 'llvmpipe: Mesa 25', features: ['subgroups', 'shader-f16'] }));
  expect(software).toMatchObject({ isSoftware: true, hasF16: true, memoryLimit: expect.any(Number) });
});

test('a device that meets them opens', async () => {
  using open = await openNullDevice();
  expect(open.subgroupSize).toBeGreaterThanOrEqual(4);
});

test('what is withheld is neither asked of the device nor used', async () => {
  using open = await openNullDevice({ withoutSubgroups: true, bindingLimit: 2 ** 20, family: 'wide', matrixUnit: undefined });
  expect(open.device.features.has('subgroups')).toBe(false);
  expect(open.device.features.has('shader-f16')).toBe(false);
  expect(open.device.limits.maxComputeWorkgroupStorageSize).toBe(16384);
  expect(open).toMatchObject({ bindingLimit: 2 ** 20, family: 'wide', matrixUnit: undefined, subgroupSize: 32 });
});

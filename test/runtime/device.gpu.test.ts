/** What an adapter must have, on adapters that tests make up: no driver is needed, but loading Dawn is. */
import { expect, test } from 'vitest';
import { describeAdapter, openNullDevice } from '../../runtime/device.ts';

interface Made {
  readonly features?: readonly string[];
  readonly sizes?: readonly [number, number];
  readonly limits?: object;
  readonly description?: string;
  /** [component type, result type, M, N, K] */
  readonly units?: readonly (readonly [string, string, number, number, number])[];
}

function makeAdapter({ features = ['subgroups'], sizes = [8, 8], limits = {}, description = 'a driver', units = [] }: Made): GPUAdapter {
  const subgroupMatrixConfigs = units.map(([componentType, resultComponentType, M, N, K]) => ({ componentType, resultComponentType, M, N, K }));
  return {
    features: new Set(features),
    limits: { maxStorageBuffersPerShaderStage: 8, maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 28, ...limits },
    info: { vendor: 'v', architecture: 'a', device: 'd', description, subgroupMinSize: sizes[0], subgroupMaxSize: sizes[1], subgroupMatrixConfigs },
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

const matrices = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'];
const nvidia: NonNullable<Made['units']> = [
  ['f16', 'f16', 16, 16, 16],
  ['f16', 'f32', 16, 16, 16],
  ['u8', 'u32', 16, 16, 32],
  ['i8', 'i8', 16, 16, 32],
  ['i8', 'i32', 16, 16, 32],
];
const f16Unit = { m: 16, n: 16, k: 16, element: 'f16', form: 'native' };
const int8Unit = { m: 16, n: 16, k: 32, element: 'i8', form: 'native' };

// biome-ignore format: a table
test.each<[string, Made, object]>([
  ['f16 and int8', { features: matrices, units: nvidia }, { family: 'matrix', matrixUnit: f16Unit, int8Unit }],
  ['int8 alone, without f16', { features: ['subgroups', ...matrices.slice(2)], units: nvidia }, { family: 'matrix', int8Unit }],
  ['f16 alone', { features: matrices, units: nvidia.slice(0, 4) }, { family: 'matrix', matrixUnit: f16Unit }],
  ['deeper than a block of columns, or of other sides', { features: matrices, units: [['i8', 'i32', 16, 16, 64], ['i8', 'i32', 4, 16, 32]] }, { family: 'wide' }],
  ['not offered', { features: matrices.slice(0, 2), units: nvidia }, { family: 'wide' }],
  ['a CPU device', { features: matrices, units: nvidia, description: 'llvmpipe' }, { family: 'narrow' }],
])('matrix units: %s', (_, made, expected) => {
  const { family, matrixUnit, int8Unit: found } = describeAdapter(makeAdapter({ sizes: [32, 32], ...made }));
  expect({ family, matrixUnit, int8Unit: found }).toEqual({ matrixUnit: undefined, int8Unit: undefined, ...expected });
});

test('a device that meets them opens', async () => {
  using open = await openNullDevice();
  expect(open.subgroupSize).toBeGreaterThanOrEqual(4);
});

test('what is withheld is neither asked of the device nor used', async () => {
  using open = await openNullDevice({ withoutSubgroups: true, bindingLimit: 2 ** 20, family: 'wide', matrixUnit: undefined, int8Unit: undefined });
  expect(open.device.features.has('subgroups')).toBe(false);
  expect(open.device.features.has('shader-f16')).toBe(false);
  expect(open.device.limits.maxComputeWorkgroupStorageSize).toBe(16384);
  expect(open).toMatchObject({ bindingLimit: 2 ** 20, family: 'wide', matrixUnit: undefined, int8Unit: undefined, subgroupSize: 32 });
});

import { afterAll, expect, test } from 'vitest';
import type { PipelineCache } from '../../../kernels/pipeline.ts';
import type { WeightSpec } from '../../../models/index.ts';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { loadWeights } from '../../../runtime/checkpoint/loader.ts';
import { DeviceMemory } from '../../../runtime/memory.ts';
import { createFolder, ggufBytes } from '../../gguf-file.ts';

const folder = createFolder();
afterAll(folder.remove);

/** The only tensor of a file, read as a vector that stays on the host: no device is touched. */
async function readVector(typeId: number, bytes: Uint8Array, length: number): Promise<Float32Array | undefined> {
  const path = folder.write(
    ggufBytes([['general.architecture', 'string', 'llama']], [{ name: 'norm', dimensions: [length], typeId, offset: 0 }], Buffer.concat([bytes], 64)),
  );
  using checkpoint = openCheckpoint(path);
  const specs = new Map<string, WeightSpec>([['v', { kind: 'host', tensor: 'norm', length }]]);
  const device = {} as GPUDevice;
  const weights = await loadWeights(checkpoint, specs, {
    device,
    memory: new DeviceMemory(device, 2 ** 20),
    pipelines: {} as PipelineCache,
    place: 'buffer',
    bindingLimit: 2 ** 20,
    textureLimit: 8192,
  });
  return weights.host('v');
}

const values = Float32Array.of(0, -0, 1, -2.5, 2 ** 100, 2 ** -100, 240);

test.for([
  ['F32', 0, new Uint8Array(values.buffer), values],
  ['F16', 1, new Uint8Array(Float16Array.from(values).buffer), Float32Array.from(Float16Array.from(values))],
  // All of them have at most 8 significant bits, so that BF16 holds them exactly.
  ['BF16', 30, new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16).buffer), values],
] as const)('a vector of %s', async ([, typeId, bytes, expected]) => {
  expect(await readVector(typeId, bytes, values.length)).toEqual(expected);
});

test('a vector of another storage is refused with its name and what would do', async () => {
  await expect(readVector(8, new Uint8Array(34), 32)).rejects.toMatchObject({
    code: 'model_unsupported',
    fields: { part: expect.stringMatching(/^tensor norm in \d+\.gguf$/), expected: 'storage F32, F16, BF16', found: 'Q8_0' },
  });
});

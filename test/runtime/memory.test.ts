/** Accounting of device memory, on a device that only counts. */
import { expect, test } from 'vitest';
import { DeviceMemory } from '../../runtime/memory.ts';

interface FakeBuffer {
  readonly size: number;
  destroy(): void;
}

function create(limit: number) {
  const alive = new Set<FakeBuffer>();
  const device = {
    createBuffer: ({ size }: { size: number }): FakeBuffer => {
      const buffer = { size, destroy: () => void alive.delete(buffer) };
      alive.add(buffer);
      return buffer;
    },
    createTexture: ({ size: [width, height] }: { size: [number, number] }): FakeBuffer & { createView(): void } => {
      const texture = { size: width * height * 16, destroy: () => void alive.delete(texture), createView: () => undefined };
      alive.add(texture);
      return texture;
    },
    limits: { maxTextureDimension2D: 64 },
  } as unknown as GPUDevice;
  return { alive, memory: new DeviceMemory(device, limit) };
}

test('counts by owner, rounds up to whole vectors, gives back', () => {
  const { memory, alive } = create(1000);
  const weights = memory.create('weights', 'w', 100, 0);
  memory.create('kv', 'k', 1, 0);
  expect(memory.usage()).toEqual({ weights: 112, kv: 16 });
  memory.release('weights', weights);
  memory.release('weights', weights);
  expect(memory.usage()).toEqual({ weights: 0, kv: 16 });
  expect(alive.size).toBe(1);
  memory[Symbol.dispose]();
  expect([alive.size, memory.total]).toEqual([0, 0]);
});

test('refuses before the device is asked, and says how much is needed and free', () => {
  const { memory, alive } = create(4096);
  memory.create('weights', 'w', 2048, 0);
  expect(() => memory.create('kv', 'k', 3 * 1024, 0)).toThrow(
    'The KV cache needs 3.0 KiB, and 2.0 KiB are free. Lower --context or --max-sequences, or choose a smaller model.',
  );
  expect(alive.size).toBe(1);
  expect(() => memory.reserve('kv', 2048)).not.toThrow();
});

test('textures count by their vectors, and one too wide or too high is refused before the device is asked', () => {
  const { memory, alive } = create(64 * 64 * 16);
  memory.createPlane('kv', 'k', 64, 2, 'rgba32uint');
  expect(memory.usage()).toEqual({ kv: 64 * 2 * 16 });
  expect(() => memory.createVectors('activations', 'x', 'texture', 65, 1)).toThrow(
    /^The working memory of a step needs 65 x 1 vectors, and 64 x 64 are free\./,
  );
  expect(() => memory.createPlane('activations', 'x', 1, 65, 'rgba32float')).toThrow('needs 1 x 65 vectors');
  expect(() => memory.createPlane('weights', 'w', 64, 63, 'rgba32uint')).toThrow('The weights');
  expect(alive.size).toBe(1);
  memory[Symbol.dispose]();
  expect([alive.size, memory.total]).toEqual([0, 0]);
});

/** A model whose loading fails half way leaves nothing on the device: every buffer and texture that was made is destroyed, and the device too. */
import { ftruncateSync, openSync } from 'node:fs';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { createEngine } from '../../../runtime/engine.ts';
import { convertSeeded } from '../../gguf/convert.ts';
import { modelBytes } from '../../gguf/model.ts';
import { createFolder } from '../../gguf-file.ts';
import { testDevice } from '../../gpu.ts';
import { readSeeded } from '../../seeded.ts';

const folder = createFolder();
afterAll(folder.remove);

type Made = GPUBuffer | GPUTexture;

/** Counts of what is made from now on, and of what of it is alive. */
function watch(): { readonly made: number; readonly alive: number; readonly size: number; readonly devices: number } {
  const alive = new Map<Made, number>();
  const [counts, device] = [{ made: 0, size: 0, devices: 0 }, GPUDevice.prototype];
  const keep = <T extends Made>(made: T, size: number): T => {
    const destroy = made.destroy.bind(made);
    made.destroy = () => {
      alive.delete(made);
      destroy();
    };
    alive.set(made, size);
    counts.made++;
    counts.size += size;
    return made;
  };
  const { createBuffer, createTexture, destroy } = device;
  const spies = [
    vi.spyOn(device, 'createBuffer').mockImplementation(function (this: GPUDevice, what) {
      return keep(createBuffer.call(this, what), what.size);
    }),
    vi.spyOn(device, 'createTexture').mockImplementation(function (this: GPUDevice, what) {
      const [width = 1, height = 1] = what.size as number[];
      return keep(createTexture.call(this, what), width * height * 16);
    }),
    vi.spyOn(device, 'destroy').mockImplementation(function (this: GPUDevice) {
      counts.devices++;
      return destroy.call(this);
    }),
  ];
  onTestFinished(() => spies.forEach((spy) => void spy.mockRestore()));
  return {
    get made() {
      return counts.made;
    },
    get alive() {
      return alive.size;
    },
    get size() {
      return counts.size;
    },
    get devices() {
      return counts.devices;
    },
  };
}

const options = { device: testDevice(), contextLength: 64, maxSequences: 1, kvTokens: 64 } as const;
const bytes = modelBytes(convertSeeded(readSeeded('qwen3_moe')));

test('a file that becomes shorter while it is read', { timeout: 200_000 }, async () => {
  const modelPath = folder.write(bytes);
  const fd = openSync(modelPath, 'r+');
  const seen = watch();
  let alive = 0;
  const opened = createEngine({
    ...options,
    modelPath,
    onProgress: ({ part, done, total }) => {
      if (part !== 'weights' || done < total / 2) return;
      alive = Math.max(alive, seen.alive);
      ftruncateSync(fd, bytes.length / 2);
    },
  });
  await expect(opened).rejects.toMatchObject({ code: 'gguf_invalid' });
  // Some matrices were there by then.
  expect(alive).toBeGreaterThan(5);
  expect(seen.size).toBeGreaterThan(bytes.length / 8);
  expect([seen.alive, seen.devices]).toEqual([0, 1]);
});

test('whoever is told of the progress throws, after the weights', { timeout: 200_000 }, async () => {
  const seen = watch();
  const opened = createEngine({
    ...options,
    modelPath: folder.write(bytes),
    onProgress: ({ part }) => {
      if (part === 'kernels') throw new Error('enough');
    },
  });
  await expect(opened).rejects.toThrow('enough');
  expect(seen.made).toBeGreaterThan(20);
  expect([seen.alive, seen.devices]).toEqual([0, 1]);
});

test('an engine that is closed leaves as little', { timeout: 200_000 }, async () => {
  const seen = watch();
  const engine = await createEngine({ ...options, modelPath: folder.write(bytes) });
  expect(seen.alive).toBeGreaterThan(20);
  await engine[Symbol.asyncDispose]();
  expect([seen.alive, seen.devices]).toEqual([0, 1]);
});

/** A step's words reach their places, and nothing of them is left in the memory that they went through. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Uploads } from '../../runtime/uploads.ts';
import { Gpu } from '../gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await Gpu.create();
});
afterAll(() => {
  gpu.memory[Symbol.dispose]();
  gpu.open[Symbol.dispose]();
});

const count = (length: number, from: number): Uint32Array => Uint32Array.from({ length }, (_, i) => from + i);

test('step after step', async () => {
  const { device } = gpu.open;
  const uploads = await Uploads.create(device, gpu.memory, 4096);
  const [first, second] = [gpu.buffer(new Uint32Array(700)), gpu.buffer(new Uint32Array(300))];
  const step = async (): Promise<void> => {
    device.queue.submit([uploads.finish()]);
    await uploads.request();
    uploads.recycle();
  };
  uploads.add(count(700, 1), first.buffer, 0);
  uploads.add(count(200, 5000), second.buffer, 400);
  await step();
  uploads.add(count(3, 9000), first.buffer, 8);
  await step();
  expect(await gpu.readWords(first)).toEqual(Uint32Array.from([1, 2, 9000, 9001, 9002, ...count(695, 6)]));
  expect(await gpu.readWords(second)).toEqual(Uint32Array.from([...new Uint32Array(100), ...count(200, 5000)]));
  // All of the memory, as the device sees it.
  const [own] = gpu.memory.madeFor('uploads');
  if (own === undefined || 'width' in own) throw new Error('Expected the buffer of the uploads.');
  const all = gpu.buffer(count(1024, 1));
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(own, 0, all.buffer, 0, 4096);
  device.queue.submit([uploads.finish(), encoder.finish()]);
  expect(await gpu.readWords(all)).toEqual(new Uint32Array(1024));
});

test('more than there is room for is refused before the device would fail', async () => {
  const uploads = await Uploads.create(gpu.open.device, gpu.memory, 64);
  const target = gpu.buffer(new Uint32Array(64));
  expect(() => uploads.add(count(17, 1), target.buffer, 0)).toThrow(RangeError);
});

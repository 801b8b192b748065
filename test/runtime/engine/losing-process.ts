/**
 * The engine's process, but for two things: with SIGUSR2 its device makes an error that nobody expects, as a driver in trouble does; with
 * SIGHUP it is asked for more memory than any device has.
 */
import { globals } from 'webgpu';

type Maker = (this: GPUAdapter, ...args: unknown[]) => Promise<GPUDevice>;
const { prototype } = (globals as unknown as { readonly GPUAdapter: { readonly prototype: { requestDevice: Maker } } }).GPUAdapter;
const request = prototype.requestDevice;

prototype.requestDevice = async function (...args) {
  const device = await request.apply(this, args);
  // A buffer for no use is not valid.
  process.on('SIGUSR2', () => device.createBuffer({ size: 16, usage: 0 }));
  const { maxTextureDimension2D: side, maxTextureArrayLayers: layers } = device.limits;
  // Within all limits, and 256 GiB at least.
  process.on('SIGHUP', () => device.createTexture({ size: [side, side, layers], format: 'rgba32float', usage: GPUTextureUsage.COPY_DST }));
  return device;
};

await import('../../../runtime/host/process.ts');

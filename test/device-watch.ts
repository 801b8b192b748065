/**
 * Owns a look at what an engine in this process does on the device: every object it makes is counted, and its KV pools
 * can be read. Wraps Dawn's own class, so that the engine needs no door for tests.
 */
import { globals } from 'webgpu';

type Maker = (this: GPUDevice, ...args: unknown[]) => unknown;
const prototype = (globals as unknown as { readonly GPUDevice: { readonly prototype: Record<string, Maker> } }).GPUDevice.prototype;

export class DeviceWatch implements Disposable {
  /** Objects made so far, by the method that made them. */
  readonly made: Record<string, number> = {};
  readonly #pools = new Map<GPUBuffer | GPUTexture, GPUDevice>();
  readonly #originals = new Map<string, Maker>();

  constructor() {
    for (const name of Object.getOwnPropertyNames(prototype).filter((method) => method.startsWith('create'))) {
      const original = prototype[name] as Maker;
      this.#originals.set(name, original);
      const { made } = this;
      const pools = this.#pools;
      prototype[name] = function (this: GPUDevice, ...args: unknown[]): unknown {
        made[name] = (made[name] ?? 0) + 1;
        const result = original.apply(this, args);
        const isStore = name === 'createBuffer' || name === 'createTexture';
        if (isStore && /^KV \d+$/.test((args[0] as GPUObjectDescriptorBase).label ?? '')) pools.set(result as GPUBuffer | GPUTexture, this);
        return result;
      };
    }
  }

  /** Objects that a step may not make: all but the encoder of its one command buffer. */
  get lasting(): number {
    return Object.entries(this.made).reduce((sum, [name, count]) => sum + (name === 'createCommandEncoder' ? 0 : count), 0);
  }

  /** Words of all KV pools that are not zero, and how many there are. */
  async readKv(): Promise<{ used: number; total: number }> {
    let used = 0;
    let total = 0;
    for (const [pool, device] of this.#pools) {
      const create = this.#originals.get('createBuffer') as Maker;
      // Rows of 16-byte vectors; those of a copied texture begin at multiples of 256 bytes.
      const row = 'width' in pool ? pool.width * 16 : pool.size;
      const rows = 'width' in pool ? pool.height : 1;
      const bytesPerRow = Math.ceil(row / 256) * 256;
      const staging = create.call(device, { size: bytesPerRow * rows, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }) as GPUBuffer;
      const encoder = device.createCommandEncoder();
      if ('width' in pool) encoder.copyTextureToBuffer({ texture: pool }, { buffer: staging, bytesPerRow }, { width: pool.width, height: rows });
      else encoder.copyBufferToBuffer(pool, 0, staging, 0, row);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const words = new Uint32Array(staging.getMappedRange());
      total += (row * rows) / 4;
      // What fills a row is zero, because a new buffer is.
      for (let i = 0; i < words.length; i++) if (words[i] !== 0) used++;
      staging.destroy();
    }
    return { used, total };
  }

  [Symbol.dispose](): void {
    for (const [name, original] of this.#originals) prototype[name] = original;
  }
}

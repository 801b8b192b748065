/** Owns the device's own ceilings: how fast it copies, and how fast it multiplies and adds; the quickest of the times, since it is a ceiling. */

import { shortPause, waitFor } from '../../runtime/waiting.ts';
import { type Stopwatch, timeRuns } from './stopwatch.ts';
import type { Workbench } from './workbench.ts';

export interface Ceilings {
  /** Bytes read and written by a copy of 64 MiB, on a GPU of 512 MiB, in GB/s. */
  readonly copy: number;
  /** Multiplies and adds of f32 in registers, in GFLOP/s. */
  readonly multiplyAdd: number;
}

/** What fills a device: more bytes than its caches hold, more workgroups than it has room for. */
const extents = { cpu: { copySize: 64 * 2 ** 20, groups: 256 }, gpu: { copySize: 512 * 2 ** 20, groups: 16_384 } };
const extentOf = ({ open }: Workbench): (typeof extents)['cpu'] => (open.driver.name === 'gpu' ? extents.gpu : extents.cpu);
const turns = 4096;
/** Independent sums of a lane. */
const chains = 8;

export async function measureCeilings(bench: Workbench, stopwatch: Stopwatch): Promise<Ceilings> {
  return { copy: await measureCopy(bench), multiplyAdd: await measureArithmetic(bench, stopwatch) };
}

/** By the clock: a copy is no pass that timestamps could be written at. It takes long enough. */
async function measureCopy(bench: Workbench): Promise<number> {
  const { device } = bench.open;
  const { copySize } = extentOf(bench);
  const [from, to] = [bench.empty(copySize), bench.empty(copySize)];
  const { quickestMs } = await timeRuns(async (count) => {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < count; i++) encoder.copyBufferToBuffer(from.buffer, 0, to.buffer, 0, copySize);
    const started = performance.now();
    device.queue.submit([encoder.finish()]);
    await waitFor(device.queue.onSubmittedWorkDone(), shortPause);
    return performance.now() - started;
  });
  return (2 * copySize) / quickestMs / 1e6;
}

async function measureArithmetic(bench: Workbench, stopwatch: Stopwatch): Promise<number> {
  const { device, subgroupSize: lanes } = bench.open;
  const { groups } = extentOf(bench);
  const module = device.createShaderModule({ code: multiplyAddText(lanes) });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const entries = [{ binding: 0, resource: bench.empty(groups * lanes * 4) }];
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const { quickestMs } = await stopwatch.time((pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(groups);
  });
  return (groups * lanes * turns * chains * 2) / quickestMs / 1e6;
}

function multiplyAddText(lanes: number): string {
  const each = (text: (i: number) => string): string => Array.from({ length: chains }, (_, i) => text(i)).join(' ');
  return `@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@compute @workgroup_size(${lanes})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let factor = f32(id.x) * 1e-9;
  ${each((i) => `var s${i} = factor + ${i}.0;`)}
  for (var turn = 0u; turn < ${turns / 8}u; turn++) {
    ${Array.from({ length: 8 }, () => each((i) => `s${i} = s${i} * factor + 1.5;`)).join('\n    ')}
  }
  sums[id.x] = ${Array.from({ length: chains }, (_, i) => `s${i}`).join(' + ')};
}`;
}

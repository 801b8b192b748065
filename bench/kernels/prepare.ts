/** Owns the making ready of an operation outside of an engine: its parameters in a uniform of its own. */
import type { Operation } from '../../kernels/kernel.ts';
import type { PipelineCache, PreparedOperation } from '../../kernels/pipeline.ts';
import { type DeviceMemory, wholeBuffer } from '../../runtime/memory.ts';

export function prepareAlone(device: GPUDevice, memory: DeviceMemory, pipelines: PipelineCache, operation: Operation): Promise<PreparedOperation> {
  const { params } = operation;
  if (params === undefined) return pipelines.prepare(operation, undefined);
  const uniform = memory.create('activations', 'params', params.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  device.queue.writeBuffer(uniform, 0, params);
  return pipelines.prepare(operation, wholeBuffer(uniform));
}

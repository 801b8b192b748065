/**
 * Owns the way from a variant to a compiled, labelled, cached pipeline, and from an operation to a dispatch of it.
 * Refuses to submit: the runner does.
 */
import { compose, type Subgroups } from './compose.ts';
import type { BindingKind, Operation, Slice, StepCounts, TexelFormat, Variant, Vectors } from './kernel.ts';

export interface Pipeline {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** An operation with everything that a dispatch of it needs. */
export interface PreparedOperation {
  readonly operation: Operation;
  readonly pipelines: readonly Pipeline[];
  readonly groups: readonly GPUBindGroup[];
}

/** Encodes the operation as the counts of the step ask for; gives the kernel's label, or undefined where they leave nothing to do. */
export function dispatch(pass: GPUComputePassEncoder, { operation, pipelines, groups }: PreparedOperation, counts: StepCounts): string | undefined {
  const variant = operation.choose(counts);
  const x = operation.gridX(counts, variant);
  const y = operation.gridY(counts, variant);
  const pipeline = pipelines[variant];
  const group = groups[variant];
  if (x === 0 || y === 0 || pipeline === undefined || group === undefined) return undefined;
  pass.setPipeline(pipeline.pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(x, y);
  return pipeline.label;
}

function bindingLayout(kind: BindingKind): Pick<GPUBindGroupLayoutEntry, 'buffer' | 'storageTexture'> {
  if (kind === 'uniform') return { buffer: { type: 'uniform' } };
  const [access, format] = kind.split(' ') as ['read' | 'write', TexelFormat | undefined];
  if (format === undefined) return { buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' } };
  return { storageTexture: { access: access === 'read' ? 'read-only' : 'write-only', format } };
}

/** Compilers that run at the same time: more only pile up the memory of texts in work, which stays with the process. */
const compilers = 2;

function keyOf({ label, constants = {} }: Variant): string {
  return `${label} ${JSON.stringify(constants)}`;
}

export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #subgroups: Subgroups;
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #pipelines = new Map<string, Promise<Pipeline>>();
  /** What each compiler does last. */
  readonly #queues: Promise<unknown>[] = Array.from({ length: compilers }, () => Promise.resolve());
  #next = 0;

  /** `pinSubgroups`: see compose; the device must have `subgroup-size-control`. */
  constructor(device: GPUDevice, pinSubgroups = false) {
    this.#device = device;
    this.#subgroups = !device.features.has('subgroups') ? 'emulated' : pinSubgroups ? 'pinned' : 'native';
  }

  /** Compiles once per label and constants; rejects with the label and the compiler's message. */
  get(variant: Variant): Promise<Pipeline> {
    const key = keyOf(variant);
    let found = this.#pipelines.get(key);
    if (found === undefined) {
      const compiler = this.#next++ % compilers;
      found = Promise.resolve(this.#queues[compiler]).then(() => this.#compile(variant));
      // Whoever asked for it gets the failure; the next one only waits for its end.
      this.#queues[compiler] = found.catch(() => undefined);
      this.#pipelines.set(key, found);
    }
    return found;
  }

  /** Lets go of pipelines that nothing will use; what is also among `kept` stays. */
  forget(variants: readonly Variant[], kept: readonly Variant[]): void {
    const keys = new Set(kept.map(keyOf));
    for (const key of variants.map(keyOf)) if (!keys.has(key)) this.#pipelines.delete(key);
  }

  /** Compiles every variant that the operation can choose, and binds each to its buffers and, where it has parameters, to `uniform`. */
  async prepare(operation: Operation, uniform: Slice | undefined): Promise<PreparedOperation> {
    const pipelines = await Promise.all(operation.variants.map((variant) => this.get(variant)));
    const resources = uniform === undefined ? operation.resources : [...operation.resources, uniform];
    return { operation, pipelines, groups: pipelines.map((pipeline) => this.bind(pipeline, resources)) };
  }

  /** Bind group of an operation's resources, the uniform last. */
  bind(pipeline: Pipeline, resources: readonly Vectors[]): GPUBindGroup {
    return this.#device.createBindGroup({
      label: pipeline.label,
      layout: pipeline.layout,
      entries: resources.map((resource, binding) => ({ binding, resource: 'view' in resource ? resource.view : resource })),
    });
  }

  #layoutOf(bindings: readonly BindingKind[]): GPUBindGroupLayout {
    const key = bindings.join();
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      layout = this.#device.createBindGroupLayout({
        label: key,
        entries: bindings.map((kind, binding) => ({ binding, visibility: 4 /* GPUShaderStage.COMPUTE */, ...bindingLayout(kind) })),
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  async #compile(variant: Variant): Promise<Pipeline> {
    const { label } = variant;
    const layout = this.#layoutOf(variant.bindings);
    const module = this.#device.createShaderModule({ label, code: compose(variant, this.#subgroups) });
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label,
        layout: this.#device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main' },
      });
      return { label, pipeline, layout };
    } catch (error) {
      // What the compiler says of the text, where it is the text.
      const { messages } = await module.getCompilationInfo();
      const first = messages.find(({ type }) => type === 'error');
      const reason = first === undefined ? (error instanceof Error ? error.message : String(error)) : `line ${first.lineNum}: ${first.message}`;
      throw new Error(`kernel ${label} does not compile: ${reason}`);
    }
  }
}

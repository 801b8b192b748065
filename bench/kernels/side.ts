/**
 * Owns the sides of the kernel comparison: our matmul, with f32 and with int8 activations; MatMulNBits of onnxruntime behind WebGPU on the same device and on the CPU; the
 * multiplication of llama.cpp behind Vulkan on the same device and on the CPU.
 * Each runs in a process of its own. Refuses a result that is not the product.
 */
import { join } from 'node:path';
import type { DeviceName } from '../../runtime/index.ts';
import { summarize } from '../arithmetic.ts';
import { Child, PeerError } from '../child.ts';
import { isInstalled, peerEnvironment } from '../peer.ts';
import { type ChainPlan, rateOf } from './chain.ts';
import type { Timed } from './serve.ts';

export const sideNames = ['ours', 'oursInt8', 'ortWebgpu', 'ortCpu', 'llamaVulkan', 'llamaCpu'] as const;
export type SideName = (typeof sideNames)[number];

interface SideInfo {
  readonly label: string;
  readonly file: string;
  /** What must be installed; nothing for ours. */
  readonly packages: readonly string[];
  /** onnxruntime's execution provider, llama.cpp's back end. */
  readonly provider?: 'webgpu' | 'vulkan' | 'cpu';
  /** 4: int8 activations, faster on the CPU; 0: f32, faster behind WebGPU on lavapipe. */
  readonly accuracyLevel?: 0 | 4;
  /** Ours; default f32. */
  readonly activations?: 'int8';
  /**
   * Largest error of a result: of f32 sums, and of int8 activations (each off by up to half a step of 1/127 of its block's largest,
   * some 0.4 % in each of the 34 matrices of the longest chain).
   */
  readonly errorBound: number;
}

const ourFile = join(import.meta.dirname, 'process.ts');
const [ortFile = '', ggmlFile = ''] = ['ort.mjs', 'ggml.mjs'].map((file) => join(import.meta.dirname, '..', 'peers', file));
const sides: Readonly<Record<SideName, SideInfo>> = {
  ours: { label: 'Inward', file: ourFile, packages: [], errorBound: 1e-4 },
  oursInt8: { label: 'Inward, int8', file: ourFile, packages: [], activations: 'int8', errorBound: 0.1 },
  ortWebgpu: { label: 'onnxruntime WebGPU', file: ortFile, packages: ['onnxruntime-node'], provider: 'webgpu', accuracyLevel: 0, errorBound: 1e-4 },
  ortCpu: { label: 'onnxruntime CPU', file: ortFile, packages: ['onnxruntime-node'], provider: 'cpu', accuracyLevel: 4, errorBound: 0.1 },
  // int8 activations on the CPU; halves behind Vulkan.
  llamaVulkan: { label: 'llama.cpp Vulkan', file: ggmlFile, packages: ['node-llama-cpp', 'koffi'], provider: 'vulkan', errorBound: 0.1 },
  llamaCpu: { label: 'llama.cpp CPU', file: ggmlFile, packages: ['node-llama-cpp', 'koffi'], provider: 'cpu', errorBound: 0.1 },
};

/** Whether what this side multiplies with is there. */
export function hasSide(name: SideName): boolean {
  return sides[name].packages.every(isInstalled);
}

export function labelOf(name: SideName): string {
  return sides[name].label;
}

/** A decoding step of one sequence, and a prefill of the engine's token budget; a plan may name others. */
export const tokenCounts: readonly number[] = [1, 128];

export interface KernelSample {
  readonly chain: string;
  readonly tokens: number;
  /** GB/s of weights for one vector, which reads them once; GFLOP/s for more, which is arithmetic. */
  readonly rate: number;
}

export interface SideOptions {
  readonly device: DeviceName;
  /** Of the CPU. */
  readonly threadCount: number;
  readonly plans: readonly ChainPlan[];
}

/** Every chain with every count of vectors. Throws PeerError, also when a result is not the product. */
export async function measureSide(name: SideName, { device, threadCount, plans }: SideOptions): Promise<KernelSample[]> {
  const { file, provider, accuracyLevel, activations, errorBound } = sides[name];
  await using child = new Child(file, provider === 'cpu' ? {} : peerEnvironment(device));
  await child.ask({ type: 'open', options: { device, provider, threadCount, accuracyLevel, activations } });
  const samples: KernelSample[] = [];
  for (const plan of plans) {
    const counts = plan.tokens ?? tokenCounts;
    await child.ask({ type: 'load', plan, mostTokens: Math.max(...counts) });
    for (const tokens of counts) {
      const { times, error } = await child.ask<Timed>({ type: 'run', tokens });
      if (!(error <= errorBound)) throw new PeerError(`its product is off by ${error.toExponential(1)} of its size, expected at most ${errorBound}`);
      samples.push({ chain: plan.name, tokens, rate: rateOf(plan, tokens, summarize(times).median) });
    }
  }
  return samples;
}

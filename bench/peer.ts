/**
 * Owns the other engines: which there are, whether they are installed, and llama.cpp as a subject of the bench.
 * Refuses to install anything unasked.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseDriver, driverEnvironment } from '../runtime/drivers.ts';
import type { DeviceName } from '../runtime/index.ts';
import { runCommand } from '../scripts/setup/command.ts';
import { Child, PeerError } from './child.ts';
import { readTreeMemory } from './memory.ts';
import type { Subject } from './subject.ts';

const folder = join(import.meta.dirname, 'peers');

/** llama.cpp behind Vulkan and on the CPU; the kernels of onnxruntime. */
export const peerNames = ['vulkan', 'cpu', 'ort'] as const;
export type PeerName = (typeof peerNames)[number];
export type LlamaName = Exclude<PeerName, 'ort'>;
export const peerLabels: Readonly<Record<LlamaName, string>> = { vulkan: 'llama.cpp Vulkan', cpu: 'llama.cpp CPU' };
const packages: Readonly<Record<PeerName, string>> = { vulkan: 'node-llama-cpp', cpu: 'node-llama-cpp', ort: 'onnxruntime-node' };

/** Whether the locked version of this peer is there. */
export function hasPeer(name: PeerName): boolean {
  const installed = join(folder, 'node_modules', packages[name], 'package.json');
  return existsSync(installed) && readJson(installed).version === readJson(join(folder, 'package.json')).dependencies?.[packages[name]];
}

/** Installs what bench/peers/package-lock.json names (450 MB). Throws PeerError. */
export async function installPeers(): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new PeerError(`there is no build of the peers for ${process.platform} ${process.arch}`);
  // Install scripts would compile llama.cpp and fetch CUDA from outside of the registry.
  await runCommand('npm', ['ci', '--prefix', folder, '--omit=optional', '--ignore-scripts'], { cwd: folder }).catch((error: unknown) => {
    throw new PeerError(`npm could not install the peers: ${error instanceof Error ? error.message : 'unknown'}`);
  });
}

export interface LlamaOptions {
  readonly name: LlamaName;
  readonly modelPath: string;
  /** The device that ours runs on; the Vulkan peer takes the same driver. */
  readonly device: DeviceName;
  /** Of the CPU peer. */
  readonly threadCount: number;
}

/** Throws PeerError. */
export async function openLlama({ name, modelPath, device, threadCount }: LlamaOptions): Promise<Subject> {
  // llama.cpp leaves out Vulkan devices that are CPUs unless they are named.
  const driver = name === 'vulkan' ? { ...driverEnvironment(chooseDriver(device)), GGML_VK_VISIBLE_DEVICES: '0' } : {};
  const started = performance.now();
  const child = new Child(join(folder, 'llama.mjs'), driver);
  try {
    const opened = await child.ask<{ readonly device: string }>({ type: 'open', gpu: name === 'vulkan', modelPath, threadCount });
    return {
      loadMs: performance.now() - started,
      device: opened.device,
      run: async (prompts, newTokens) =>
        (await child.ask<{ readonly times: number[][] }>({ type: 'run', prompts: prompts.map((ids) => [...ids]), newTokens })).times,
      readMemory: () => readTreeMemory(child.pid),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}

function readJson(path: string): { readonly version?: string; readonly dependencies?: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/**
 * Owns the other engines: which there are, whether they are installed, and each as a subject of the bench.
 * Refuses to install anything unasked.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseDriver, driverEnvironment } from '../runtime/drivers.ts';
import type { DeviceName } from '../runtime/index.ts';
import { runCommand } from '../scripts/setup/command.ts';
import { Child, PeerError } from './child.ts';
import { readTreeMemory } from './memory.ts';
import type { Subject } from './subject.ts';

const folder = join(import.meta.dirname, 'peers');

/** llama.cpp behind Vulkan and on the CPU; transformers.js behind WebGPU; the kernels of onnxruntime. */
export const peerNames = ['vulkan', 'cpu', 'transformers', 'ort'] as const;
export type PeerName = (typeof peerNames)[number];
/** What runs whole models. */
export type EngineName = Exclude<PeerName, 'ort'>;
export const peerLabels: Readonly<Record<EngineName, string>> = { vulkan: 'llama.cpp Vulkan', cpu: 'llama.cpp CPU', transformers: 'transformers.js' };
const packages: Readonly<Record<PeerName, string>> = {
  vulkan: 'node-llama-cpp',
  cpu: 'node-llama-cpp',
  transformers: '@huggingface/transformers',
  ort: 'onnxruntime-node',
};

/** Whether the locked version of this peer is there. */
export function hasPeer(name: PeerName): boolean {
  return isInstalled(packages[name]);
}

/** Whether a package of bench/peers is there in its locked version. */
export function isInstalled(name: string): boolean {
  const installed = join(folder, 'node_modules', name, 'package.json');
  return existsSync(installed) && readJson(installed).version === readJson(join(folder, 'package.json')).dependencies?.[name];
}

/** Installs what bench/peers/package-lock.json names (660 MB). Throws PeerError. */
export async function installPeers(): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new PeerError(`there is no build of the peers for ${process.platform} ${process.arch}`);
  // Install scripts would compile llama.cpp and fetch CUDA from outside of the registry.
  await runCommand('npm', ['ci', '--prefix', folder, '--omit=optional', '--ignore-scripts'], { cwd: folder }).catch((error: unknown) => {
    throw new PeerError(`npm could not install the peers: ${error instanceof Error ? error.message : 'unknown'}`);
  });
}

/** A model as a peer opens it; disposing takes away what was made for it. */
export interface PeerModel extends Disposable {
  readonly path: string;
}

/** transformers.js opens no GGUF file, so a folder is made of it, which takes seconds. Throws PeerError. */
export async function prepareModel(name: EngineName, modelPath: string): Promise<PeerModel> {
  if (name !== 'transformers') return { path: modelPath, [Symbol.dispose]: () => undefined };
  const path = mkdtempSync(join(tmpdir(), 'inward-model-'));
  const dispose = (): void => rmSync(path, { recursive: true, force: true });
  try {
    await using child = new Child(join(import.meta.dirname, 'onnx', 'process.ts'), {});
    await child.ask({ type: 'write', modelPath, folder: path });
    return { path, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

export interface PeerOptions {
  readonly name: EngineName;
  /** Of a PeerModel. */
  readonly path: string;
  /** The device that ours runs on; peers behind Vulkan and WebGPU take the same driver. */
  readonly device: DeviceName;
  /** On the CPU. */
  readonly threadCount: number;
}

/** Throws PeerError. */
export async function openPeer({ name, path, device, threadCount }: PeerOptions): Promise<Subject> {
  const started = performance.now();
  const child = new Child(join(folder, name === 'transformers' ? 'transformers.mjs' : 'llama.mjs'), name === 'cpu' ? {} : peerEnvironment(device));
  try {
    const place = name === 'transformers' ? { folder: path, device: 'webgpu' } : { modelPath: path, gpu: name === 'vulkan' };
    const opened = await child.ask<{ readonly device: string }>({ type: 'open', ...place, threadCount });
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

/** For what runs on the device itself. llama.cpp leaves out Vulkan devices that are CPUs unless they are named. */
export function peerEnvironment(device: DeviceName): Record<string, string> {
  return { ...driverEnvironment(chooseDriver(device)), GGML_VK_VISIBLE_DEVICES: '0' };
}

function readJson(path: string): { readonly version?: string; readonly dependencies?: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/**
 * llama.cpp as a subject of the bench: where it is installed, how its process is started and asked.
 * Refuses to install anything unasked.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseDriver, driverEnvironment } from '../runtime/drivers.ts';
import type { DeviceName } from '../runtime/index.ts';
import { runCommand } from '../scripts/setup/command.ts';
import { readTreeMemory } from './memory.ts';
import type { Subject } from './subject.ts';

const folder = join(import.meta.dirname, 'peers');
const packageFolder = join(folder, 'node_modules', 'node-llama-cpp');
/** Longest wait for one answer, in ms: a CPU device compiles the peer's kernels for minutes at the very first run, a hang takes for ever. */
const deadlineMs = 1_200_000;
/** Longest wait for its process to end by itself, in ms. */
const closeDeadlineMs = 10_000;

export const peerNames = ['vulkan', 'cpu'] as const;
export type PeerName = (typeof peerNames)[number];
export const peerLabels: Readonly<Record<PeerName, string>> = { vulkan: 'llama.cpp Vulkan', cpu: 'llama.cpp CPU' };

/** The peer did not do what it was asked; the reason is its own. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
}

/** Whether the locked version of the peers is there. */
export function hasPeers(): boolean {
  if (!existsSync(join(packageFolder, 'package.json'))) return false;
  const { version } = readJson(join(packageFolder, 'package.json'));
  const { dependencies } = readJson(join(folder, 'package.json'));
  return version === dependencies?.['node-llama-cpp'];
}

/** Installs what bench/peers/package-lock.json names (155 MB). Throws PeerError. */
export async function installPeers(): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new PeerError(`there is no build of the peers for ${process.platform} ${process.arch}`);
  await runCommand('npm', ['ci', '--prefix', folder, '--omit=optional', '--ignore-scripts'], { cwd: folder }).catch((error: unknown) => {
    throw new PeerError(`npm could not install the peers: ${error instanceof Error ? error.message : 'unknown'}`);
  });
}

export interface PeerOptions {
  readonly name: PeerName;
  readonly modelPath: string;
  /** The device that ours runs on; the Vulkan peer takes the same driver. */
  readonly device: DeviceName;
  /** Of the CPU peer. */
  readonly threadCount: number;
}

/** Throws PeerError. */
export async function openPeer({ name, modelPath, device, threadCount }: PeerOptions): Promise<Subject> {
  // llama.cpp leaves out Vulkan devices that are CPUs unless they are named.
  const driver = name === 'vulkan' ? { ...driverEnvironment(chooseDriver(device)), GGML_VK_VISIBLE_DEVICES: '0' } : {};
  const started = performance.now();
  const child = fork(join(folder, 'llama.mjs'), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, ...driver },
    execArgv: [],
  });
  try {
    const opened = await ask(child, { type: 'open', gpu: name === 'vulkan', modelPath, threadCount });
    return {
      loadMs: performance.now() - started,
      device: opened.device ?? '',
      run: async (prompts, newTokens) => (await ask(child, { type: 'run', prompts: prompts.map((ids) => [...ids]), newTokens })).times ?? [],
      readMemory: () => readTreeMemory(child.pid ?? 0),
      [Symbol.asyncDispose]: () => close(child),
    };
  } catch (error) {
    await close(child);
    throw error;
  }
}

interface Answer {
  readonly type: 'opened' | 'ran' | 'failed';
  readonly device?: string;
  readonly times?: readonly (readonly number[])[];
  readonly reason?: string;
}

function ask(child: ChildProcess, question: { readonly type: 'open' | 'run' } & Readonly<Record<string, unknown>>): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const timer = setTimeout(() => reject(new PeerError(`it gave no answer in ${deadlineMs / 1000} s`)), deadlineMs);
  const onMessage = (answer: Answer): void => (answer.type === 'failed' ? reject(new PeerError(answer.reason)) : resolve(answer));
  const onExit = (code: number | null, signal: string | null): void => reject(new PeerError(`its process ended (${signal ?? `exit code ${code}`})`));
  child
    .on('message', onMessage)
    .on('exit', onExit)
    .on('error', () => onExit(-1, null));
  if (child.connected) child.send(question, () => undefined);
  else onExit(child.exitCode, child.signalCode);
  return promise.finally(() => {
    clearTimeout(timer);
    child.off('message', onMessage).off('exit', onExit);
  });
}

async function close(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  if (child.connected) child.send({ type: 'close' }, () => undefined);
  const timer = setTimeout(() => child.kill('SIGKILL'), closeDeadlineMs);
  await exited;
  clearTimeout(timer);
}

function readJson(path: string): { readonly version?: string; readonly dependencies?: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/**
 * Owns one measured load, and what it is held against: the same files read in chunks of the same size, which is the roof. Refuses to write
 * checkpoints and to judge.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chunkSize } from '../../runtime/checkpoint/stage.ts';
import type { Driver } from '../../runtime/drivers.ts';
import { launchEngine } from '../../runtime/host/launcher.ts';
import type { EngineOptions } from '../../runtime/types.ts';
import { PeerError } from '../child.ts';
import type { LoadAnswer, LoadQuestion, LoadTimes } from './process.ts';

export interface Load extends LoadTimes {
  /** From the start of the process until the engine is ready. */
  readonly readyMs: number;
}

const file = new URL('./process.ts', import.meta.url);
const folders = ['..', '../../test'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** In a process like the server's, which opens the checkpoint `first` before. Throws PeerError. */
export async function measureLoad(options: EngineOptions, driver: Driver, first?: string): Promise<Load> {
  const started = performance.now();
  const program = { file, reads: first === undefined ? folders : [...folders, first] };
  const { process, link } = launchEngine<LoadQuestion, LoadAnswer>(options, driver, program);
  const { promise, resolve, reject } = Promise.withResolvers<Load>();
  process.on('exit', (code, signal) => reject(new PeerError(`the engine's process ended (${signal ?? `exit code ${code}`})`)));
  link.listen({
    message: (answer) => (answer.type === 'loaded' ? resolve({ ...answer, readyMs: performance.now() - started }) : reject(new PeerError(answer.reason))),
  });
  link.send({ options, driver, first });
  try {
    return await promise;
  } finally {
    process.kill('SIGKILL');
  }
}

/** Files of a checkpoint: of a folder those with weights. */
function listFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => name.endsWith('.safetensors'))
    .map((name) => join(path, name));
}

export function sizeOfFiles(path: string): number {
  return listFiles(path).reduce((total, file) => total + statSync(file).size, 0);
}

/** Bytes of the host beside what is the device's: its copy, and the buffer that the rows are repacked from. */
export function hostSizeOf({ residentPeak, residentBefore, deviceSize }: Load): number {
  return residentPeak - residentBefore - deviceSize - chunkSize / 2;
}

/** In ms: every byte once, into the same memory. */
export function timeReading(path: string): number {
  const bytes = new Uint8Array(chunkSize / 2).fill(1);
  const started = performance.now();
  for (const name of listFiles(path)) {
    const fd = openSync(name, 'r');
    try {
      for (let left = fstatSync(fd).size; left > 0; ) left -= readSync(fd, bytes, 0, Math.min(left, bytes.length), null);
    } finally {
      closeSync(fd);
    }
  }
  return performance.now() - started;
}

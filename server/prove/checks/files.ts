/**
 * Owns the claim about files: which were opened for writing (by the trace), or were changed (by the disk), and whether each belongs to
 * what the server may write.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../../runtime/index.ts';
import type { ProcessKind } from '../child.ts';
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import type { Markers } from '../markers.ts';
import type { Trace } from '../trace.ts';
import type { Text } from './texts.ts';

/** What the checks share. */
export interface Scene {
  /** Of the proof: site, work and temporary files are in it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** When the server began to listen, in ms of the epoch. */
  readonly served: number;
  readonly markers: Markers;
  readonly kindOf: (thread: number) => ProcessKind;
}

/** What is no file of a disk: devices, and the kernel's own files about the process. */
const deviceForm = /^\/dev\/(?:null|zero|tty|urandom|random|dri\/.+|nvidia.*|kfd|pts\/\d+)$|^\/proc\/(?:self|thread-self|\d+)\//;

function findCaches(environment: Scene['environment']): string[] {
  const code = environment['NODE_COMPILE_CACHE'];
  return [cacheFolder(environment), ...(code ? [code] : [])];
}

export function judgeFiles(trace: Trace | undefined, changed: readonly Text[], scene: Scene): Finding {
  const { folder, markers, environment, served, kindOf } = scene;
  const site = `${join(folder, 'site')}/`;
  const caches = findCaches(environment);
  const isListed = (path: string, time: number): boolean =>
    path.startsWith(site) || deviceForm.test(path) || (time < served && caches.some((cache) => path.startsWith(`${cache}/`)));
  if (trace === undefined) {
    const own = changed.filter(({ path }) => path.startsWith(`${folder}/`) && !path.startsWith(site));
    const places = own.map(({ path }): Place => ({ where: shorten(path, scene), process: 'none', count: 1 }));
    return doubt(
      'files',
      places,
      `strace is not installed or may not be used here: only the ${changed.length} files that were changed are known, not which were opened.`,
    );
  }
  const writes = trace.events.filter((event) => event.type === 'write');
  const places = writes
    .filter(({ path, time }) => !isListed(path, time * 1000))
    .map(({ path, thread }): Place => ({ where: markers.hide(shorten(path, scene)), process: kindOf(thread), count: 1 }));
  const rings = trace.events.filter((event) => event.type === 'ring');
  const told = `${writes.length} openings for writing and renamings were traced; the site, devices and, until the server listened, the cache folder are listed.`;
  if (trace.unknown > 0) return doubt('files', places, `${trace.unknown} calls in the trace were not understood.`);
  // libuv works on files by such a ring only; its other one is for waiting.
  if (rings.some(({ isPolled }) => isPolled))
    return doubt('files', places, 'A process works on files by a ring of calls (io_uring), which strace does not see.');
  return judge('files', places, told);
}

/** `TMPDIR/x`: the proof's own folder has a name by chance. */
function shorten(path: string, { folder }: Scene): string {
  if (path.startsWith(`${join(folder, 'tmp')}/`)) return `TMPDIR/${path.slice(folder.length + 5)}`;
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
}

interface ChangeOptions extends Pick<Scene, 'folder' | 'environment'> {
  readonly trace: Trace | undefined;
  /** Ms of the epoch. */
  readonly begun: number;
}

/**
 * Files in which something may have been left: all that were written by the trace, all in the proof's own folder, and what has changed
 * since the beginning in every folder that was written, in the cache and in the folder for temporary files.
 */
export function listChanged({ folder, environment, trace, begun }: ChangeOptions): readonly Text[] {
  const written = (trace?.events ?? []).flatMap((event) => (event.type === 'write' && !deviceForm.test(event.path) ? [event.path] : []));
  const own = ['site', 'work', 'tmp'].map((name) => join(folder, name));
  const folders = new Set([...own, ...findCaches(environment), tmpdir(), '/dev/shm', ...written.map((path) => dirname(path))]);
  const paths = new Set([...written, ...[...folders].flatMap((path) => listSince(path, begun))]);
  for (const path of paths) if (path.startsWith(`${folder}/copy/`)) paths.delete(path);
  return [...paths].map((path) => ({ path, name: path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path }));
}

/** Others write into common folders as well; what is theirs holds no marker. */
function listSince(folder: string, begun: number): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return folder === tmpdir() ? [] : listSince(path, begun);
      return entry.isFile() && (lstatSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0) >= begun ? [path] : [];
    });
  } catch {
    // Not ours to read.
    return [];
  }
}

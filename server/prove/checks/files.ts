/**
 * Owns the claim about files: which were opened for writing (by the trace), or were changed (by the disk), and whether each belongs to
 * what the server may write.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../../runtime/index.ts';
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import type { Markers } from '../markers.ts';
import type { Trace } from '../trace.ts';
import type { ProcessKind } from '../tree.ts';
import type { Text } from './texts.ts';

/** What the checks share. */
export interface Scene {
  /** Of the proof: work and temporary files of a server that it started are in it. */
  readonly folder: string;
  /** The server's, with a slash at its end. */
  readonly site: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** When the server began to listen, in ms of the epoch. */
  readonly served: number;
  /** How long it was traced, in words. */
  readonly span: string;
  readonly markers: Markers;
  readonly kindOf: (thread: number) => ProcessKind;
}

/** What is no file of a disk: devices, and the kernel's own files about the process. */
const deviceForm = /^\/dev\/(?:null|zero|tty|urandom|random|dri\/.+|nvidia.*|kfd|pts\/\d+)$|^\/proc\/(?:self|thread-self|\d+)\//;

function findCaches(environment: Scene['environment']): string[] {
  const code = environment['NODE_COMPILE_CACHE'];
  return [cacheFolder(environment), ...(code ? [code] : [])];
}

/** Whether the server may write it at any time. */
export function isListedFile(path: string, { site }: Pick<Scene, 'site'>): boolean {
  return path.startsWith(site) || deviceForm.test(path);
}

export function judgeFiles(trace: Trace | undefined, changed: readonly Text[], scene: Scene): Finding {
  const { folder, site, markers, environment, served, span, kindOf } = scene;
  const caches = findCaches(environment);
  const isListed = (path: string, time: number): boolean =>
    isListedFile(path, scene) || (time < served && caches.some((cache) => path.startsWith(`${cache}/`)));
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
  const told = `${writes.length} openings for writing and renamings were traced ${span}; the site, devices and, until the server listened, the cache folder are listed.`;
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

interface ChangeOptions extends Pick<Scene, 'folder' | 'site' | 'environment'> {
  readonly trace: Trace | undefined;
  /** Ms of the epoch. */
  readonly begun: number;
  /** Who the server runs as. */
  readonly user: number;
}

/**
 * Files in which something may have been left: all that were written by the trace, all in the site and in the proof's own folder, and what
 * has changed since the beginning in every folder that was written, in the cache and in the folders that all users share.
 */
export function listChanged({ folder, site, environment, trace, begun, user }: ChangeOptions): readonly Text[] {
  const written = (trace?.events ?? []).flatMap((event) => (event.type === 'write' && !deviceForm.test(event.path) ? [event.path] : []));
  const own = [site, ...['work', 'tmp'].map((name) => join(folder, name)), ...findCaches(environment)];
  const shared = new Set([tmpdir(), '/dev/shm']);
  const folders = new Set([...own, ...written.map((path) => dirname(path))].filter((path) => !shared.has(path)));
  const found = [...[...folders].flatMap((path) => listSince(path, begun)), ...[...shared].flatMap((path) => listSince(path, begun, user))];
  const paths = new Set([...written, ...found]);
  for (const path of paths) if (path.startsWith(`${folder}/copy/`)) paths.delete(path);
  return [...paths].map((path) => ({ path, name: path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path }));
}

/** With `sharer` those alone that lie right there and are his: others write there as well, and what is theirs holds no marker. */
function listSince(folder: string, begun: number, sharer?: number): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return sharer === undefined ? listSince(path, begun) : [];
      const { ctimeMs = 0, uid } = lstatSync(path, { throwIfNoEntry: false }) ?? {};
      return entry.isFile() && ctimeMs >= begun && (sharer === undefined || uid === sharer) ? [path] : [];
    });
  } catch {
    // Not ours to read.
    return [];
  }
}

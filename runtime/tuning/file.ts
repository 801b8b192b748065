/**
 * Owns the file in which measured choices are kept: one JSON object in the user's cache folder, by device, then by shape. It
 * holds nothing of any request. Refuses what it did not write: a file that is broken, foreign or too large is ignored as a
 * whole, with one sentence, and made anew.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../drivers.ts';
import type { TimedTile } from '../types.ts';

/** Times of a shape and what was chosen by them; tiles by name. */
export interface StoredShape {
  readonly chosen: readonly string[];
  readonly times: readonly TimedTile[];
}

/** By name of the shape. */
export type StoredShapes = Readonly<Record<string, StoredShape>>;

interface StoredDevice {
  /** Hash of the kernels that were timed. */
  readonly kernels: string;
  readonly shapes: StoredShapes;
}

interface Content {
  readonly version: number;
  readonly devices: Readonly<Record<string, StoredDevice>>;
}

/** Whose times are wanted. */
export interface TuningKey {
  /** Device, driver and processor in words. */
  readonly device: string;
  readonly kernels: string;
}

/** Of the layout of the file. */
const version = 1;
/** Bytes; a shape takes about 500, a device some ten shapes. */
const sizeLimit = 2 ** 20;
const deviceLimit = 32;

/** `tuning.json` in the user's cache folder. */
export function tuningFile(): string {
  return join(cacheFolder(), 'tuning.json');
}

/** What the file knows of a device with these kernels. `notice`: one sentence, when the file cannot be used. */
export function readTuningFile(path: string, { device, kernels }: TuningKey): { shapes: StoredShapes; notice?: string } {
  const content = read(path);
  if (typeof content === 'string') return { shapes: {}, notice: `The tuning file ${path} is ignored: ${content}.` };
  const found = Object.hasOwn(content.devices, device) ? content.devices[device] : undefined;
  return { shapes: found?.kernels === kernels ? found.shapes : {} };
}

/** Adds shapes to the file, or makes it anew if it cannot be used; what other kernels measured on the device goes. Gives one sentence when it cannot be written. */
export function writeTuningFile(path: string, { device, kernels }: TuningKey, shapes: StoredShapes): string | undefined {
  const content = read(path);
  const devices = typeof content === 'string' ? {} : content.devices;
  const own = Object.hasOwn(devices, device) && devices[device]?.kernels === kernels ? devices[device].shapes : {};
  const others = Object.entries(devices).filter(([name]) => name !== device);
  const text = format([...others.slice(-(deviceLimit - 1)), [device, { kernels, shapes: { ...own, ...shapes } }]]);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, text);
    renameSync(temporary, path);
    return undefined;
  } catch (error) {
    removeQuietly(temporary);
    return `The tuning file ${path} cannot be written (${(error as { readonly code?: string }).code ?? 'unknown error'}), so the next start measures again.`;
  }
}

/** The last device and the last shapes written stand last: where a reader would refuse the file as too large, older devices go, then half of the shapes. */
function format(devices: readonly (readonly [string, StoredDevice])[]): string {
  const text = `${JSON.stringify({ version, devices: Object.fromEntries(devices) } satisfies Content, undefined, 1)}\n`;
  if (Buffer.byteLength(text) <= sizeLimit) return text;
  const [first, ...others] = devices;
  if (first === undefined || others.length > 0) return format(others);
  const [name, { kernels, shapes }] = first;
  const entries = Object.entries(shapes);
  return format([[name, { kernels, shapes: Object.fromEntries(entries.slice(Math.ceil(entries.length / 2))) }]]);
}

/** A half-written file; where its folder is none, it is not there either, and that is an error to rmSync. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It cannot be there.
  }
}

/** The content, or why it cannot be used; a file that is not there is an empty one. */
function read(path: string): Content | string {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return { version, devices: {} };
    // A pipe or device would block or never end.
    if (!stat.isFile()) return 'it is no file';
    if (stat.size > sizeLimit) return `it has ${stat.size} bytes, expected at most ${sizeLimit}`;
    return judge(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return 'it is not JSON';
    return 'it cannot be read';
  }
}

function judge(value: unknown): Content | string {
  if (!isRecord(value)) return 'it holds no object';
  if (value['version'] !== version) return `it is of another version, expected ${version}`;
  const { devices } = value;
  const isGood = isRecord(devices) && Object.values(devices).every(isStoredDevice);
  return isGood ? (value as unknown as Content) : 'it holds something else than times of tiles';
}

/** Whether a value is what measuring gives; what comes from another process is asked. */
export function isStoredDevice(value: unknown): value is StoredDevice {
  return isRecord(value) && typeof value['kernels'] === 'string' && isRecord(value['shapes']) && Object.values(value['shapes']).every(isShape);
}

function isShape(value: unknown): value is StoredShape {
  if (!isRecord(value)) return false;
  const { chosen, times } = value;
  return Array.isArray(chosen) && chosen.every((tile) => typeof tile === 'string') && Array.isArray(times) && times.every(isTime);
}

function isTime(value: unknown): value is TimedTile {
  if (!isRecord(value)) return false;
  const { tile, tokens, ms, usualMs } = value;
  return typeof tile === 'string' && Number.isInteger(tokens) && [ms, usualMs].every((time) => typeof time === 'number' && time > 0 && time < 2 ** 31);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

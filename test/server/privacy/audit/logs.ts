/**
 * Owns how tests of the verifiers hold, change and check logs: a folder as a map, and its frames by their lengths alone.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LogReport, type LogSource, type VerifyOptions, verifyLog } from '../../../../server/privacy/audit/verify.mjs';

export const fixtures: string = join(import.meta.dirname, '../../../fixtures/audit');
export type Folder = ReadonlyMap<string, Uint8Array>;

export const readFixture = (path: string): string => readFileSync(join(fixtures, path), 'utf8');
export const readLog = (name: string): Map<string, Uint8Array> =>
  new Map(readdirSync(join(fixtures, name)).map((file) => [file, readFileSync(join(fixtures, name, file))]));

function toSource(folder: Folder): LogSource {
  return { names: [...folder.keys()], read: async (name) => folder.get(name)! };
}

export const verify = (folder: Folder, options?: VerifyOptions): Promise<LogReport> => verifyLog(toSource(folder), options);

/** `trusted`: with the first key, as an auditor has noted it. */
export const trusted = (name: string): VerifyOptions => ({ keys: [readFixture(`${name}.key`).trim()] });
export const witnessed = (name: string): VerifyOptions => ({ ...trusted(name), checkpoints: [readFixture(`${name}.witness`)] });

/** With one file changed, or without it. */
export function change(folder: Folder, name: string, bytes: Uint8Array | undefined): Map<string, Uint8Array> {
  const changed = new Map(folder);
  if (bytes === undefined) changed.delete(name);
  else changed.set(name, bytes);
  return changed;
}

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  flipped[bit >> 3]! ^= 1 << (bit & 7);
  return flipped;
}

export interface Frame {
  readonly offset: number;
  readonly end: number;
  readonly isRecord: boolean;
  readonly bytes: Uint8Array;
}

/** The frames of a good segment. */
export function listFrames(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let offset = 16;
  while (offset < bytes.length && view.getUint32(offset) > 0) {
    const end = offset + 12 + view.getUint32(offset);
    frames.push({ offset, end, isRecord: bytes[offset + 4] === 0, bytes: bytes.subarray(offset, end) });
    offset = end;
  }
  return frames;
}

/** A segment of these frames, with the beginning and the zeros of a good one. */
export function joinFrames(bytes: Uint8Array, frames: readonly Frame[]): Uint8Array {
  const end = listFrames(bytes).at(-1)?.end ?? 16;
  return Buffer.concat([bytes.subarray(0, 16), ...frames.map((frame) => frame.bytes), bytes.subarray(end)]);
}

export const places = ({ flaws }: LogReport): string[] => flaws.map(({ code, file, offset, seq }) => `${code} ${file} ${offset} ${seq}`);
export const codes = ({ flaws }: LogReport): string[] => flaws.map(({ code, file }) => `${code} ${file}`);
/** A segment of a log with its frames changed. */
export const reframe = (log: Folder, name: string, edit: (frames: Frame[]) => Frame[]): Map<string, Uint8Array> =>
  change(log, name, joinFrames(log.get(name)!, edit(listFrames(log.get(name)!))));

/** A frame with a right check. */
export function toFrame(type: number, text: string): Uint8Array {
  const data = Buffer.concat([Buffer.of(type), Buffer.from(text)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, data, createHash('sha256').update(data).digest().subarray(0, 8)]);
}

/**
 * Owns how records and checkpoints lie in a segment (docs/audit.md): frames with a length, a type and a check. Refuses nothing:
 * says how far the frames of some bytes are good, and what stands behind them.
 */
import { hash } from 'node:crypto';

/** What every segment begins with. */
export const magic: Buffer = Buffer.from('inward audit v1\n');
/** Also the prefix of a leaf of the tree, so that the check of a record is the beginning of its leaf. */
export const frameTypes = { record: 0, checkpoint: 2 } as const;
export type FrameType = keyof typeof frameTypes;
/** Largest body, in bytes. */
export const bodyLimit = 16_384;
/** Length and type, in bytes. */
export const frameHeadSize = 5;
const checkSize = 8;
/** Of a frame beside its body, in bytes. */
export const frameOverhead: number = frameHeadSize + checkSize;

export interface Frame {
  readonly type: FrameType;
  /** Of the frame, from the beginning of the file. */
  readonly offset: number;
  /** Of the frame with its check. */
  readonly size: number;
  readonly body: Buffer;
  /** SHA-256 over type and body: of a record, its leaf in the tree. */
  readonly hash: Buffer;
}

/** Bytes of a frame, and the hash over its type and body. */
export function encodeFrame(type: FrameType, body: string): { readonly bytes: Buffer; readonly hash: Buffer } {
  const length = Buffer.byteLength(body);
  if (length === 0 || length > bodyLimit) throw new RangeError('a frame of an audit log has 1 to 16384 bytes');
  const bytes = Buffer.allocUnsafe(frameHeadSize + length + checkSize);
  bytes.writeUInt32BE(1 + length, 0);
  bytes[4] = frameTypes[type];
  bytes.write(body, frameHeadSize, 'utf8');
  const digest = hash('sha256', bytes.subarray(4, frameHeadSize + length), 'buffer');
  digest.copy(bytes, frameHeadSize + length, 0, checkSize);
  return { bytes, hash: digest };
}

/** The frames from `offset` on, as far as they are good. */
export function* readFrames(bytes: Buffer, offset: number = magic.length): Generator<Frame, void, undefined> {
  let at = offset;
  for (let frame = readFrame(bytes, at); frame !== undefined; frame = readFrame(bytes, at)) {
    yield frame;
    at += frame.size;
  }
}

/** Where frames lie by their lengths alone, as far as they can be some; their checks are not looked at. */
export function* walkFrames(bytes: Buffer): Generator<Pick<Frame, 'type' | 'offset'>, void, undefined> {
  for (let offset = magic.length; offset + frameHeadSize < bytes.length; ) {
    const length = bytes.readUInt32BE(offset);
    const type = bytes[offset + 4] === frameTypes.record ? 'record' : 'checkpoint';
    if (length < 2 || length > 1 + bodyLimit || bytes[offset + 4] !== frameTypes[type] || offset + 4 + length + checkSize > bytes.length) return;
    yield { type, offset };
    offset += 4 + length + checkSize;
  }
}

/** The frame at an offset, if it is whole and its check holds. */
export function readFrame(bytes: Buffer, offset: number): Frame | undefined {
  if (offset + frameHeadSize > bytes.length) return undefined;
  const length = bytes.readUInt32BE(offset);
  const size = 4 + length + checkSize;
  if (length < 2 || length > 1 + bodyLimit || offset + size > bytes.length) return undefined;
  const typed = bytes.subarray(offset + 4, offset + 4 + length);
  const type = (Object.keys(frameTypes) as FrameType[]).find((name) => frameTypes[name] === typed[0]);
  const digest = hash('sha256', typed, 'buffer');
  const check = bytes.subarray(offset + 4 + length, offset + size);
  if (type === undefined || !digest.subarray(0, checkSize).equals(check)) return undefined;
  return { type, offset, size, body: typed.subarray(1), hash: digest };
}

/** Where the last byte that is not zero ends, from `offset` on; `offset` where there is none. */
export function findEnd(bytes: Uint8Array, offset: number): number {
  let end = bytes.length;
  while (end > offset && bytes[end - 1] === 0) end--;
  return end;
}

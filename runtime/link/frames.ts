/**
 * Owns the form in which a message crosses between two of our processes: its JSON, and behind it the bytes of its typed arrays, in one
 * frame of a buffer that the caller wipes. Refuses values that JSON does not know, but for those arrays and numbers that are not finite.
 */
import { endianness } from 'node:os';

/** The typed arrays that cross, by the number that stands for them. */
const kinds = [Uint8Array, Uint32Array, Float32Array, Float64Array] as const;
type View = InstanceType<(typeof kinds)[number]>;

/** In place of an array: kind, bytes from the end of the JSON on, elements. Of a number: its name. */
type Place = { readonly '#': readonly [kind: number, offset: number, length: number] | string };

/** Bytes in front of a frame: of all of it behind them. */
export const headSize = 4;
/** Of the JSON, behind that. */
const jsonStart = 2 * headSize;
/** Bytes of a frame: the longest text that is taken has a sixth of it. */
export const frameLimit: number = 2 ** 28;

/** The message as a frame with its head: in `scratch` where it finds room there, else in a new buffer. Throws TypeError. */
export function encodeFrame(message: object, scratch: Buffer): Buffer {
  const views: View[] = [];
  let size = 0;
  const json = JSON.stringify(message, (_, value: unknown): unknown => {
    if (typeof value === 'number' && !Number.isFinite(value)) return { '#': String(value) } satisfies Place;
    if (!ArrayBuffer.isView(value)) return value;
    const kind = kinds.findIndex((known) => value instanceof known);
    if (kind < 0) throw new TypeError('Expected a typed array that can cross.');
    const view = value as View;
    const place: Place = { '#': [kind, size, view.length] };
    views.push(view);
    size += view.byteLength;
    return place;
  });
  // No character takes more than three bytes for each of its 16 bits.
  const isSmall = jsonStart + 3 * json.length + size <= scratch.length;
  const frame = isSmall ? scratch : Buffer.allocUnsafeSlow(jsonStart + Buffer.byteLength(json) + size);
  let end = jsonStart + frame.write(json, jsonStart);
  frame.writeUInt32LE(end - jsonStart, headSize);
  for (const view of views) {
    frame.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), end);
    end += view.byteLength;
  }
  frame.writeUInt32LE(end - headSize, 0);
  return frame.subarray(0, end);
}

/** The message in a frame without its head; its arrays have memory of their own. Undefined where it is none. */
export function decodeFrame(frame: Buffer): unknown {
  const jsonEnd = headSize + frame.readUInt32LE(0);
  if (jsonEnd > frame.length) return undefined;
  const revive = (_: string, value: unknown): unknown => {
    const place = typeof value === 'object' && value !== null && '#' in value ? (value as Place)['#'] : undefined;
    if (place === undefined) return value;
    return typeof place === 'string' ? Number(place) : copyView(frame.subarray(jsonEnd), ...place);
  };
  try {
    return JSON.parse(frame.toString('utf8', headSize, jsonEnd), revive);
  } catch {
    return undefined;
  }
}

function copyView(bytes: Buffer, kind: number, offset: number, length: number): View {
  const View = kinds[kind];
  const size = length * (View?.BYTES_PER_ELEMENT ?? 0);
  if (View === undefined || !(offset >= 0 && length >= 0 && offset + size <= bytes.length)) throw new RangeError('Expected an array within the frame.');
  // Not on V8's heap, where small ones are moved about and leave copies.
  const memory = new ArrayBuffer(size);
  new Uint8Array(memory).set(bytes.subarray(offset, offset + size));
  return new View(memory);
}

/** Cuts what arrives into frames. Refuses those over the limit, and all behind one. */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void;
  readonly #head: Buffer = Buffer.alloc(headSize);
  #body: Buffer | undefined;
  /** Bytes of the head, and of the body, that are here. */
  #headEnd = 0;
  #bodyEnd = 0;
  #isBroken = false;

  /** `onFrame` is given a frame without its head, which is wiped when it returns. */
  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes bytes and wipes them; false where nothing can be read any more. */
  push(bytes: Buffer): boolean {
    try {
      for (let at = 0; at < bytes.length && !this.#isBroken; ) {
        const rest = bytes.subarray(at);
        at += this.#body === undefined ? this.#readHead(rest) : this.#readBody(this.#body, rest);
      }
    } finally {
      bytes.fill(0);
    }
    return !this.#isBroken;
  }

  /** These give how many bytes they took. */
  #readHead(bytes: Buffer): number {
    const taken = bytes.copy(this.#head, this.#headEnd, 0, headSize - this.#headEnd);
    this.#headEnd += taken;
    if (this.#headEnd < headSize) return taken;
    this.#headEnd = 0;
    const size = this.#head.readUInt32LE(0);
    this.#isBroken = size < headSize || size > frameLimit;
    if (this.#isBroken) return taken;
    if (taken + size > bytes.length) {
      this.#body = Buffer.allocUnsafeSlow(size);
      return taken;
    }
    // As a rule all of it is here.
    this.#onFrame(bytes.subarray(taken, taken + size));
    return taken + size;
  }

  #readBody(body: Buffer, bytes: Buffer): number {
    const taken = bytes.copy(body, this.#bodyEnd);
    this.#bodyEnd += taken;
    if (this.#bodyEnd < body.length) return taken;
    this.#body = undefined;
    this.#bodyEnd = 0;
    try {
      this.#onFrame(body);
    } finally {
      body.fill(0);
    }
    return taken;
  }
}

// Arrays cross as they lie in memory, which frames could not say of another order.
if (endianness() !== 'LE') throw new Error('Inward needs a processor that stores the low byte first.');

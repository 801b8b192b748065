/**
 * Owns the scales of NF4 as bitsandbytes stores them: an f32 for each run of elements, or a byte that names one of 256 numbers, times an
 * f32 for each 256 runs, plus one number (double quantization). Made here and not on the device, because a device may fuse the product and the sum.
 * Source: QuantState and dequantize_blockwise of bitsandbytes 0.50.
 */
import { invalidCheckpoint, type JsonObject, readJsonObject } from './json.ts';
import type { Tensors } from './quantized.ts';
import { runLine, type Strip } from './strips.ts';
import type { TensorHeader } from './types.ts';

const stateSuffix = '.weight.quant_state.bitsandbytes__nf4';
/** Bytes of quant_state; real ones have less than 200. */
const stateLimit = 65536;

/** The numbers that codes name; kernels/codes/nf4.wgsl has the same. */
const nf4 = Float32Array.of(
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
);

export function readAbsmax(tensors: Tensors): { readonly runLength: number; readonly scales: Strip } {
  const state = readState(tensors);
  const { rows, columns, checkpoint } = tensors;
  const runLength = readLength(tensors, state, 'blocksize');
  const shape = state['shape'];
  if (!Array.isArray(shape) || shape.join() !== [rows, columns].join())
    throw tensors.refuse(stateSuffix, 'NF4', `shape ${rows} x ${columns}`, Array.isArray(shape) && shape.length === 2 ? 'another' : 'no shape');
  const map = tensors.get('.weight.quant_map', 'NF4', ['F32'], [16]);
  if (readFloats(tensors, map).some((value, code) => !Object.is(value, nf4[code])))
    throw tensors.refuse('.weight.quant_map', 'NF4', 'the 16 numbers of NF4', 'others');
  const runs = Math.ceil((rows * columns) / runLength);
  if (!tensors.has('.weight.nested_absmax')) {
    const absmax = tensors.get('.weight.absmax', 'NF4', ['F32'], [runs]);
    return { runLength, scales: runLine(columns, runLength, 4, (first, _count, into) => checkpoint.read(absmax.offset + first * 4, into)) };
  }
  return { runLength, scales: nested(tensors, state, runs, runLength) };
}

function nested(tensors: Tensors, state: JsonObject, runs: number, runLength: number): Strip {
  const { columns, checkpoint } = tensors;
  const nestedLength = readLength(tensors, state, 'nested_blocksize');
  const offset = state['nested_offset'];
  if (typeof offset !== 'number') throw tensors.refuse(stateSuffix, 'NF4', 'a number nested_offset', 'none');
  const codes = tensors.get('.weight.absmax', 'NF4', ['U8'], [runs]);
  const numbers = readFloats(tensors, tensors.get('.weight.nested_quant_map', 'NF4', ['F32'], [256]));
  const factors = readFloats(tensors, tensors.get('.weight.nested_absmax', 'NF4', ['F32'], [Math.ceil(runs / nestedLength)]));
  return runLine(columns, runLength, 4, (first, count, into) => {
    const bytes = new Uint8Array(count);
    checkpoint.read(codes.offset + first, bytes);
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    for (const [i, byte] of bytes.entries()) {
      // As the reference rounds: the product to f32, then the sum.
      const product = Math.fround((numbers[byte] ?? 0) * (factors[Math.floor((first + i) / nestedLength)] ?? 0));
      view.setFloat32(i * 4, product + Math.fround(offset), true);
    }
  });
}

function readState(tensors: Tensors): JsonObject {
  const header = tensors.checkpoint.tensors.get(tensors.name.stem + stateSuffix);
  if (header === undefined) throw tensors.refuse(stateSuffix, 'NF4', 'JSON as U8', 'nothing');
  if (header.storage !== 'U8' || header.size > stateLimit)
    throw tensors.refuse(stateSuffix, 'NF4', `at most ${stateLimit} bytes of JSON as U8`, `${header.size} bytes of ${header.storage}`);
  const bytes = new Uint8Array(header.size);
  tensors.checkpoint.read(header.offset, bytes);
  return readJsonObject(bytes, `tensor ${tensors.name.stem}${stateSuffix}`);
}

/** Elements that share a scale: a multiple of 32, so that a block of the device has one. */
function readLength(tensors: Tensors, state: JsonObject, key: string): number {
  const value = state[key];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value % 32 === 0) return value;
  throw invalidCheckpoint(`${key} of tensor ${tensors.name.stem}${stateSuffix}`, 'a multiple of 32', typeof value === 'number' ? value : 'something else');
}

function readFloats(tensors: Tensors, header: TensorHeader): Float32Array {
  const bytes = new Uint8Array(header.size);
  tensors.checkpoint.read(header.offset, bytes);
  return new Float32Array(bytes.buffer);
}

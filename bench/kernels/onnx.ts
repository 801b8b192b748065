/**
 * Owns the ONNX file of a chain: one MatMulNBits node of onnxruntime a matrix, written as protobuf by hand (onnx.proto of ONNX 1.20:
 * field numbers beside each message). Refuses to be a general writer.
 */
import { blockColumns, type Chain, type Matrix } from './chain.ts';

const floatType = 1;
const byteType = 2;

/** What activations become on the way in: f32 as they are, int8 blocks. */
export type AccuracyLevel = 0 | 4;

/** ModelProto: input `x` and output `y`, f32 [tokens][columns], any number of tokens. */
export function encodeModel({ matrices }: Chain, accuracyLevel: AccuracyLevel): Uint8Array {
  const last = matrices.length - 1;
  const graph = message(
    ...matrices.map((matrix, i) => bytesField(1, encodeNode(matrix, i, i === last, accuracyLevel))),
    textField(2, 'chain'),
    ...matrices.flatMap((matrix, i) => [bytesField(5, encodeCodes(matrix, `codes${i}`)), bytesField(5, encodeScales(matrix, `scales${i}`))]),
    bytesField(11, encodeValue('x', matrices[0]?.columns ?? 0)),
    bytesField(12, encodeValue('y', matrices[last]?.rows ?? 0)),
  );
  const operators = (domain: string, version: number): Uint8Array => bytesField(8, message(textField(1, domain), numberField(2, version)));
  return message(numberField(1, 10), bytesField(7, graph), operators('', 21), operators('com.microsoft', 1));
}

/** NodeProto. */
function encodeNode({ rows, columns }: Matrix, index: number, isLast: boolean, accuracyLevel: AccuracyLevel): Uint8Array {
  const inputs = [index === 0 ? 'x' : `y${index - 1}`, `codes${index}`, `scales${index}`];
  const attributes = Object.entries({ K: columns, N: rows, bits: 4, block_size: blockColumns, accuracy_level: accuracyLevel });
  return message(
    ...inputs.map((name) => textField(1, name)),
    textField(2, isLast ? 'y' : `y${index}`),
    textField(3, `matmul${index}`),
    textField(4, 'MatMulNBits'),
    // AttributeProto: name, i, type INT.
    ...attributes.map(([name, value]) => bytesField(5, message(textField(1, name), numberField(3, value), numberField(20, 2)))),
    textField(7, 'com.microsoft'),
  );
}

/** TensorProto [row][block][16] of bytes: byte i holds columns 2i (low half) and 2i + 1. */
function encodeCodes({ rows, columns, codes }: Matrix, name: string): Uint8Array {
  const packed = Uint8Array.from({ length: codes.length / 2 }, (_, i) => (codes[2 * i] ?? 0) | ((codes[2 * i + 1] ?? 0) << 4));
  return encodeTensor(name, byteType, [rows, columns / blockColumns, blockColumns / 2], packed);
}

function encodeScales({ rows, columns, scales }: Matrix, name: string): Uint8Array {
  return encodeTensor(name, floatType, [rows, columns / blockColumns], new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength));
}

function encodeTensor(name: string, type: number, dimensions: readonly number[], data: Uint8Array): Uint8Array {
  return message(...dimensions.map((length) => numberField(1, length)), numberField(2, type), textField(8, name), bytesField(9, data));
}

/** ValueInfoProto of an f32 tensor [any][columns]. */
function encodeValue(name: string, columns: number): Uint8Array {
  const shape = message(bytesField(1, textField(2, 'tokens')), bytesField(1, numberField(1, columns)));
  return message(textField(1, name), bytesField(2, bytesField(1, message(numberField(1, floatType), bytesField(2, shape)))));
}

function message(...fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

/** Wire type 0: a base-128 number. */
function numberField(field: number, value: number): Uint8Array {
  return Buffer.from([...varint(field * 8), ...varint(value)]);
}

/** Wire type 2: a length and as many bytes. */
function bytesField(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function textField(field: number, text: string): Uint8Array {
  return bytesField(field, Buffer.from(text, 'utf8'));
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

/**
 * Owns the writing of ONNX files as protobuf, by hand: the messages that the graphs of the bench are made of (onnx.proto of ONNX 1.20:
 * field numbers beside each message). Refuses to be a general writer, and to know a graph.
 */

/** TensorProto.DataType. */
export const elementTypes = { f32: 1, u8: 2, i32: 6, i64: 7 } as const;
export type ElementType = keyof typeof elementTypes;

/** An encoded message. */
export type Encoded = Uint8Array;

export interface Node {
  readonly name: string;
  readonly operator: string;
  /** An empty name stands for an input or output that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers as `number`, others as `{ f32 }`. */
  readonly attributes?: Readonly<Record<string, number | { readonly f32: number }>>;
  /** Of onnxruntime's own operators. */
  readonly isContributed?: boolean;
}

export interface Value {
  readonly name: string;
  readonly type: ElementType;
  /** Lengths, or names of lengths that differ from run to run. */
  readonly shape: readonly (number | string)[];
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly tensors: readonly Encoded[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

const contributed = 'com.microsoft';

/** ModelProto: IR 10, operators of ONNX 21 and of onnxruntime. */
export function encodeGraph({ name, nodes, tensors, inputs, outputs }: Graph): Encoded {
  const graph = message(
    ...nodes.map((node) => bytesField(1, encodeNode(node))),
    textField(2, name),
    ...tensors.map((tensor) => bytesField(5, tensor)),
    ...inputs.map((value) => bytesField(11, encodeValue(value))),
    ...outputs.map((value) => bytesField(12, encodeValue(value))),
  );
  const operators = (domain: string, version: number): Encoded => bytesField(8, message(textField(1, domain), numberField(2, version)));
  return message(numberField(1, 10), bytesField(7, graph), operators('', 21), operators(contributed, 1));
}

/** NodeProto. */
function encodeNode({ name, operator, inputs, outputs, attributes = {}, isContributed }: Node): Encoded {
  return message(
    ...inputs.map((input) => textField(1, input)),
    ...outputs.map((output) => textField(2, output)),
    textField(3, name),
    textField(4, operator),
    // AttributeProto: name, then i with type INT or f with type FLOAT.
    ...Object.entries(attributes).map(([key, value]) =>
      bytesField(
        5,
        message(
          textField(1, key),
          ...(typeof value === 'number' ? [numberField(3, value), numberField(20, 2)] : [floatField(2, value.f32), numberField(20, 1)]),
        ),
      ),
    ),
    ...(isContributed ? [textField(7, contributed)] : []),
  );
}

/** TensorProto; `data` in the order of the dimensions, little-endian. */
export function encodeTensor(name: string, type: ElementType, dimensions: readonly number[], data: ArrayBufferView): Encoded {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message(...dimensions.map((length) => numberField(1, length)), numberField(2, elementTypes[type]), textField(8, name), bytesField(9, bytes));
}

/** ValueInfoProto of a tensor. */
function encodeValue({ name, type, shape }: Value): Encoded {
  const dimensions = shape.map((length) => bytesField(1, typeof length === 'number' ? numberField(1, length) : textField(2, length)));
  return message(textField(1, name), bytesField(2, bytesField(1, message(numberField(1, elementTypes[type]), bytesField(2, message(...dimensions))))));
}

function message(...fields: readonly Encoded[]): Encoded {
  return Buffer.concat(fields);
}

/** Wire type 0: a base-128 number; a negative one as 64 bits. */
function numberField(field: number, value: number): Encoded {
  return Buffer.from([...varint(BigInt(field * 8)), ...varint(BigInt.asUintN(64, BigInt(value)))]);
}

/** Wire type 5: an f32. */
function floatField(field: number, value: number): Encoded {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([Buffer.from(varint(BigInt(field * 8 + 5))), bytes]);
}

/** Wire type 2: a length and as many bytes. */
function bytesField(field: number, bytes: Encoded): Encoded {
  return Buffer.concat([Buffer.from([...varint(BigInt(field * 8 + 2)), ...varint(BigInt(bytes.length))]), bytes]);
}

function textField(field: number, text: string): Encoded {
  return bytesField(field, Buffer.from(text, 'utf8'));
}

function varint(value: bigint): number[] {
  return value < 128n ? [Number(value)] : [Number((value & 127n) | 128n), ...varint(value >> 7n)];
}

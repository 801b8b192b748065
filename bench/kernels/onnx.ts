/** Owns the ONNX file of a chain: one MatMulNBits node of onnxruntime a matrix. */
import { type AccuracyLevel, encodeMatrix, multiply } from '../onnx/four-bits.ts';
import { type Encoded, encodeGraph } from '../onnx/proto.ts';
import type { Chain } from './chain.ts';

/** Input `x` and output `y`, f32 [tokens][columns], any number of tokens. */
export function encodeModel({ matrices }: Chain, accuracyLevel: AccuracyLevel): Encoded {
  const last = matrices.length - 1;
  const nameOf = (step: number): string => (step < 0 ? 'x' : step === last ? 'y' : `y${step}`);
  return encodeGraph({
    name: 'chain',
    nodes: matrices.map((matrix, i) => multiply(`m${i}`, matrix, nameOf(i - 1), nameOf(i), accuracyLevel)),
    tensors: matrices.flatMap((matrix, i) => encodeMatrix(`m${i}`, matrix)),
    inputs: [{ name: 'x', type: 'f32', shape: ['tokens', matrices[0]?.columns ?? 0] }],
    outputs: [{ name: 'y', type: 'f32', shape: ['tokens', matrices[last]?.rows ?? 0] }],
  });
}

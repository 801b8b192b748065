/** Biases of experts in the order of their packed rows, and what is refused of experts, by the name of the tensor. No device is touched. */
import { expect, test } from 'vitest';
import { createCheckpoint, type Stored } from '../../../bench/kernels/stored.ts';
import { randomStored } from '../../../kernels/random_stored.ref.ts';
import type { ExpertsSpec } from '../../../models/index.ts';
import { findExperts, readExpertBias } from '../../../runtime/checkpoint/experts.ts';

function floats(shape: readonly number[], first = 0): Stored {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => first + i);
  return { matrix: { tensors: new Map([['', { storage: 'F32', shape, bytes: new Uint8Array(values.buffer) }]]) }, quantization: { method: 'none' } };
}

const bias = { kind: 'expertBias', experts: 2, rows: 8, parts: ['gate', 'up'] } as const;

test('biases of a tensor a part: quads of gate and up take turns', () => {
  const values = readExpertBias(createCheckpoint({ gate: floats([2, 8]), up: floats([2, 8], 100) }), bias);
  const first = [0, 1, 2, 3, 100, 101, 102, 103, 4, 5, 6, 7, 104, 105, 106, 107];
  expect(Array.from(values)).toEqual([...first, ...first.map((value) => value + 8)]);
});

test.each([
  ['inTurns', [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15]],
  ['below', [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]],
] as const)('biases of all parts in one tensor, rows %s', (rows, first) => {
  const values = readExpertBias(createCheckpoint({ both: floats([2, 16]) }), { ...bias, joined: { tensor: 'both', rows } });
  expect(Array.from(values)).toEqual([...first, ...first.map((value) => value + 16)]);
});

const spec: ExpertsSpec = { kind: 'experts', experts: 2, rows: 8, columns: 64, parts: ['x.*.gate', 'x.*.up'], joined: { tensor: 'x.both', rows: 'below' } };
const one = floats([8, 64]);
const gptq = randomStored('GPTQ4', 8, 64, 1, { hasOrder: true });

test.each<[string, Record<string, Stored>, part: string, expected: string, found: string]>([
  ['none at all', {}, 'x.0.gate.weight', 'shape 8 x 64', 'nothing'],
  ['an expert too few', { 'x.0.gate.weight': one, 'x.1.gate.weight': one, 'x.0.up.weight': one }, 'x.1.up.weight', 'shape 8 x 64', 'nothing'],
  [
    'one of another shape',
    { 'x.0.gate.weight': one, 'x.1.gate.weight': floats([64, 8]), 'x.0.up.weight': one, 'x.1.up.weight': one },
    'x.1.gate.weight',
    'shape 8 x 64',
    '64 x 8',
  ],
  ['other experts in one tensor', { 'x.gate.weight': floats([3, 8, 64]) }, 'x.gate.weight', '2 experts as the first dimension', '3 x 8 x 64'],
  ['another shape in one tensor', { 'x.gate': floats([2, 8, 32]) }, 'x.gate[0]', 'shape 8 x 64', '8 x 32'],
  ['one part too few', { 'x.gate': floats([2, 8, 64]) }, 'x.up.weight', 'shape 8 x 64', 'nothing'],
  ['half of all parts', { 'x.both': floats([2, 8, 64]) }, 'x.both[0]', 'shape 16 x 64', '8 x 64'],
  [
    'two storages',
    { 'x.0.gate.weight': one, 'x.1.gate.weight': one, 'x.0.up.weight': one, 'x.1.up': randomStored('FP8', 8, 64, 1) },
    'x.1.up.weight',
    'storage F32',
    'FP8',
  ],
  [
    'columns in an order of their own',
    Object.fromEntries(['x.0.gate', 'x.1.gate', 'x.0.up', 'x.1.up'].map((name) => [name, gptq])),
    'x.0.gate.weight',
    'own order',
    'another',
  ],
])('%s', (_, tensors, part, expected, found) => {
  try {
    findExperts(createCheckpoint(tensors), spec);
  } catch (error) {
    const { code, fields } = error as { code: string; fields: { part: string; expected: string; found: string } };
    expect(code).toBe('model_unsupported');
    expect(fields.part).toContain(`tensor ${part}`);
    expect([fields.expected.includes(expected), fields.found.includes(found)], `${fields.expected}, ${fields.found}`).toEqual([true, true]);
    return;
  }
  throw new Error('nothing was refused');
});

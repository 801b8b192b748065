/** What times decide, and which tiles there are to choose from. */
import { describe, expect, test } from 'vitest';
import type { MatrixUnit } from '../../../kernels/matrix_unit.ts';
import { candidateTiles, type KernelFamily, standardTiles, steadyFamily, type Tile, tileName, workName } from '../../../kernels/tiles.ts';
import { chooseTiles, type TilePlan } from '../../../runtime/tuning/choose.ts';
import type { TimedTile } from '../../../runtime/types.ts';

const tile = (name: string): Tile => {
  const [, tokens, quads] = /^t(\d+)q(\d+)$/.exec(name) ?? [];
  return { tokens: Number(tokens), quads: Number(quads) };
};
const plan = (candidates: string, builtIn: string): TilePlan => ({ candidates: candidates.split(' ').map(tile), builtIn: builtIn.split(' ').map(tile) });
/** `t1q2@1:3.5`, or with the usual time behind the least: `t1q2@1:3.5/4`. */
const times = (text: string): TimedTile[] =>
  text
    .split(' ')
    .filter(Boolean)
    .map((part) => {
      const [, name = '', tokens, ms, usual = ms] = /^(\w+)@(\d+):([\d.]+)(?:\/(.+))?$/.exec(part) ?? [];
      return { tile: name, tokens: Number(tokens), ms: Number(ms), usualMs: Number(usual) };
    });

const wide = plan('t1q1 t1q2 t1q4 t2q1 t2q2 t4q1 t8q1', 't1q2 t2q1 t4q1 t8q1');
const few = plan('t1q2 t1q4 t4q2 t4q4 t8q2', 't1q4 t4q4');

test.each([
  ['nothing was timed: built in', wide, '', 't1q2 t2q1 t4q1 t8q1'],
  ['the fastest of each size', wide, 't1q1@1:1 t1q2@1:2 t1q4@1:3 t2q1@2:4 t2q2@2:2', 't1q1 t2q2 t4q1 t8q1'],
  ['a gain within the noise changes nothing', wide, 't1q1@1:1.93 t1q2@1:2 t1q4@1:3', 't1q2 t2q1 t4q1 t8q1'],
  ['fast once and slow usually is no gain', wide, 't1q1@1:1/3 t1q2@1:2/2.5', 't1q2 t2q1 t4q1 t8q1'],
  ['usually fast but never faster is none either', wide, 't1q1@1:1/2 t1q2@1:1/9', 't1q2 t2q1 t4q1 t8q1'],
  ['of those that gain, the fastest', wide, 't1q1@1:1/9 t1q2@1:3/4 t1q4@1:2/2', 't1q4 t2q1 t4q1 t8q1'],
  ['rivals without the built-in one are no reason', wide, 't1q1@1:1 t1q4@1:3', 't1q2 t2q1 t4q1 t8q1'],
  ['the largest goes where the next does more', wide, 't4q1@16:8 t8q1@16:9', 't1q2 t2q1 t4q1'],
  ['it stays on equal terms', wide, 't4q1@16:8.8 t8q1@16:9', 't1q2 t2q1 t4q1 t8q1'],
  ['one that is not built in comes only if it does more', few, 't8q2@8:1 t4q4@16:9 t8q2@16:8', 't1q4 t4q4 t8q2'],
  ['not on equal terms', few, 't8q2@8:1 t4q4@16:9 t8q2@16:8.8', 't1q4 t4q4'],
  ['nor without a time', few, 't8q2@8:1', 't1q4 t4q4'],
  ['the last two are compared as they were chosen', few, 't4q2@4:1 t4q4@4:2 t8q2@8:2 t4q2@16:4 t8q2@16:5', 't1q4 t4q2'],
])('%s', (_, from, found, expected) => {
  expect(chooseTiles(from, times(found)).map(tileName).join(' ')).toBe(expected);
});

describe.each([4, 8, 16, 32, 64])('%i lanes', (lanes) => {
  test.each(['store', 'add', 'gated', 'rope'] as const)(
    '%s: built-in tiles are candidates, each once, in order, and hold the quads that the way out needs',
    (finish) => {
      const candidates = candidateTiles({ lanes }, { activations: 'f32', finish });
      const names = candidates.map(tileName);
      expect(new Set(names).size).toBe(names.length);
      for (const built of standardTiles({ lanes }, { activations: 'f32', finish })) expect(names).toContain(tileName(built));
      for (const [i, { tokens, quads }] of candidates.entries()) {
        expect(tokens).toBeGreaterThanOrEqual(candidates[i - 1]?.tokens ?? 1);
        // Gate and up rows take turns by quads; the KV pool is written two quads at once: both in a lane, or in two neighbours.
        if (finish === 'gated' || finish === 'rope') expect(quads === 1 || quads % 2 === 0).toBe(true);
        expect(tokens * quads).toBeLessThanOrEqual(16);
      }
      // Each costs up to two seconds of compiling at the first start.
      expect(candidates.length).toBeLessThanOrEqual(9);
    },
  );
});

describe.each(['store', 'rope'] as const)('%s', (finish) => {
  const matrixUnit: MatrixUnit = { m: 16, n: 16, k: 16, element: 'f16', form: 'native' };
  const familiesOf = (isDeterministic: boolean): string[] => {
    const facts = { lanes: 32, family: steadyFamily('matrix', isDeterministic), matrixUnit };
    return [standardTiles, candidateTiles].flatMap((list) => list(facts, { activations: 'f32', finish })).map(({ family = 'narrow' }) => family);
  };

  test('where order matters a device with matrix units keeps to wide tiles, the large one among them', () => {
    expect(new Set(familiesOf(true))).toEqual(new Set(['wide']));
    expect(new Set(familiesOf(false))).toEqual(new Set(['wide', 'matrix']));
    const largest = standardTiles({ lanes: 32, family: steadyFamily('matrix', true), matrixUnit }, { activations: 'f32', finish }).at(-1);
    expect(largest?.tokens).toBe(32);
  });

  test('int8 activations take the unit for them, with what multiplies f16 and f32 as rivals; few tokens, other families and f32 do not', () => {
    const facts = { lanes: 32, matrixUnit, int8Unit: { ...matrixUnit, k: 32, element: 'i8' } as const };
    const elementsOf = (list: typeof standardTiles, family: KernelFamily, activations: 'f32' | 'int8'): (string | undefined)[] =>
      list({ ...facts, family }, { activations, finish }).map(({ tokens, unit }) => (tokens > 8 ? (unit?.element ?? 'wide') : unit?.element));
    const few = [undefined, undefined, undefined, undefined];
    expect(elementsOf(standardTiles, 'matrix', 'int8')).toEqual([...few, 'i8']);
    expect(elementsOf(candidateTiles, 'matrix', 'int8')).toEqual([...few, 'i8', 'f16', 'wide']);
    expect(elementsOf(candidateTiles, 'matrix', 'f32')).toEqual([...few, 'f16', 'wide']);
    expect(elementsOf(candidateTiles, steadyFamily('matrix', true), 'int8')).toEqual([...few, 'wide']);
    const withoutInt8 = standardTiles({ lanes: 32, family: 'matrix', matrixUnit }, { activations: 'int8', finish });
    expect(withoutInt8.at(-1)?.unit).toEqual(matrixUnit);
  });

  test('other families stay what they are', () => {
    for (const family of ['narrow', 'wide'] as const) for (const isDeterministic of [true, false]) expect(steadyFamily(family, isDeterministic)).toBe(family);
  });
});

test('names of shapes differ wherever the kernel does', () => {
  const work = { storage: 'Q4_1', rows: 960, columns: 576, activations: 'f32', isNormed: true, finish: 'rope', kv: 'f16' } as const;
  expect(workName(work)).toBe('Q4_1 960 x 576, f32, normed, rope, f16 KV');
  const { kv: _, ...stored } = { ...work, finish: 'store' as const };
  const others = [
    work,
    stored,
    { ...work, kv: 'f32' as const },
    { ...work, isNormed: false },
    { ...work, activations: 'int8' as const },
    { ...work, storage: 'Q8_0' as const },
  ];
  expect(new Set([...others, { ...work, rows: 576, columns: 960 }].map(workName)).size).toBe(7);
});

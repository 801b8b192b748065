/**
 * Attention of many tokens on units that multiply matrices: what the other kernels prove. In its emulated form, which runs on every device,
 * and on the device's own units where it has such.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attentionBound } from '../../kernels/attention.ref.ts';
import type { AttentionShape, attention } from '../../kernels/attention.ts';
import { attentionWide } from '../../kernels/attention_wide.ts';
import type { MatrixUnit } from '../../kernels/matrix_unit.ts';
import { attentionCases, checkAttention } from '../attention-case.ts';
import { findUnits, Gpu, testDevice } from '../gpu.ts';

const isFull = process.env['INWARD_FULL'] === '1';
const { hasF16, own: ownUnits } = await findUnits();
const unitOf = (m: number, n: number, k: number, element: MatrixUnit['element']): MatrixUnit => ({ m, n, k, element, form: 'emulated' });
const units: readonly MatrixUnit[] = [
  unitOf(16, 16, 16, 'f16'),
  unitOf(8, 8, 8, 'f16'),
  unitOf(16, 8, 16, 'f32'),
  unitOf(8, 16, 8, 'f32'),
  ...ownUnits.filter(({ element }) => element === 'f16'),
];

/**
 * Where f32 is multiplied nothing is rounded more than elsewhere. In f16 a number is off by u = 2^-11 of itself at most, by u / sqrt(3) in
 * the mean square. So is each weight when it is rounded, and each product of a score: their squares sum up to 1 with the random queries
 * and keys of these cases, so a score, and with it the weight once more, is off by u / sqrt(3). With q8 each key and value is rounded
 * too. None of that is shared by the random values that weights multiply, so the mean squared error of a result, by its own square,
 * is that of a weight: 2/3 u^2, with q8 twice that. 4 u^2 leaves room for tokens that see few positions.
 */
const boundOf = ({ element }: MatrixUnit): number => (element === 'f32' ? attentionBound : 4 * 2 ** -22);

describe.each(units)('$m x $n x $k of $element, $form', (unit) => {
  const isUnfit = unit.element === 'f16' && !hasF16;
  let gpu: Gpu;
  beforeAll(async () => {
    if (!isUnfit) gpu = await Gpu.create(testDevice(), { family: 'matrix', matrixUnit: unit });
  });
  beforeEach(({ skip }) => skip(isUnfit, 'the device has no f16'));
  afterAll(() => gpu?.open[Symbol.dispose]());

  const kernel: typeof attention = (...[shape, queries, pool, scratch, y, batch, sinks]) => {
    const operation = attentionWide(shape, queries, pool, scratch, y, batch, sinks, undefined, unit);
    expect(operation.variants[1]?.label).toContain('/matrix/');
    return operation;
  };

  const sampled: readonly (readonly [AttentionShape['kv'], string])[] =
    unit.m === 16
      ? [
          ['f16', '9 heads, 3 KV heads of 64'],
          ['f16', 'a window of 17'],
          ['f16', '4 heads, 1 latent rows of 128'],
          ['q8', 'all options'],
        ]
      : [
          ['f16', 'crafted rows'],
          ['q8', '2 heads, 1 KV heads of 72'],
          ['q8', 'elsewhere'],
        ];
  const all = (['f16', 'q8'] as const).flatMap((kv) => attentionCases(kv).map((one) => ({ kv, name: one.name, one })));
  it.each(all.filter(({ kv, name }) => isFull || sampled.some(([format, title]) => format === kv && title === name)))(
    'over $kv: $name',
    { timeout: 300_000 },
    async ({ kv, one }) => {
      await checkAttention(gpu, one, kv, boundOf(unit), { kernel, place: 'buffer', form: 1 });
    },
  );
});

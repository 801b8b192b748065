/** Published shapes against what is published of their files: tensors, bytes, parameters; caches and layers by hand from config.json. */
import { expect, test } from 'vitest';
import { billDeepseekV4, deepseekV4Scales, deepseekV4Shapes, listDeepseekV4 } from '../../../runtime/sizing/deepseek-v4.ts';
import { billGlm, glmScales, glmShapes, listGlm } from '../../../runtime/sizing/glm-moe-dsa.ts';
import { countParameters, listHeaders, type ReleasedTensor, type ScaleForm } from '../../../runtime/sizing/released.ts';
import type { ModelBill } from '../../../runtime/sizing/types.ts';

function named<T extends { readonly name: string }>(shapes: readonly T[], name: string): T {
  const shape = shapes.find((row) => row.name === name);
  if (shape === undefined) throw new Error(`no shape ${name}`);
  return shape;
}

function count(tensors: readonly ReleasedTensor[], scales: ScaleForm) {
  const types: Record<string, number> = {};
  let [total, size] = [0, 0];
  for (const header of listHeaders(tensors, scales)) {
    total++;
    size += header.size;
    types[header.dtype] = (types[header.dtype] ?? 0) + 1;
  }
  return { total, size, types };
}

const v4 = (name: string): ReleasedTensor[] => listDeepseekV4(named(deepseekV4Shapes, name));
const glm = (name: string): ReleasedTensor[] => listGlm(named(glmShapes, name));
const ahead = ({ place }: ReleasedTensor): boolean => place === 'prediction';

test('DeepSeek-V4 has the tensors and bytes of the published indexes, and Flash each storage as often as its files', () => {
  const flash = count(v4('DeepSeek-V4-Flash'), deepseekV4Scales);
  expect(flash).toMatchObject({ total: 69_187, size: 159_609_485_896 });
  expect(flash.types).toEqual({ BF16: 433, F32: 417, F8_E4M3: 375, F8_E8M0: 34_167, I64: 3, I8: 33_792 });
  expect(count(v4('DeepSeek-V4-Pro'), deepseekV4Scales)).toMatchObject({ total: 145_116, size: 864_704_792_696 });
});

test.each([
  // With the layer that guesses ahead, and that alone, in thousand millions, as a third party counted the files.
  ['DeepSeek-V4-Flash', v4('DeepSeek-V4-Flash'), 290.9, 6.61],
  // The model card has 1.6 T without it.
  ['DeepSeek-V4-Pro', v4('DeepSeek-V4-Pro'), 1600, undefined],
  // 744 without it, as its card says; 753 with it, as the hub counts.
  ['GLM-5', glm('GLM-5'), 753.4, 753.4 - 744],
] as const)('%s has as many parameters as are published', (_, tensors, all, guessing) => {
  expect(countParameters(tensors) / 1e9 / all).toBeCloseTo(1, 2);
  if (guessing !== undefined) expect(Math.abs(countParameters(tensors.filter(ahead)) / 1e9 - guessing)).toBeLessThan(1);
});

test('GLM: layers with an indexer as the release lists them, and its tensors in FP8 one a layer and one in the layer behind the last', () => {
  const withIndexer = (name: string): number[] =>
    glm(name).flatMap(({ name: tensor, place }) => (tensor.endsWith('indexer.wk.weight') && typeof place === 'number' ? [place] : []));
  expect(withIndexer('GLM-5.2')).toEqual([0, 1, 2, 6, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 54, 58, 62, 66, 70, 74]);
  expect(withIndexer('GLM-5')).toHaveLength(78);
  const headers = [...listHeaders(glm('GLM-5.2-FP8'), glmScales)];
  expect(headers.filter(({ name, dtype }) => /indexer\.wq_b\.weight$/.test(name) && dtype === 'F8_E4M3')).toHaveLength(22);
  // 576 rows are four blocks and a half.
  expect(headers.find(({ name }) => name.endsWith('.3.self_attn.kv_a_proj_with_mqa.weight_scale_inv'))?.shape).toEqual([5, 48]);
  expect(headers.some(({ name }) => /(?:embed_tokens|lm_head|mlp\.gate\.|weights_proj|norm).*_scale_inv/.test(name))).toBe(false);
});

/** Bytes of a token, and of a sequence whatever its length. */
function cacheSizes({ caches }: ModelBill): [token: number, sequence: number] {
  const all = caches.flat();
  return [
    all.reduce((sum, { entrySize, every, room = every }) => sum + (room === undefined ? 0 : entrySize / room), 0),
    all.reduce((sum, { entrySize, every, count: entries = 0 }) => sum + (every === undefined ? entrySize * entries : 0), 0),
  ];
}

test('caches by hand: entries in f16, each block of 16 tokens with room for one; rows of the window and of open entries in f32', () => {
  // Flash: layers 2, 4, ..., 42 with entries for four tokens and keys of an indexer, the 20 between with entries for 128.
  const flash = cacheSizes(billDeepseekV4(named(deepseekV4Shapes, 'DeepSeek-V4-Flash'), 2));
  expect(flash[0]).toBe((21 * (512 + 128) * 2) / 4 + (20 * 512 * 2) / 16);
  // Eight rows of values and gates of twice 512 and of twice 128 numbers; 128 of once 512.
  expect(flash[1]).toBe(43 * 128 * 512 * 4 + 21 * 8 * 2 * 2 * (512 + 128) * 4 + 20 * 128 * 2 * 512 * 4);
  const pro = cacheSizes(billDeepseekV4(named(deepseekV4Shapes, 'DeepSeek-V4-Pro'), 2));
  expect(pro[0]).toBe((30 * (512 + 128) * 2) / 4 + (31 * 512 * 2) / 16);
  expect(cacheSizes(billGlm(named(glmShapes, 'GLM-5.2'), 2))).toEqual([(78 * (512 + 64) + 21 * 128) * 2, 0]);
  expect(cacheSizes(billGlm(named(glmShapes, 'GLM-5'), 2))).toEqual([78 * (512 + 64 + 128) * 2, 0]);
});

/** What stages say of themselves, taken together: sizes of all, and one file for all. */
import { expect, test } from 'vitest';
import { joinInfos } from '../../../runtime/host/infos.ts';
import type { EngineInfo } from '../../../runtime/types.ts';

function infoOf(firstLayer: number, layerCount: number, more: Partial<EngineInfo> = {}): EngineInfo {
  const sizes = { weightBytes: 100 * layerCount, kvBytes: layerCount };
  return { modelName: 'm', fingerprint: 'f', loadMs: 5, ...sizes, stages: [{ adapter: 'a', firstLayer, layerCount, ...sizes }], ...more } as EngineInfo;
}

test('weights and caches are added up, the slowest says how long it took, and each stage is named', () => {
  const joined = joinInfos([infoOf(0, 3), infoOf(3, 1, { modelName: 'other', loadMs: 9 })], '/m');
  expect(joined).toMatchObject({ modelName: 'm', weightBytes: 400, kvBytes: 4, loadMs: 9 });
  expect(joined.stages).toMatchObject([
    { firstLayer: 0, layerCount: 3 },
    { firstLayer: 3, layerCount: 1 },
  ]);
});

test('a file that was exchanged between the starts of two stages is refused', () => {
  expect(() => joinInfos([infoOf(0, 1), infoOf(1, 1, { fingerprint: 'g' })], '/m')).toThrow('The model file at /m is no longer the one that was opened.');
});

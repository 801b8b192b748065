/**
 * A real encoder: all-MiniLM-L6-v2 against tokenizers and transformers. Its file is not fetched by set-up; test/fixtures/minilm/README.md says where it
 * is to be had. Some ten seconds on a CPU device: only in the full suite.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cacheFolder } from '../../runtime/drivers.ts';
import { createEngine } from '../../runtime/engine.ts';
import { openText } from '../../runtime/text/index.ts';
import { testDevice } from '../gpu.ts';
import { readFixture } from '../test-data.ts';

interface Golden {
  readonly tolerance: number;
  readonly cases: readonly { readonly text: string; readonly ids: readonly number[]; readonly embedding: readonly number[] }[];
}

const golden: Golden = JSON.parse(readFixture('minilm/golden.json').toString('utf8'));
const modelPath = join(cacheFolder(), 'models/all-MiniLM-L6-v2');

/** 1 - cosine. */
function angle(a: ArrayLike<number>, b: readonly number[]): number {
  const dot = b.reduce((sum, value, i) => sum + value * (a[i] ?? 0), 0);
  return 1 - dot / Math.hypot(...Array.from(a)) / Math.hypot(...b);
}

function checkModel(): void {
  // The issue asks for 1e-4; in f32 it is what rounding leaves, and keys and values in f16 are off by some 2^-12 of themselves.
  describe.each([
    { mode: 'exact', options: { kv: 'f32', activations: 'f32' }, bound: 1e-11 },
    { mode: 'default', options: {}, bound: 1e-6 },
  ] as const)('all-MiniLM-L6-v2, $mode', ({ options, bound }) => {
    test('texts of 4 to 256 tokens', { timeout: 400_000 }, async () => {
      await using text = await openText({ modelPath });
      await using engine = await createEngine({ modelPath, device: testDevice(), ...options });
      expect(engine.info).toMatchObject({ contextLength: 256, encoder: { pooling: 'mean', isNormalized: true, length: 384 } });
      const ids = await Promise.all(golden.cases.map((one) => text.encode(one.text, { addSpecial: true })));
      for (const [i, one] of golden.cases.entries()) {
        // The last text has more; the reference cuts it as `truncates` does.
        const found = Array.from(ids[i] ?? []);
        expect(found.length <= 256 ? found : [...found.slice(0, 255), found.at(-1)]).toEqual(one.ids);
      }
      const embeddings = await engine.embed(ids, { truncates: true });
      for (const [i, one] of golden.cases.entries()) expect(angle(embeddings[i]?.values ?? [], one.embedding), `text ${i}`).toBeLessThan(bound);
    });
  });
}

if (process.env['INWARD_FULL'] !== '1') test('all-MiniLM-L6-v2', ({ skip }) => skip('only in the full suite'));
else if (!existsSync(modelPath)) test('all-MiniLM-L6-v2', ({ skip }) => skip('its folder is not in the cache: see test/fixtures/minilm/README.md'));
else checkModel();

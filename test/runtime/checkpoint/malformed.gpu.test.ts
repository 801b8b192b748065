/** The malformed models as an engine opens them: no file makes it take memory before it is refused. */
import { afterAll, expect, test } from 'vitest';
import { createFolder } from '../../gguf-file.ts';
import { testDevice } from '../../gpu.ts';
import { malformedCases } from '../../test-data.ts';
import { measurePeak } from './peak.ts';

const folder = createFolder();
afterAll(folder.remove);

test('every model that is to be refused, in bounded time and memory', async () => {
  const cases = malformedCases().filter(({ id, expect: expected }) => id.startsWith('model-') && expected === 'reject' && !id.includes('tokenizer'));
  // Refused for its tensors, as late as any.
  const late = cases.find(({ id }) => id === 'model-block_count-513');
  const { growth, files } = await measurePeak({
    first: folder.write(late?.bytes ?? Buffer.alloc(0)),
    hostile: cases.map(({ bytes }) => folder.write(bytes)),
    device: testDevice(),
  });
  expect(files.length).toBeGreaterThanOrEqual(13);
  for (const [i, { code, took }] of files.entries()) {
    expect(code, cases[i]?.id).toMatch(/^(gguf_invalid|model_unsupported)$/);
    expect(took, cases[i]?.id).toBeLessThan(5000);
  }
  // The files have 40 kB; a device that is opened and closed once more leaves some.
  expect(growth).toBeLessThan(48 * 2 ** 20);
});

/** The malformed files: each as expected, in bounded time and memory, always with an InwardError. */
import { afterAll, expect, test } from 'vitest';
import { metadataInteger, metadataNumber, openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { createFolder } from '../../gguf-file.ts';
import { checkMalformed, openingError } from '../../malformed-case.ts';
import { malformedCases } from '../../test-data.ts';
import { measurePeak } from './peak.ts';

const folder = createFolder();
afterAll(folder.remove);

const cases = malformedCases();
/** What only the reader of vocabularies (tok-, test/runtime/text) or of family settings (model-, test/models) can see. */
const isForOthers = (id: string) => /^(tok-|model-(?!ok$|arch-))/.test(id);

test('all 72 cases are here', () => expect(cases.length).toBe(72));

test.each(cases.filter(({ id }) => !isForOthers(id)))('$id: $condition', ({ expect: expected, bytes }) => {
  checkMalformed(folder.write(bytes), expected, 'gguf_invalid');
});

test.each(cases.filter(({ id }) => isForOthers(id)))('$id opens: its header is sound', ({ bytes }) =>
  expect(openingError(folder.write(bytes))).toBeUndefined(),
);

test('the peak of memory over all of them, and over their vocabularies, stays near the size of one file', async () => {
  const ok = cases.find(({ id }) => id === 'model-ok');
  const { growth, files } = await measurePeak({ first: folder.write(ok?.bytes ?? Buffer.alloc(0)), hostile: cases.map(({ bytes }) => folder.write(bytes)) });
  expect(files.length).toBe(72);
  expect(growth).toBeLessThan(16 * 2 ** 20);
  for (const [i, { code, took }] of files.entries()) {
    const { id, expect: expected } = cases[i]!;
    expect(took, id).toBeLessThan(1000);
    expect(code, id).not.toBe('foreign');
    if (expected === 'reject' && !/^model-(?!missing-tok|arch)/.test(id)) expect(code, id).toBe('gguf_invalid');
  }
});

test.each([
  ['model-block_count-stored_as_float', metadataInteger, 'llama.block_count'],
  ['model-block_count-stored_as_string', metadataInteger, 'llama.block_count'],
  ['model-block_count-2^32-1', metadataInteger, 'llama.block_count'],
  ['model-attention.head_count_kv-0', metadataInteger, 'llama.attention.head_count_kv'],
  ['model-attention.layer_norm_rms_epsilon-NaN', metadataNumber, 'llama.attention.layer_norm_rms_epsilon'],
] as const)('the getters refuse %s', (id, read, key) => {
  using checkpoint = openCheckpoint(folder.write(cases.find((one) => one.id === id)!.bytes));
  expect(() => read(checkpoint, key, 1, 2 ** 20)).toThrow(expect.objectContaining({ code: 'gguf_invalid' }));
});

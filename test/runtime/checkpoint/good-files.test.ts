/** Real headers: what we read equals what another reader (@huggingface/gguf) reads. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { findStorage } from '../../../runtime/checkpoint/storage.ts';
import { createFolder } from '../../gguf-file.ts';
import { findTestData, readFixture } from '../../test-data.ts';

const folder = createFolder();
afterAll(folder.remove);

const names = ['gpt-2', 'deepseek-coder', 'smollm2', 'tiny-llama', 'tiny-qwen3'];
const paths = names.map((name): [string, () => string] => [name, () => folder.write(readFixture(`tokenizer/${name}.gguf.gz`))]);
const data = findTestData('headers of the reference models');
if (data !== undefined) {
  const oracles = join(data, 'oracles');
  for (const name of readdirSync(oracles)) if (name.startsWith('gguf_') && !name.endsWith('.py')) paths.push([name, () => join(oracles, name, 'model.gguf')]);
  const vocabularies = join(data, 'data', 'tokenizer');
  for (const name of readdirSync(vocabularies)) if (name.endsWith('.gguf')) paths.push([name, () => join(vocabularies, name)]);
}

/** Values of either reader in one form: the other one drops a leading byte order mark, which is a token in some vocabularies. */
function plain(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) return Array.from(value as ArrayLike<unknown>, plain);
  if (typeof value === 'string') return value.replace(/^\uFEFF/, '');
  return typeof value === 'bigint' && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

test.each(paths)('%s', async (_, find) => {
  const path = find();
  const started = performance.now();
  using checkpoint = openCheckpoint(path);
  expect(performance.now() - started).toBeLessThan(1000);
  const { metadata, tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true });
  for (const [key, value] of Object.entries(metadata)) {
    if (key === 'version' || key === 'tensor_count' || key === 'kv_count') continue;
    expect(plain(checkpoint.metadata.get(key)), key).toEqual(plain(value));
  }
  expect(checkpoint.metadata.size).toBe(Object.keys(metadata).length - 3);
  expect([...checkpoint.tensors.values()].map(({ name, shape, offset, storage }) => ({ name, shape, offset, storage }))).toEqual(
    tensorInfos.map(({ name, shape, offset, dtype }) => ({
      name,
      shape: shape.map(Number).reverse(),
      offset: Number(tensorDataOffset + offset),
      storage: findStorage(dtype)?.name,
    })),
  );
});
